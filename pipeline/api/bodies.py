"""Requests as the packet log keeps them."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from pipeline.api.call import Call
from pipeline.packets.personal import without_personal


def stored_body(packet_id: str, call: Call, content: Mapping[str, Any], persons: Mapping[str, UUID]) -> dict[str, Any]:
    """The request without its token, without what it says of its sender, and with references for personal values.

    `persons` says whose a value is, by path; see without_personal.
    """
    info = call.info
    kept = {} if info is None else info.model_dump(by_alias=True, include={"api_id", "ver", "ts", "action", "msg_id"}, exclude_none=True)
    return without_personal(packet_id, {**content, "RequestInfo": kept}, persons)
