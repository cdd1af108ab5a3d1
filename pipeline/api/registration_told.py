"""What /openapi.json says of the endpoints of registration clients and operators: bodies, answers, errors and an example for each."""

from collections.abc import Mapping
from typing import Any

from pipeline.api import registration_shapes as shapes
from pipeline.api.told import READ_ERRORS, REPEATABLE, WRITE_ERRORS, Told
from pipeline.packets.contracts.registrations import ActionRequest, StatusRequest, SyncRequest, VidRequest, WorkflowRequest

VILLE = "dj.djibouti-ville"
REG_ID = "10001100770000120260310070000"
PREFIX = "/registrationprocessor/v1"


def _enveloped(request: Any, **beside: Any) -> dict[str, Any]:
    return {"id": "sdcrs.registration", "version": "1.0", "requesttime": "2026-03-10T07:00:00.000Z", **beside, "request": request}


SYNC = _enveloped(
    [
        {
            "registrationId": REG_ID,
            "process": "NEW",
            "source": "REGISTRATION_CLIENT",
            "schemaVersion": "0.1",
            "langCode": "eng",
            "supervisorStatus": "APPROVED",
            "supervisorComment": "Papers compared",
            "components": [
                {"name": "id", "size": 233118, "hash": "1f" * 32},
                {"name": "evidence", "size": 2452, "hash": "2e" * 32},
                {"name": "optional", "size": 1326, "hash": "3d" * 32},
            ],
        }
    ],
    tenantId=VILLE,
)
STATUS = _enveloped([{"registrationId": REG_ID}])
ACTION = _enveloped({"workflowIds": [REG_ID], "workflowAction": "RESUME_PROCESSING", "reason": "The officer has been heard"})
WORKFLOWS = _enveloped({"tenantId": VILLE, "statusCode": ["PAUSED", "REPROCESS_FAILED"], "offset": 0, "limit": 20})
VID = _enveloped({"tenantId": VILLE, "individualId": "2957301846"})

TOLD: Mapping[tuple[str, str], Told] = {
    (f"{PREFIX}/registrationstatus/sync", "post"): Told(SyncRequest, SYNC, answer=shapes.SyncAnswer, errors=WRITE_ERRORS),
    (f"{PREFIX}/registrationstatus/search", "post"): Told(StatusRequest, STATUS, answer=shapes.StatusAnswer),
    (f"{PREFIX}/packetreceiver/registrationpackets", "post"): Told(
        answer=shapes.UploadAnswer, status=201, errors=WRITE_ERRORS, parameters=REPEATABLE
    ),
    (f"{PREFIX}/workflowmanager/workflowaction", "post"): Told(ActionRequest, ACTION, answer=shapes.ActionAnswer, errors=WRITE_ERRORS),
    (f"{PREFIX}/workflowmanager/workflow/search", "post"): Told(WorkflowRequest, WORKFLOWS, answer=shapes.WorkflowAnswer),
    ("/idrepository/v1/vid", "post"): Told(VidRequest, VID, answer=shapes.VidAnswer, status=201, errors=READ_ERRORS),
}
