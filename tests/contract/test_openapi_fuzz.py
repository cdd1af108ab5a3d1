"""What the API's own description allows and what it forbids, as every role and as nobody: no fault of ours, no answer that is not
described, nothing done without the right to it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS, load_all_checks
from sqlalchemy import text
from starlette.testclient import TestClient

from pipeline.api import rates
from pipeline.api.app import build
from pipeline.runtime import Runtime
from tests.api import signed_in
from tests.factories import VILLE, People, captured, people, validated

load_all_checks()
# Not asked: that every request of the right shape is accepted. Most name reports and places that do not exist.
ASKED = CHECKS.get_by_names(
    [
        *("not_a_server_error", "status_code_conformance", "content_type_conformance", "response_schema_conformance"),
        *("negative_data_rejection", "ignored_auth"),
    ]
)
# A body that is too large is refused before anybody looks at what it says
TOO_LARGE = [one for one in ASKED if getattr(one, "__name__", "") != "negative_data_rejection"]
ROLES = ("teacher", "verifier", "senior", "supervisor", "officer", "district_admin", "admin", "auditor")
QUICK, LONG = 2, 30  # requests of each operation as each role, and as many that break its rules: some 400, and more than 10,000
NO_LIMIT = 10_000_000


@dataclass
class Fuzz:
    """The API in this process, with its description, people and a few true ids."""

    rt: Runtime
    http: TestClient
    schema: Any
    who: People
    known: dict[str, list[str]]
    sent: int = 0
    wrong: dict[str, str] = field(default_factory=dict)

    def run(self, role: str | None, examples: int) -> None:
        """Send `examples` requests of every operation; what is wrong is kept, the first of each kind."""
        self.wrong.clear()
        for result in self.schema.get_all_operations():
            operation = result.ok()
            self._operation(operation, role, examples, GenerationMode.POSITIVE)
            if list(operation.body) or list(operation.query):  # nothing can be wrong with a request that says nothing
                self._operation(operation, role, examples, GenerationMode.NEGATIVE)

    def _operation(self, operation: Any, role: str | None, examples: int, mode: GenerationMode) -> None:
        @seed(len(operation.label) + examples)
        @settings(max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate])
        @given(case=operation.as_strategy(generation_mode=mode))
        def send(case: Any) -> None:
            # each request has a session of its own: some end theirs
            headers = {} if role is None else signed_in(self.rt, self.http, getattr(self.who, role)).headers
            self.sent += 1
            if self.sent % 2 and mode is GenerationMode.POSITIVE:
                case.body = self._true_to_life(case.body)
            try:
                answer = case.call(headers=headers)
                case.validate_response(answer, checks=TOO_LARGE if answer.status_code == 413 else ASKED, headers=headers)
            except BaseExceptionGroup as found:  # schemathesis' failures
                for failure in found.exceptions:
                    self.wrong.setdefault(f"{role} {operation.label}: {failure}", str(found)[:2000])

        send()

    def _true_to_life(self, body: Any) -> Any:
        """The same body with ids that exist, so that more is looked at than whether they do."""
        if isinstance(body, dict):
            return {key: self._known(key, value) for key, value in body.items()}
        return [self._true_to_life(item) for item in body] if isinstance(body, list) else body

    def _known(self, key: str, value: Any) -> Any:
        if key in self.known:
            known = self.known[key][self.sent % len(self.known[key])]
            return [known] if isinstance(value, list) else known
        return self._true_to_life(value)


@pytest.fixture(scope="module")
def fuzz(rt: Runtime) -> Iterator[Fuzz]:
    with pytest.MonkeyPatch.context() as patch:
        for name in ("PUBLIC", "SIGN_IN", "WEBHOOK", "STRANGER", "SESSION"):
            patch.setattr(rates, name, rates.Rate(name, NO_LIMIT))
        app = build(rt)
        with TestClient(app, base_url="http://api.test") as http:
            who = people(rt)
            ids = [captured(rt, who), validated(rt, who.teacher)]
            with rt.database.worker() as conn:
                rows = conn.execute(text("SELECT report_number, tracking_id FROM sdcrs.report WHERE id = ANY (:ids)"), {"ids": ids}).all()
            known = {
                "tenantId": [VILLE, "dj", "ncr.noida"],
                "id": [str(one) for one in ids],
                "reportIds": [str(one) for one in ids],
                "reportNumber": [row.report_number for row in rows],
                "businessId": [row.report_number for row in rows],
                "trackingId": [row.tracking_id for row in rows],
                "action": ["VERIFY", "REJECT", "ASSIGN", "START_FIELD_VISIT", "MARK_CAPTURED", "RETRY_PAYOUT", "MANUAL_RESOLVE"],
            }
            yield Fuzz(rt, http, schemathesis.openapi.from_asgi("/openapi.json", app), who, known)


def told(wrong: dict[str, str]) -> str:
    return "\n\n".join(f"{name}\n{text_}" for name, text_ in list(wrong.items())[:20])


def test_a_few_requests_of_every_operation_as_three_roles_and_as_nobody(fuzz: Fuzz) -> None:
    for role in ("teacher", "officer", "admin", None):
        fuzz.run(role, QUICK)
        assert not fuzz.wrong, told(fuzz.wrong)
    assert fuzz.sent > 200


@pytest.mark.long
@pytest.mark.parametrize("role", [*ROLES, None])
def test_ten_thousand_requests_as_every_role(fuzz: Fuzz, role: str | None) -> None:
    before = fuzz.sent
    fuzz.run(role, LONG)
    assert not fuzz.wrong, told(fuzz.wrong)
    assert fuzz.sent - before > 10_000 / (len(ROLES) + 1)
