"""Names, phones, addresses and bank data that stand nowhere else, sent through everything; then every place that is read is searched.

They may be found in the vault alone, sealed, and where a test says in so many words who may know them. The schema `sandbox` is the
stand-in provider's own books and is not there in production.
"""

import base64
import json
import logging
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from os import getpid
from secrets import token_hex
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import text

from dashboard.backend import BACKEND
from dashboard.widgets import payout_cap, payout_export
from dashboard.widgets.payout_filter import Filter, Wanted
from dashboard.widgets.work import Area
from pipeline.access.accounts import NewAccount, create_accounts
from pipeline.access.passwords import hash_password
from pipeline.clock import SettableClock
from pipeline.database.engine import Database
from pipeline.database.urls import Urls
from pipeline.demo.registrations import applicant, make_packet
from pipeline.identity.numbers import Numbers
from pipeline.ids import uuid7
from pipeline.logs import JsonFormatter
from pipeline.runtime import Runtime, assemble
from pipeline.settings import Settings
from tests import factories
from tests.acceptance.town import Phone, Town, open_town
from tests.api import REPORT
from tests.authorization.world import ROLES
from tests.conftest import ROLE_PREFIX, TUESDAY_MORNING, make_database
from tests.console import shown, tab, token_for
from tests.factories import VILLE
from tests.registrations import uploaded

TEACHER = {
    "name": "Zyxandra Quillfeather",
    "phone": "9871203465",
    "email": "zyxandra@quill.example",
    "vpa": "zyxandra.fails.bank.rejected@sandbox",
    "bank_account": "50100987123465",
    "ifsc": "ZYXA0123456",
}
OFFICER = {"name": "Ovidiu Xerxesson", "phone": "9870011229", "vpa": "ovidiu.xerx@sandbox", "email": "ovidiu@xerx.example"}
CORRECTED = "corrected.zyxandra.fails.bank.rejected@sandbox"
TYPED = {"bad_vpa": "zyxandra bad@@address", "typed_vpa": "typed.zyxandra@okaxis", "stranger": "Wilhelmina Vexley", "number": "9864209753"}
OPEN = ("/openapi.json", "/livez", "/readyz", "/metrics", "/track/NOTTHERE", "/nowhere", "/user/v1/mydata")
HOME = "17 Quillfeather Mews"
IDENTITY_PATHS = (
    *(f"/registrationprocessor/v1/{path}" for path in ("registrationstatus/sync", "registrationstatus/search")),
    *("/registrationprocessor/v1/workflowmanager/workflowaction", "/registrationprocessor/v1/workflowmanager/workflow/search"),
    *("/idrepository/v1/vid", "/credentialrequest/v1/requestgenerator", "/websub/hub", "/idauthentication/v1/auth"),
)
SENTINELS = {HOME, *TEACHER.values(), *OFFICER.values(), CORRECTED, *TYPED.values()}


def disguises(value: str) -> set[bytes]:
    """The value as it would stand in a text, in JSON, in hex, or in base64 at any place of a longer text."""
    raw = value.encode()
    found = {raw, value.lower().encode(), value.upper().encode(), raw.hex().encode(), json.dumps(value).strip('"').encode()}
    for shift in range(3):
        coded = base64.b64encode(b"\0" * shift + raw)
        found.add(coded[4 if shift else 0 : -4])  # the ends depend on what stands beside them
    return found


NEEDLES = {value: disguises(value) for value in SENTINELS}


def found_in(place: bytes | str) -> list[str]:
    """The sentinels that stand in a text."""
    hay = place.encode() if isinstance(place, str) else place
    return sorted(value for value, needles in NEEDLES.items() if any(needle in hay for needle in needles))


def test_the_search_finds_what_is_hidden_in_hex_base64_and_json() -> None:
    value = TEACHER["name"]
    for padding in ("", "a", "ab", "abc"):
        text_of_it = f"{padding}{value} and more"
        assert found_in(base64.b64encode(text_of_it.encode())) == [value]
        assert found_in(text_of_it.encode().hex()) == [value]
        assert found_in(json.dumps({"x": text_of_it})) == [value]
    assert found_in("nothing of the kind") == []


