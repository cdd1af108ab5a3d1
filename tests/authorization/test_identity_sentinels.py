"""A person's values and numbers, sent through steps 3 to 6 with faults; then every table, file and line of the log is searched.

They may be found sealed, and nowhere else. What is shared is searched too: it is encrypted for the partner.
"""

import logging
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from pipeline.errors import AppError
from pipeline.identity.flow import credential_jobs, open_ports
from pipeline.identity.ida.authentication import authenticate
from pipeline.identity.messages import Delivered
from pipeline.jobs.worker import run_until_idle
from pipeline.runtime import Runtime
from tests import factories
from tests.authorization.test_sentinels import disguises
from tests.factories import VILLE
from tests.identity_rows import state_of, waiting

NAME, PHONE, EMAIL, BORN, STREET = "Zyxandra Quillfeather", "9871203465", "zyxandra@quill.example", "1971/08/23", "Quillfeather Lane 9"
BIOMETRICS = b"<BIR>sentinel of a finger that nobody opens</BIR>"
PERSON = {
    "fullName": [{"language": "eng", "value": NAME}],
    "dateOfBirth": BORN,
    "gender": [{"language": "eng", "value": "FLE"}],
    "phone": PHONE,
    "email": EMAIL,
    "addressLine1": [{"language": "eng", "value": STREET}],
}
SHORTEST_NEEDLE = 6  # bytes; a handle has seven
SCHEMAS = ("audit", "credential", "datashare", "ida", "idrepo", "jobs", "packet", "regprc", "websub")
_COLUMNS = text("""
    SELECT n.nspname || '.' || c.relname AS place, a.attname AS name
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND a.attnum > 0 AND NOT a.attisdropped AND n.nspname = ANY (:schemas)
      AND format_type(a.atttypid, a.atttypmod) ~ '(text|json|bytea)'
""")


class Lines(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(f"{self.format(record)} {vars(record)}")


@pytest.fixture
def lines() -> Iterator[list[str]]:
    handler, root = Lines(), logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    yield handler.lines
    root.removeHandler(handler)
    root.setLevel(before)


class Stumbling:
    """Callbacks that fail at first, so that failures are written down too."""

    def __init__(self, real: Any) -> None:
        self._real, self._left = real, 2

    def at(self, url: str) -> Any:
        found = self._real.at(url)
        return None if found is None else self if self._left else found

    def confirm(self, query: Any) -> Any:
        return query["hub.challenge"]

    def take(self, arrived: Any) -> list[Delivered]:
        self._left -= 1
        return [Delivered(500)] * len(arrived)


def test_values_and_numbers_of_a_person_stand_nowhere_in_clear(rt: Runtime, clock, lines) -> None:
    from dataclasses import replace

    ports = open_ports(rt)
    jobs = credential_jobs(rt, replace(ports, callbacks=Stumbling(ports.callbacks)))
    ones = [waiting(rt, kind, person=PERSON, biometrics=BIOMETRICS) for kind in ("UIN", "HANDLE", "VID")]
    damaged = waiting(rt, person=PERSON, biometrics=None)
    with rt.database.worker() as conn:
        spoil = text("UPDATE idrepo.identity SET demographics_sealed = 'v1:k1:AAAA:AAAA' WHERE registration_id = :id")
        conn.execute(spoil, {"id": damaged.registration_id})
    for _ in range(6):
        run_until_idle(jobs, clock)
        clock.advance(timedelta(minutes=10))
    assert [state_of(rt, one).transaction for one in ones] == ["STORED"] * 3
    assert state_of(rt, damaged).transaction == "FAILED"
    admin = factories.account(rt, "DA-sentinel", "DISTRICT_ADMIN")
    for said in ({"name": NAME, "phone": PHONE}, {"name": "Wilhelmina Vexley"}):
        authenticate(rt, admin, VILLE, ones[0].number, said, clock.now())  # type: ignore[arg-type]
    with pytest.raises(AppError) as refused:
        authenticate(rt, admin, VILLE, "Wilhelmina Vexley", {"name": NAME}, clock.now())

    secrets = {NAME, PHONE, EMAIL, BORN, STREET, "Wilhelmina Vexley", BIOMETRICS.decode(), *(one.number for one in (*ones, damaged))}
    # four letters of base64, which is what a short handle leaves, stand by chance in any long enough text
    needles = {needle for value in secrets for needle in disguises(value) if len(needle) > SHORTEST_NEEDLE}

    def check(where: str, content: bytes) -> None:
        assert not [needle for needle in needles if needle in content], where

    with rt.database.worker() as conn:
        columns = conn.execute(_COLUMNS, {"schemas": list(SCHEMAS)}).all()
        assert len(columns) > 60
        for place, name in columns:
            for value in conn.execute(text(f"SELECT {name} FROM {place} WHERE {name} IS NOT NULL")).scalars():
                check(f"{place}.{name}", bytes(value) if isinstance(value, bytes | memoryview) else str(value).encode())
    for (shared,) in (ports.datashare.download([state_of(rt, one).data_share_url]) for one in ones):
        if isinstance(shared, bytes):  # else it is over by now
            check("a share", shared)
    for file in (rt.settings.data_dir / "filestore").rglob("*"):
        if file.is_file():
            check(str(file), file.read_bytes())
    check("the log", "\n".join(lines).encode())
    check("an error", f"{refused.value!r} {refused.value.params}".encode())
