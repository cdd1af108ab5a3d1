"""Every id there is, tried by every role of other tenants, and by colleagues whom it does not concern: 404 or 403, and nothing told."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Connection, text
from starlette.testclient import TestClient

from pipeline.access.caller import Caller
from pipeline.access.reveal import reveal
from pipeline.database.engine import Database
from pipeline.errors import AppError
from pipeline.filestore.upload import check_may_read, load_file
from pipeline.fraud.editing import drafts
from pipeline.fraud.editing.activation import activate
from pipeline.fraud.flags.commands import Deed, work
from pipeline.fraud.penalties import commands as penalties
from pipeline.payouts import commands as payouts
from pipeline.payouts.remedies import acknowledge
from pipeline.reports.actions import act
from pipeline.reports.claims import claim, release
from pipeline.reports.pairs import not_a_duplicate
from pipeline.reports.update import Update
from pipeline.runtime import Runtime
from tests.api import REPORT
from tests.authorization import matrix
from tests.authorization.calls import PROCESS, as_, claimed
from tests.authorization.world import NOIDA, VILLE, World
from tests.conftest import ROLE_PREFIX

FILES = "/filestore/v1/files"
NOT_ALONE = {"reporterId", "assignedOfficerId"}  # a search for them names its tenant
VARIANTS = ("photo", "thumbnail", "original")


def opened(world: World, http: TestClient, caller: Caller, kind: str, variant: str = "photo") -> int:
    answer = http.get(f"{FILES}/{world.files[kind]}", params={"variant": variant}, headers=as_(world, http, caller).headers)
    if answer.status_code != 200:
        assert answer.headers["content-type"] == "application/json"
        assert "Errors" in answer.json()
    return answer.status_code


@pytest.mark.parametrize("kind", matrix.FILES)
def test_a_photo_is_opened_by_the_roles_of_the_matrix_and_as_it_was_sent_by_fewer(world: World, http: TestClient, kind: str) -> None:
    entry = matrix.FILES[kind]
    for role in matrix.ROLES:
        for variant in VARIANTS:
            allowed = [*entry["original"], entry["owner"]] if variant == "original" else [*entry["photo"], *entry["mine"]]
            got = opened(world, http, world.ours[role], kind, variant)
            assert got == 200 if role in allowed else got in (403, 404), (role, variant, got)


@pytest.mark.parametrize("kind", matrix.FILES)
def test_a_photo_is_not_opened_by_a_colleague_who_has_nothing_to_do_with_it_nor_by_anybody_elsewhere(
    world: World, http: TestClient, kind: str
) -> None:
    assert opened(world, http, world.colleagues["TEACHER"], kind) == 404
    for about, outsider in world.outsiders:
        for variant in VARIANTS:
            assert opened(world, http, outsider, kind, variant) == 404, about
    assert http.get(f"{FILES}/{world.files[kind]}").status_code == 401
    assert http.get(f"{FILES}/{world.files[kind]}?variant=original&expires=9999999999&signature=forged").status_code == 403


def test_a_search_for_any_report_by_any_name_finds_nothing_elsewhere(world: World, http: TestClient) -> None:
    named: list[dict[str, Any]] = [
        {"ids": [str(one) for one in world.reports.values()]},
        *({"reportId": str(one)} for one in world.reports.values()),
        {"reportNumber": world.numbers["CLOSED"]},
        {"trackingId": world.tracking["CLOSED"]},
        {"reporterId": str(world.ours["TEACHER"].account_id)},
        {"assignedOfficerId": str(world.ours["MC_OFFICER"].account_id)},
    ]
    strangers = [*world.outsiders, ("a colleague", world.colleagues["TEACHER"]), ("a colleague", world.colleagues["MC_OFFICER"])]
    for about, outsider in strangers:
        client = as_(world, http, outsider)
        for criteria in named:
            wanted = criteria if not criteria.keys() & NOT_ALONE else {"tenantId": outsider.tenant_id, **criteria}
            for call in ("_search", "_count"):
                answer = client.post(f"{REPORT}/{call}", {"RequestInfo": claimed(), "searchCriteria": wanted})
                if answer.status_code != 403:
                    assert (answer.status_code, answer.json()["TotalCount"], answer.json().get("DogReports", [])) == (200, 0, []), about
    own = as_(world, http, world.ours["VERIFIER"]).post(f"{REPORT}/_search", {"searchCriteria": named[0]})
    assert own.json()["TotalCount"] == len(world.reports)


def test_a_history_by_number_is_empty_elsewhere_and_for_a_colleague(world: World, http: TestClient) -> None:
    numbers = ",".join(world.numbers.values())
    for about, outsider in [*world.outsiders, ("a colleague", world.colleagues["TEACHER"]), ("another", world.colleagues["MC_OFFICER"])]:
        answer = as_(world, http, outsider).post(f"{PROCESS}/_search?businessIds={numbers}&history=true&limit=100", {})
        assert (answer.status_code, answer.json()["totalCount"], answer.json()["ProcessInstances"]) == (200, 0, []), about


def test_officers_are_not_found_elsewhere_by_id_and_a_report_names_no_ward(world: World, http: TestClient) -> None:
    officer = str(world.ours["MC_OFFICER"].account_id)
    for about, outsider in world.outsiders:
        tenant = NOIDA if outsider.tenant_id.startswith("ncr") else outsider.tenant_id
        answer = as_(world, http, outsider).post("/user/v1/_search", {"tenantId": tenant, "uuid": [officer]})
        if answer.status_code != 403:
            assert (answer.status_code, answer.json()["user"]) == (200, []), about
            asked = {"tenantId": tenant, "reportId": str(world.reports["ASSIGNED"])}
            assert as_(world, http, outsider).post("/user/v1/_search", asked).status_code == 404, about


def test_an_evaluation_elsewhere_knows_nothing_of_our_teachers_and_photos(world: World, http: TestClient) -> None:
    """What the rules say of somebody whom the asking admin may not know is what they say of nobody."""
    said = []
    for applicant in (str(world.ours["TEACHER"].account_id), "00000000-0000-7000-8000-00000000000f"):
        asked = {
            "moduleCode": "SDCRS",
            "tenantId": NOIDA,
            "referenceId": "11111111-0000-7000-8000-000000000001",
            "applicantInfo": {"applicantId": applicant},
            "locationData": {"latitude": 28.57, "longitude": 77.32},
            "evidences": [{"fileStoreId": str(world.files["DOG_PHOTO"]), "purpose": "DOG_PHOTO"}],
        }
        answer = as_(world, http, world.strangers["STATE_ADMIN"]).post("/fraud/v1/_evaluateSync", {"request": asked})
        assert answer.status_code == 200, answer.text
        said.append(answer.json()["response"]["ruleResults"])
    assert said[0] == said[1]


# The same without the application's own filters: commands by somebody who says that the whole world is theirs, in a transaction
# that sees another tenant. Row-level security alone stands in the way.

Command = Callable[[Connection, World, Caller], Any]


def _update(action: str, **fields: Any) -> Command:
    def command(conn: Connection, world: World, caller: Caller) -> Any:
        for state, report_id in world.reports.items():
            (outcome,) = act(
                conn, world.rt.masterdata.current(), caller, [Update(report_id, action, "x", fields=fields)], world.clock.now()
            )
            assert outcome.error is not None, state
            refused = outcome.error
        raise refused

    return command


def _proof() -> payouts.Proof:
    return payouts.Proof("REF-9", "CASH")


def _retry(conn: Connection, world: World, caller: Caller) -> None:
    md, now = world.rt.masterdata.current(), world.clock.now()
    (result,) = payouts.retry(conn, md, world.rt.vault, caller, [world.reports["PAYOUT_FAILED"]], now, "x@okaxis")
    assert result.error is not None
    raise result.error


def _flag(action: str) -> Command:
    def command(conn: Connection, world: World, caller: Caller) -> None:
        deed = Deed(action, comment="because", resolution="TRUE_POSITIVE" if action in ("RESOLVE", "CORRECT") else None)  # type: ignore[arg-type]
        (done,) = work(conn, caller, [world.things["flag"]], deed, world.clock.now())
        assert done.error is not None
        raise done.error

    return command


def _acknowledge(conn: Connection, world: World, caller: Caller) -> None:
    (done,) = acknowledge(conn, caller, [world.things["item"]], "because", world.clock.now())
    assert done.outcome == "UNCHANGED"
    raise AppError("SDCRS_NOT_FOUND", kind="Exception", id=str(done.item_id))


def _photo(kind: str) -> Command:
    def command(conn: Connection, world: World, caller: Caller) -> None:
        check_may_read(conn, caller, load_file(conn, world.files[kind]))

    return command


COMMANDS: dict[str, tuple[str, Command]] = {
    **{f"open {kind}": ("STATE_ADMIN", _photo(kind)) for kind in matrix.FILES},
    "verify": ("VERIFIER", _update("VERIFY")),
    "reject": ("VERIFIER", _update("REJECT", rejection_reason="NOT_A_DOG")),
    "send back": ("VERIFIER", _update("SEND_BACK")),
    "comment": ("TEACHER", _update("COMMENT")),
    "rate": ("TEACHER", _update("RATE", rating=5)),
    "reopen": ("STATE_ADMIN", _update("REOPEN")),
    "reassign": ("MC_SUPERVISOR", _update("REASSIGN")),
    "start": ("MC_OFFICER", _update("START_FIELD_VISIT")),
    "claim": ("VERIFIER", lambda conn, w, c: claim(conn, c, w.reports["PENDING_VERIFICATION"], w.clock.now())),
    "take over": ("VERIFIER", lambda conn, w, c: claim(conn, c, w.reports["PENDING_VERIFICATION"], w.clock.now(), take_over=True)),
    "pair": ("VERIFIER", lambda conn, w, c: not_a_duplicate(conn, c, w.things["pair"], w.clock.now())),
    "retry": ("STATE_ADMIN", _retry),
    "settle": (
        "STATE_ADMIN",
        lambda conn, w, c: payouts.manual_resolve(conn, w.rt.masterdata.current(), c, w.reports["PAYOUT_FAILED"], _proof(), w.clock.now()),
    ),
    "approve": (
        "STATE_ADMIN",
        lambda conn, w, c: payouts.approve_manual(conn, w.rt.masterdata.current(), c, w.reports["PAYOUT_FAILED"], w.clock.now()),
    ),
    "refuse": ("STATE_ADMIN", lambda conn, w, c: payouts.reject_manual(conn, c, w.reports["PAYOUT_FAILED"], "because", w.clock.now())),
    "set aside": ("STATE_ADMIN", _acknowledge),
    **{f"flag {action}": ("STATE_ADMIN", _flag(action)) for action in ("TAKE", "ESCALATE", "RESOLVE", "CORRECT")},
    "confirm fraud": ("STATE_ADMIN", lambda conn, w, c: penalties.confirm_fraud(conn, c, w.reports["VERIFIED"], "because", w.clock.now())),
    "approve fraud": (
        "STATE_ADMIN",
        lambda conn, w, c: penalties.approve_fraud(conn, w.rt.masterdata.current(), c, w.things["confirmation"], w.clock.now()),
    ),
    "refuse fraud": ("STATE_ADMIN", lambda conn, w, c: penalties.refuse_fraud(conn, c, w.things["confirmation"], "because", w.clock.now())),
    "lift": (
        "STATE_ADMIN",
        lambda conn, w, c: penalties.lift(conn, w.rt.masterdata.current(), c, w.things["penalty"], "because", w.clock.now()),
    ),
    "approve lift": (
        "STATE_ADMIN",
        lambda conn, w, c: penalties.approve_lift(conn, w.rt.masterdata.current(), c, w.things["penalty"], w.clock.now()),
    ),
    "refuse lift": ("STATE_ADMIN", lambda conn, w, c: penalties.refuse_lift(conn, c, w.things["penalty"], "because", w.clock.now())),
    "decide appeal": (
        "STATE_ADMIN",
        lambda conn, w, c: penalties.decide_appeal(conn, w.rt.masterdata.current(), c, w.things["penalty"], True, "because", w.clock.now()),
    ),
    "appeal": ("TEACHER", lambda conn, w, c: penalties.appeal(conn, c, w.things["penalty"], "because", w.clock.now())),
    "submit draft": (
        "STATE_ADMIN",
        lambda conn, w, c: drafts.submit(conn, w.rt.masterdata.current(), c, w.things["draft"], 1, w.clock.now()),
    ),
    "withdraw draft": ("STATE_ADMIN", lambda conn, w, c: drafts.withdraw(conn, c, w.things["draft"], 1, w.clock.now())),
    "reject draft": ("STATE_ADMIN", lambda conn, w, c: drafts.reject(conn, c, w.things["draft"], 1, "because", w.clock.now())),
    "reveal": (
        "STATE_ADMIN",
        lambda conn, w, c: reveal(conn, w.rt.vault, c, w.ours["TEACHER"].account_id, "phone", "To call the teacher", w.clock.now()),
    ),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_finds_nothing_of_ours_by_row_level_security_alone(world: World, name: str) -> None:
    role, command = COMMANDS[name]
    insider = world.ours[role]  # the right role, account and scope: only the transaction is another tenant's
    everywhere = replace(insider, scope=(*world.rt.masterdata.current().leaves(), "dj", "ncr"))
    for scope in ((NOIDA,), ("dj.ali-sabieh",), ()):
        with pytest.raises(AppError) as refused, world.rt.database.begin(scope) as conn:
            command(conn, world, everywhere)
        assert refused.value.status in (403, 404), (scope, refused.value)


def test_releasing_a_claim_elsewhere_releases_nothing(world: World) -> None:
    verifier, report = world.ours["VERIFIER"], world.reports["PENDING_VERIFICATION"]
    with world.rt.database.begin(verifier.scope) as conn:
        claim(conn, verifier, report, world.clock.now())
    with world.rt.database.begin((NOIDA,)) as conn:
        release(conn, verifier, report)
    with world.rt.database.begin(verifier.scope) as conn:
        assert conn.execute(text("SELECT claimed_by FROM sdcrs.report WHERE id = :id"), {"id": report}).scalar_one() == verifier.account_id
        release(conn, verifier, report)


def test_a_draft_of_another_state_is_not_activated_though_publishing_sees_every_state(world: World) -> None:
    with pytest.raises(AppError, match="SDCRS_NOT_FOUND"), world.rt.database.worker() as conn:
        activate(conn, world.strangers["STATE_ADMIN"], world.things["draft"], 1, world.clock.now())


# One connection for everybody


@contextmanager
def one_connection(rt: Runtime) -> Iterator[Runtime]:
    with closing(Database(rt.database.url, ROLE_PREFIX, pool_size=1)) as database:
        yield replace(rt, database=database)


SEEN = text("SELECT count(*) FROM sdcrs.report WHERE tenant_id = :tenant")


def seen(conn: Connection) -> int:
    return int(conn.execute(SEEN, {"tenant": VILLE}).scalar_one())


def test_a_connection_that_served_one_tenant_shows_the_next_nothing_of_it(world: World) -> None:
    with one_connection(world.rt) as rt:
        with rt.database.begin(("dj", VILLE)) as conn:
            pid, ours = conn.execute(text("SELECT pg_backend_pid()")).scalar_one(), seen(conn)
        assert ours >= len(world.reports)
        for scope in ((NOIDA,), (), ("",), ("dj.ali-sabieh",), ("dj",)):
            with rt.database.begin(scope) as conn:
                assert (conn.execute(text("SELECT pg_backend_pid()")).scalar_one(), seen(conn)) == (pid, 0), scope
            with rt.database.worker() as conn:
                assert seen(conn) == ours
            with suppress(ZeroDivisionError), rt.database.begin(("dj", VILLE)) as conn:
                assert seen(conn) == ours
                raise ZeroDivisionError  # and rolled back
            with rt.database.begin(scope) as conn:
                assert seen(conn) == 0, scope
            with pytest.raises(Exception, match="division by zero"), rt.database.begin(("dj", VILLE)) as conn:  # broken off by the server
                conn.execute(text("SELECT 1/0"))
            with rt.database.begin(scope) as conn:
                assert seen(conn) == 0, scope
            rt.database.worker_row(text("SELECT 1 AS one"), {})
            with rt.database.public("NOTTHERE") as conn:
                assert conn.execute(text("SELECT count(*) FROM sdcrs.public_tracking")).scalar_one() == 0


def test_outside_a_transaction_a_connection_is_nobody_and_sees_nothing(world: World) -> None:
    with one_connection(world.rt) as rt:
        with rt.database.begin(("dj", VILLE)) as conn:
            assert seen(conn)
        with rt.database.engine.connect() as bare:
            assert bare.execute(text("SELECT current_setting('app.scope', true)")).scalar_one() in ("", None)
            with pytest.raises(Exception, match="permission denied"):
                bare.execute(SEEN, {"tenant": VILLE})


def test_a_savepoint_that_is_rolled_back_leaves_the_scope_as_it_was(world: World) -> None:
    with one_connection(world.rt) as rt, rt.database.begin((NOIDA,)) as conn:
        with pytest.raises(Exception, match="division by zero"), conn.begin_nested():
            conn.execute(text("SELECT 1/0"))
        assert seen(conn) == 0
        assert conn.execute(text("SELECT current_user")).scalar_one() == f"{ROLE_PREFIX}_app"
