"""The biometrics of an identity, passed on unopened from the component in which they came."""

from typing import Any

from sqlalchemy import Row

from pipeline.identity.packet.component import Component
from pipeline.runtime import Runtime

COMPONENT = "id"
FIELD = "individualBiometrics"  # of ID.json: its value names the file


def biometrics(rt: Runtime, person: Row[Any]) -> bytes:
    """The bytes as the registration client made them; empty when there are none. Raises SDCRS_NOT_FOUND for a file that is gone."""
    if person.biometrics_file_id is None:
        return b""
    component = Component.of(COMPONENT, rt.files.get(person.biometrics_file_id, "original"))
    named = component.identity.get(FIELD)
    name = named.get("value") if isinstance(named, dict) else None
    return (component.document(name) if isinstance(name, str) else None) or b""