class Lines(logging.Handler):
    """Everything that is logged anywhere in this process, as it would be written."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []
        self.setFormatter(logging.Formatter("%(name)s %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        if record.name != "httpx":  # this test's client says what it asks; the product's own is set to warnings, as in pipeline/logs.py
            self.lines.append(f"{self.format(record)} {vars(record)} {JsonFormatter().format(record)}")


@contextmanager
def listening() -> Iterator[Lines]:
    root, lines = logging.getLogger(), Lines()
    before = root.level
    root.addHandler(lines)
    root.setLevel(logging.INFO)
    try:
        yield lines
    finally:
        root.removeHandler(lines)
        root.setLevel(before)


def person(rt: Runtime, username: str, role: str, values: dict[str, str]) -> None:
    now = rt.clock.now()
    account = NewAccount(
        id=uuid7(now), tenant_id=VILLE, username=username, roles=(role,), person=values, password_hash=hash_password(factories.PASSWORD),
        wards=("W005",) if role == "MC_OFFICER" else (), school_code="DJGHS001", school_name="Govt High School Djibouti",
    )  # fmt: skip
    with rt.database.worker() as conn:
        create_accounts(conn, rt.vault, [account], now)


def bad_bodies() -> Iterator[tuple[str, Any]]:
    """Personal values where they do not belong, in every call that takes a body."""
    values = [TYPED["stranger"], TYPED["number"], TYPED["bad_vpa"]]
    for value in values:
        entry = {"id": value, "tenantId": VILLE, "workflow": {"action": "VERIFY"}}
        place = {"latitude": value, "longitude": 43.1, "address": {"name": value}}
        report = {"tenantId": VILLE, "serviceType": value, "description": "x", "location": place, "evidence": [{"fileStoreId": value}]}
        yield f"{REPORT}/_create", {"DogReports": [report]}
        yield f"{REPORT}/_create", {"DogReports": [{"tenantId": value, "reporterName": value, value: value}]}
        yield f"{REPORT}/_update", {"DogReports": [entry, {**entry, "payoutDetails": {"beneficiaryVpa": value}}]}
        yield f"{REPORT}/_update", {"DogReports": [{**entry, "workflow": {"action": value, "assignee": [value]}}]}
        yield f"{REPORT}/_search", {"searchCriteria": {"tenantId": VILLE, "reporterId": value, "reportNumber": value}}
        yield f"{REPORT}/_search", {"searchCriteria": {"tenantId": value, "sortBy": value}}
        yield f"{REPORT}/_track", {"trackingId": value}
        yield "/user/v1/_search", {"tenantId": VILLE, "userName": value, "uuid": [value]}
        yield "/payout/v1/_search", {"searchCriteria": {"tenantId": VILLE, "reportNumber": value, "status": [value]}}
        yield "/payout/v1/_retry", {"reportIds": [value], "beneficiaryVpa": value}
        yield "/location/v1/_boundary", {"tenantId": value, "latitude": 1, "longitude": 1}
        yield "/sso/v1/token-refresh", {"refresh_token": value}
        yield "/sso/v1/token-exchange", {"code": value, "state": value, "redirect_uri": value}
        yield "/webhook/v1/razorpay", {"event": value}
        applicant = {"applicantId": value, "name": value, "mobileNumber": value}
        asked = {"moduleCode": "SDCRS", "tenantId": VILLE, "referenceId": value, "applicantInfo": applicant}
        yield "/fraud/v1/_evaluateSync", {"request": asked}


@pytest.fixture(scope="module")
def rt(server: Urls, template: str, settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runtime]:
    """A database and files of their own: what is searched here was all made here."""
    with make_database(server, f"sdcrs_test_{getpid()}_{token_hex(3)}", template) as urls:
        own = replace(
            settings, data_dir=tmp_path_factory.mktemp("kept"), database_url=urls.app, database_owner_url=urls.owner, log_json=True
        )
        with closing(Database(urls.app, ROLE_PREFIX, pool_size=8)) as database:
            yield assemble(own, database, SettableClock(TUESDAY_MORNING))


@pytest.fixture(scope="module")
def told(rt: Runtime) -> Iterator[tuple[Town, Lines, list[tuple[str, str, bytes]]]]:
    """The town after everything was sent, what was logged meanwhile, and what strangers, officers and supervisors were answered."""
    said: list[tuple[str, str, bytes]] = []
    with listening() as lines, open_town(rt) as town:
        teacher_name, officer_name = f"T{uuid4().hex[:6]}", f"MCO{uuid4().hex[:6]}"
        person(town.rt, teacher_name, "TEACHER", TEACHER)
        person(town.rt, officer_name, "MC_OFFICER", OFFICER)
        teacher, town.officer = town.sign_in(teacher_name), town.sign_in(officer_name)
        report = town.captured(teacher)
        register_them(town, teacher_name)
        town.drain()
        settle_it(town, report)
        nonsense(town, teacher)
        read_everywhere(town, report, said)
        yield town, lines, said


def register_them(town: Town, employee_id: str) -> None:
    """The teacher's registration goes the whole way; others are refused, found wrong or held with the values in them."""
    at, rt = town.rt.clock.now(), town.rt
    clerk = factories.account(rt, f"D{uuid4().hex[:6]}", "DISTRICT_ADMIN")
    who = replace(applicant(1, at), name=TEACHER["name"], phone=TEACHER["phone"], email=TEACHER["email"], address=HOME)
    stranger = [{"language": "eng", "value": TYPED["stranger"]}]
    uploaded(rt, clerk, make_packet(1, at, person=replace(who, employee_id=employee_id)))
    uploaded(rt, clerk, make_packet(2, at, person=who))  # the same person once more
    uploaded(rt, clerk, make_packet(3, at, person=replace(who, phone=TYPED["number"])))  # perhaps the same
    uploaded(rt, clerk, make_packet(4, at, fields={"phone": TYPED["stranger"], "gender": stranger, TYPED["stranger"]: TYPED["number"]}))
    uploaded(rt, clerk, make_packet(5, at, meta={"registrationId": TYPED["stranger"], "operationsData": [{"label": TYPED["number"]}]}))
    body = {
        "request": {"registrationId": TYPED["number"], "process": TYPED["stranger"], "name": TYPED["stranger"], "phone": TYPED["number"]}
    }
    headers = {"Authorization": f"Bearer {town.admin.token}"}
    for path in IDENTITY_PATHS:
        for sent in (body, {"request": [body["request"]]}, {**body, "id": TYPED["stranger"]}):
            answer = town.http.post(path, json=sent, headers=headers)
            assert answer.status_code < 500, (path, answer.text)


