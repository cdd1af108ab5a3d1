"""What goes with an upload beside the bytes, and with a download."""

from typing import Annotated

from pydantic import Field, StringConstraints

from pipeline.packets.contracts.common import Body
from pipeline.packets.contracts.fields import Id, TenantId

MAX_FILES = 10  # of one upload: as many as a report takes

Word = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[A-Za-z][A-Za-z0-9_-]*$")]


class UploadFields(Body):
    """Query or form fields of /filestore/v1/files; the tenant's own spelling of the module is kept."""

    tenant_id: TenantId
    module: Word = "SDCRS"
    tag: Word | None = None  # such as capture-evidence


class FileKey(Body):
    """Which stored file, for a download."""

    file_store_id: Id
    tenant_id: TenantId | None = Field(default=None)