def settle_it(town: Town, report: dict[str, Any]) -> None:
    """The payout fails; the address is corrected, first wrongly, and fails again; it is settled by hand."""
    assert town.admin.read(report)["status"] == "PAYOUT_FAILED"
    for vpa in (TYPED["bad_vpa"], CORRECTED):
        change = {"id": report["id"], "workflow": {"action": "RETRY_PAYOUT"}, "payoutDetails": {"beneficiaryVpa": vpa}}
        answer = town.admin.post(f"{REPORT}/_update", DogReports=[change])
        assert answer.status_code == (200 if vpa == CORRECTED else 400), answer.text
    town.drain()
    assert town.admin.read(report)["status"] == "PAYOUT_FAILED"
    paid = {"manualPaymentReference": "NEFT-2026-0001", "manualPaymentMethod": "BANK_TRANSFER"}
    assert town.admin.update(report, "MANUAL_RESOLVE", payoutDetails=paid)["status"] == "RESOLVED"
    town.drain()


def nonsense(town: Town, teacher: Phone) -> None:
    """Personal values in places where nobody expects them, from somebody who is signed in and from nobody."""
    who = {"name": TYPED["stranger"], "mobileNumber": TYPED["number"], "emailId": TEACHER["email"]}
    for path, body in bad_bodies():
        for phone in (teacher, town.admin):
            town.http.post(path, json={"RequestInfo": {"msgId": uuid4().hex, "authToken": phone.token, "userInfo": who}, **body})
        town.http.post(path, json=body)
        town.http.post(path, content=json.dumps(body)[:-3], headers={"Authorization": f"Bearer {TYPED['number']}"})
    for value in TYPED.values():
        form = {"grant_type": "password", "username": value, "password": value, "tenantId": VILLE}
        assert town.http.post("/user/oauth/token", data=form).status_code in (400, 401, 429)
        for path in (f"/track/{value}", f"/filestore/v1/files/{value}", f"/{value}", f"/sso/v1/auth-url?redirect_uri={value}"):
            town.http.get(path, headers={"X-Correlation-Id": value, "User-Agent": value, "Cookie": f"sdcrs_session={value.split()[0]}"})


def read_everywhere(town: Town, report: dict[str, Any], said: list[tuple[str, str, bytes]]) -> None:
    """What everybody may open, and what officers and supervisors get of the report."""
    number, tracking = report["reportNumber"], report["trackingId"]
    for path in (*OPEN, f"/track/{tracking}"):
        said += [("nobody", path, town.http.get(path).content)]
    said.append(("nobody", "_track", town.http.post(f"{REPORT}/_track", json={"trackingId": tracking}).content))
    for about, phone in (("officer", town.officer), ("supervisor", town.supervisor)):
        said.append((about, "_search", phone.post(f"{REPORT}/_search", searchCriteria={"tenantId": VILLE}).content))
        said.append((about, "history", phone.post(f"/egov-workflow-v2/egov-wf/process/_search?businessIds={number}&history=true").content))
        said.append((about, "payouts", phone.post("/payout/v1/_search", searchCriteria={"tenantId": VILLE}).content))


def test_nothing_personal_is_in_what_the_public_officers_and_supervisors_read(told: Any) -> None:
    _, _, said = told
    assert len(said) > 12
    mine = set(OFFICER.values()) - {OFFICER["vpa"]}  # an officer's name and masked phone are for those who work with them
    for who, where, answer in said:
        allowed = set() if who == "nobody" else mine
        assert set(found_in(answer)) <= allowed, (who, where)


def test_nothing_personal_is_in_the_logs_of_api_worker_and_console(told: Any) -> None:
    town, lines, _ = told
    with listening() as more:
        for role in ("DISTRICT_ADMIN", "STATE_ADMIN", "AUDITOR"):
            open_pages(town, role)
    written = [*lines.lines, *more.lines]
    assert len(written) > 100  # a line for each request
    assert [(line[:200], found) for line in written if (found := found_in(line))] == []


def open_pages(town: Town, role: str) -> None:
    """The console's pages as somebody of this role, with searches for personal values."""
    caller = factories.account(town.rt, f"C{uuid4().hex[:6]}", role, tenant_id=VILLE if role == "DISTRICT_ADMIN" else "dj")
    token = token_for(town.rt, caller)
    for path, query in (
        ("payouts", {}),
        ("fraud", {}),
        ("identity", {}),
        ("identity", {"identity.view": "Stuck"}),
        ("identity", {"identity.view": "To decide"}),
        ("identity", {"identity.view": "Flow"}),
        ("identity", {"registration": TYPED["number"]}),
        ("trace", {"report": TYPED["typed_vpa"]}),
        ("payouts", {"report": TYPED["number"]}),
        ("identity", {"registration": TYPED["number"]}),
    ):
        with tab(town.rt, token, path, **query) as test:
            test.run()
            assert not test.exception
            page = set(found_in(shown(test)))
            # what was typed is repeated to whoever typed it; names are for these roles, phones and addresses are masked
            assert page <= {TEACHER["name"], OFFICER["name"], TYPED["typed_vpa"], TYPED["number"]}, (role, path)


def test_exports_hold_names_for_those_who_may_know_them_and_neither_phone_nor_address(told: Any) -> None:
    town, _, _ = told
    wanted = Wanted(Area("dj", ("dj", VILLE)), Filter(), None)
    searched = Wanted(Area("dj", ("dj", VILLE)), Filter(text=TYPED["typed_vpa"]), None)
    month = town.rt.clock.now().date().replace(day=1)
    with BACKEND.adopted(town.rt):
        for role in ("DISTRICT_ADMIN", "STATE_ADMIN", "AUDITOR"):
            caller = factories.account(town.rt, f"X{uuid4().hex[:6]}", role, tenant_id=VILLE if role == "DISTRICT_ADMIN" else "dj")
            token = token_for(town.rt, caller)
            files = [payout_export.make(token, one, "csv") for one in (wanted, searched)] + [
                payout_cap.make(token, month, ("dj", VILLE), "csv")
            ]
            for file in files:
                assert set(found_in(file)) <= {TEACHER["name"]}, role


def test_whoever_reads_a_search_as_each_role_gets_no_phone_and_no_address(told: Any) -> None:
    """Whole answers of every list, as every role: the owner's own are apart."""
    town, _, _ = told
    for role in ROLES:
        caller = factories.account(town.rt, f"S{uuid4().hex[:6]}", role, tenant_id="dj" if role in ("STATE_ADMIN", "AUDITOR") else VILLE)
        phone = town.sign_in(caller.username)
        lists = [
            phone.post(f"{REPORT}/_search", searchCriteria={"tenantId": VILLE}),
            phone.post("/payout/v1/_search", searchCriteria={"tenantId": VILLE}),
            phone.post("/user/v1/_search", tenantId=VILLE),
        ]
        for answer in lists:
            assert set(found_in(answer.content)) <= {TEACHER["name"], OFFICER["name"]}, (role, answer.request.url.path)


def dump(rt: Runtime) -> Iterator[tuple[str, str]]:
    """Every row of every table, as text, as the backup would write it; not the stand-in's books."""
    tables = text("""
        SELECT n.nspname || '.' || c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND n.nspname NOT LIKE 'pg\\_%'
          AND n.nspname NOT IN ('information_schema', 'sandbox') ORDER BY 1
    """)
    with rt.database.engine.connect() as conn:
        conn.execute(text(f"SET ROLE {rt.database.role_prefix}_backup"))
        try:
            for name in conn.execute(tables).scalars().all():
                yield name, "\n".join(conn.execute(text(f"SELECT CAST(t AS text) FROM {name} t")).scalars())
        finally:
            conn.execute(text("RESET ROLE"))


def test_a_dump_of_the_database_has_nothing_personal_in_clear(told: Any) -> None:
    town, _, _ = told
    rows = dict(dump(town.rt))
    for name in (
        *("access.account", "vault.person_field", "packet.log", "payout.attempt", "payout.webhook_event", "audit.event"),
        *("regprc.registration_transaction", "regprc.demographic", "regprc.manual_verification", "idrepo.identity", "idrepo.identifier"),
        *("credential.credential_transaction", "websub.event", "ida.credential_event_store", "ida.identity_cache"),
    ):
        assert rows[name], f"{name} is empty, so nothing was proved"
    assert {name: found for name, content in rows.items() if (found := found_in(content))} == {}


def test_no_number_of_a_person_stands_in_a_dump_in_the_logs_or_in_an_answer(told: Any) -> None:
    town, lines, said = told
    numbers = Numbers(town.rt)
    with town.rt.database.worker() as conn:
        kept = conn.execute(text("SELECT id, id_sealed FROM idrepo.identifier WHERE kind <> 'HANDLE'")).all()
    clear = [numbers.open(row.id, row.id_sealed) for row in kept]
    assert clear
    everywhere = [content for _, content in dump(town.rt)] + lines.lines + [answer.decode("utf-8", "replace") for _, _, answer in said]
    assert [number for number in clear if any(number in place for place in everywhere)] == []


def test_nothing_personal_is_in_the_files_that_we_keep(told: Any) -> None:
    town, _, _ = told
    kept = [path for path in town.rt.settings.data_dir.rglob("*") if path.is_file()]
    assert kept
    assert [path.name for path in kept if found_in(str(path)) or found_in(path.read_bytes())] == []
