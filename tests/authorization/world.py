"""A state with people of every role and one thing of each kind, and their like elsewhere: the neighbours and the strangers.

Everything is made by the product's own commands. `ours` is dj.djibouti-ville (its state admins and the auditor: the whole of dj).
`neighbours` have the same roles in dj.ali-sabieh, `strangers` in another state.
"""

from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import text

from pipeline.access.caller import Caller
from pipeline.clock import SettableClock
from pipeline.demo.photos import photo
from pipeline.demo.registrations import MadePacket, applicant, make_packet
from pipeline.filestore.upload import upload
from pipeline.fraud.editing import drafts
from pipeline.fraud.editing.checking import active_rules
from pipeline.fraud.flags.commands import Deed, work
from pipeline.fraud.flags.raising import Fired, raise_flags
from pipeline.fraud.penalties import commands as penalties
from pipeline.identity.jobs import identity_jobs, identity_tasks
from pipeline.identity.stages.runner import StagesJob
from pipeline.ids import uuid7
from pipeline.jobs.failures import record_failure
from pipeline.jobs.worker import run_until_idle
from pipeline.notifications.follower import notifications_follower
from pipeline.payouts import commands as payouts
from pipeline.payouts.opening import open_job
from pipeline.payouts.payee import verify_payees
from pipeline.payouts.reconcile import reconcile_file
from pipeline.payouts.settle import Refusal, settle
from pipeline.reports.intake import Intake, Place
from pipeline.runtime import Runtime
from pipeline.validation.job import validation_job
from tests import factories, registration_rows
from tests.factories import SCHOOL_GATE, VILLE, do
from tests.registrations import uploaded

ALI_SABIEH, NOIDA = "dj.ali-sabieh", "ncr.noida"
SENIOR_QUEUE = "PENDING_VERIFICATION in the senior queue"  # a state of its own as to who may act
ROLES = ("TEACHER", "VERIFIER", "SENIOR_VERIFIER", "MC_OFFICER", "MC_SUPERVISOR", "DISTRICT_ADMIN", "STATE_ADMIN", "AUDITOR")
WHOLE_STATE = ("STATE_ADMIN", "AUDITOR")
MADE = (  # in the order of a report's life, so that each later one has done what the earlier ones have
    *("PENDING_VERIFICATION", SENIOR_QUEUE, "REJECTED", "DUPLICATE", "VERIFIED", "ASSIGNED", "IN_PROGRESS", "UNABLE_TO_LOCATE", "CAPTURED"),
    *("PAYOUT_PENDING", "PAYOUT_FAILED", "RESOLVED", "CLOSED"),
)
_PAIR = text("""
    INSERT INTO fraud.pair (id, tenant_id, earlier_id, later_id, kind, similarity, metres, minutes, found_at)
    VALUES (:id, :tenant_id, :one, :other, 'CLUSTER', 0.5, 10, 10, :now)
""")
HALF_A_DAY = timedelta(hours=12)  # between two reports: no rule takes the teacher for a machine
# A statement with a payment that nobody here knows
STATEMENT = b"""Transaction ID,Created at,Account number,Credit,Debit,Balance,Source entity,Source ID,Payout ID,UTR,Fees
txn_00000000000001,%(day)sT08:00:00+00:00,7878780080316316,,500.00,99500.00,payout,pout_00000000000001,pout_00000000000001,606000000001,0
"""


@dataclass
class World:
    """Ids by kind, and people by role. `reports`: by state, all sent by `ours["TEACHER"]` and given to `ours["MC_OFFICER"]`."""

    rt: Runtime
    ours: dict[str, Caller]
    neighbours: dict[str, Caller]
    strangers: dict[str, Caller]
    colleagues: dict[str, Caller]  # same role, same tenant, another person
    reports: dict[str, UUID] = field(default_factory=dict)
    numbers: dict[str, str] = field(default_factory=dict)
    tracking: dict[str, str] = field(default_factory=dict)
    files: dict[str, UUID] = field(default_factory=dict)
    things: dict[str, Any] = field(default_factory=dict)
    packet: MadePacket = field(init=False)  # of a registration that is processed
    handle: str = field(init=False)  # of the person in it

    @property
    def clock(self) -> SettableClock:
        assert isinstance(self.rt.clock, SettableClock)
        return self.rt.clock

    @property
    def outsiders(self) -> list[tuple[str, Caller]]:
        """Everybody whose area does not hold ours; the neighbours' state admin and auditor are ours."""
        near = [(f"{role} next door", one) for role, one in self.neighbours.items()]
        return near + [(f"{role} of another state", one) for role, one in self.strangers.items()]


def people_of(rt: Runtime, tenant_id: str, roles: tuple[str, ...]) -> dict[str, Caller]:
    state = tenant_id.split(".", maxsplit=1)[0]
    return {
        role: factories.account(
            rt,
            f"{role[:2]}{role[-3:]}{uuid4().hex[:6]}",
            role,
            tenant_id=state if role in WHOLE_STATE else tenant_id,
            wards=("W005",) if role == "MC_OFFICER" else (),
        )
        for role in roles
    }


def open_world(rt: Runtime) -> World:
    """Everything, in half a dozen seconds; most of them are photos."""
    here = tuple(role for role in ROLES if role not in WHOLE_STATE)
    world = World(
        rt,
        ours=people_of(rt, VILLE, ROLES),
        neighbours=people_of(rt, ALI_SABIEH, here),
        strangers=people_of(rt, NOIDA, ROLES),
        colleagues=people_of(rt, VILLE, ROLES),
    )
    _reports(world)
    _payouts(world)
    _fraud(world)
    _registrations(world)
    _processed(world)
    run_until_idle([notifications_follower(rt)], rt.clock)
    _remember(world)
    return world


def _sent(world: World, number: int, **changes: Any) -> UUID:
    rt, teacher = world.rt, world.ours["TEACHER"]
    world.clock.advance(HALF_A_DAY)
    at = (SCHOOL_GATE[0] + 0.0007 * (number % 4 - 2), SCHOOL_GATE[1] + 0.0007 * (number % 3 - 1))
    one = replace(factories.submission(rt, teacher, at=at), device_id="phone-of-a-teacher", **changes)
    ids, _ = Intake(rt).create(teacher, VILLE, lambda: [one], None, rt.clock.now())
    return ids[0]


def _acted(world: World, role: str, state: str, action: str, **fields: Any) -> None:
    outcome = do(world.rt, world.ours[role], world.reports[state], action, "Said so", **fields)
    assert outcome.ok, (state, action, outcome.error)


def _reports(world: World) -> None:
    rt = world.rt
    for number, state in enumerate(MADE):
        world.reports[state] = _sent(world, number)
    far = Place(48.85, 2.35, address="Far away", gps_latitude=48.85, gps_longitude=2.35, gps_accuracy_m=5.0)
    world.reports["AUTO_REJECTED"] = _sent(world, len(MADE), place=far)
    run_until_idle([validation_job(rt)], rt.clock)
    world.reports["PENDING_VALIDATION"] = _sent(world, len(MADE) + 1)
    with rt.database.worker() as conn:
        found = {row.id: row for row in conn.execute(text("SELECT id, report_number, tracking_id FROM sdcrs.report"))}
    world.numbers = {state: found[report_id].report_number for state, report_id in world.reports.items()}
    world.tracking = {state: found[report_id].tracking_id for state, report_id in world.reports.items()}
    _acted(world, "VERIFIER", SENIOR_QUEUE, "ESCALATE")
    _acted(world, "VERIFIER", "REJECTED", "REJECT", rejection_reason="NOT_A_DOG")
    _acted(world, "VERIFIER", "DUPLICATE", "MARK_DUPLICATE", duplicate_of=world.numbers["VERIFIED"])
    for state in MADE[MADE.index("VERIFIED") :]:
        _acted(world, "VERIFIER", state, "VERIFY")
    for state in MADE[MADE.index("ASSIGNED") :]:
        _acted(world, "MC_SUPERVISOR", state, "ASSIGN", assignee=world.ours["MC_OFFICER"].account_id)
    for state in MADE[MADE.index("IN_PROGRESS") :]:
        _acted(world, "MC_OFFICER", state, "START_FIELD_VISIT")
    _acted(world, "MC_OFFICER", "UNABLE_TO_LOCATE", "MARK_UNABLE_TO_LOCATE", unable_reason="DOG_MOVED")


def _uploaded(world: World, role: str, tag: str) -> UUID:
    now = world.rt.clock.now()
    (stored,) = upload(
        world.rt, world.ours[role], VILLE, "SDCRS", tag, [(f"{tag}.jpg", photo(uuid4().int % 10**9, "dog", *SCHOOL_GATE, now))]
    )
    return stored.id


def _payouts(world: World) -> None:
    rt, admin = world.rt, world.ours["STATE_ADMIN"]
    md = rt.masterdata.current()
    for state in MADE[MADE.index("PAYOUT_PENDING") :]:
        _acted(world, "MC_OFFICER", state, "MARK_CAPTURED", capture_file_id=_uploaded(world, "MC_OFFICER", "capture-evidence"))
    run_until_idle([open_job(rt)], rt.clock)
    with rt.database.worker() as conn:
        rows = conn.execute(
            text("SELECT p.report_id, p.id, a.id AS attempt, a.sends FROM payout.overview p JOIN payout.attempt a ON a.payout_id = p.id")
        )
        found = {row.report_id: row for row in rows}
        failed = [found[world.reports[state]] for state in ("PAYOUT_FAILED", "RESOLVED", "CLOSED")]
        settle(
            conn,
            md,
            [Refusal(row.attempt, row.sends, "beneficiary_vpa_invalid", "No such address", rt.clock.now()) for row in failed],
            rt.clock.now(),
        )
    world.things["payout"] = found[world.reports["PAYOUT_FAILED"]].id
    world.files["receipt"] = _uploaded(world, "STATE_ADMIN", "receipt")
    for state in ("RESOLVED", "CLOSED"):
        with rt.database.begin(admin.scope) as conn:
            proof = payouts.Proof(f"REF-{state}", "CASH", file_id=world.files["receipt"])
            payouts.manual_resolve(conn, md, admin, world.reports[state], proof, rt.clock.now())
    _acted(world, "TEACHER", "CLOSED", "RATE", rating=5)
    _acted(world, "MC_OFFICER", "CAPTURED", "MARK_CAPTURED", capture_file_id=_uploaded(world, "MC_OFFICER", "capture-evidence"))
    day = rt.clock.now().date().isoformat().encode()
    run = reconcile_file(rt, admin, "statement.csv", STATEMENT % {b"day": day}, rt.clock.now())
    world.things["run"] = run.id
    with rt.database.worker() as conn:
        world.things["item"] = (
            conn.execute(text("SELECT id FROM payout.reconciliation_item WHERE run_id = :id"), {"id": run.id}).scalars().first()
        )


def _fraud(world: World) -> None:
    """A flag, a confirmed fraud with its penalty, a confirmation that waits, a draft of a rule, and a job that failed."""
    rt, now, admin = world.rt, world.rt.clock.now(), world.ours["STATE_ADMIN"]
    md = rt.masterdata.current()
    rule = next(one for one in md.fraud_rules(VILLE) if one.action.type == "FLAG" and not one.action.escalate)
    flagged = world.reports["PENDING_VERIFICATION"]
    punished = factories.account(rt, f"T-punished-{uuid4().hex[:6]}", "TEACHER")
    world.things["punished"] = punished.account_id
    confirmed = factories.submitted(rt, punished)
    with rt.database.worker() as conn:
        raise_flags(conn, md, [Fired(flagged, VILLE, world.ours["TEACHER"].account_id, rule, Decimal(20), "It fired", now)])
        record_failure(conn, "matrix.job", flagged, "it does not work", now)
        world.things["flag"] = conn.execute(text("SELECT id FROM fraud.flag WHERE report_id = :id"), {"id": flagged}).scalars().first()
    with rt.database.begin(admin.scope) as conn:
        world.things["confirmation"] = penalties.confirm_fraud(conn, admin, world.reports["REJECTED"], "It is staged", now).confirmation_id
        banned = penalties.confirm_fraud(conn, admin, confirmed, "It is staged", now).confirmation_id
    with rt.database.begin(admin.scope) as conn:
        penalties.approve_fraud(conn, md, world.colleagues["STATE_ADMIN"], banned, now)
    content = active_rules(md, "dj")["STD-003"]
    changed = content | {"condition": content["condition"] | {"threshold": content["condition"]["threshold"] + 1}}
    with rt.database.begin(admin.scope) as conn:
        world.things["draft"] = drafts.save(conn, md, admin, "dj", uuid7(now), changed, "Too many alarms", now).id
        world.things["penalty"] = conn.execute(text("SELECT id FROM fraud.penalty WHERE report_id = :id"), {"id": confirmed}).scalar_one()
        penalties.appeal(conn, punished, world.things["penalty"], "It was a real dog", now)
        penalties.lift(conn, md, admin, world.things["penalty"], "It was a real dog", now)  # a second admin has not approved it yet
        work(conn, world.ours["VERIFIER"], [world.things["flag"]], Deed("TAKE"), now)
    with rt.database.worker() as conn:  # two reports that a person should compare
        one, other = sorted((world.reports["VERIFIED"], confirmed))
        world.things["pair"] = uuid7(now)
        conn.execute(_PAIR, {"id": world.things["pair"], "tenant_id": VILLE, "one": one, "other": other, "now": now})


def _registrations(world: World) -> None:
    """One that every partner has stored, one that waits for a person to compare it with that, one that was only announced."""
    rt, admin = world.rt, world.ours["DISTRICT_ADMIN"]
    for task in identity_tasks(rt):  # the subscriptions at the hub
        task.task(world.clock.now())
    told = world.things["registration"] = uploaded(rt, admin, 1)
    for _ in range(4):
        run_until_idle(identity_jobs(rt), rt.clock)
        world.clock.advance(timedelta(seconds=2))
    verify_payees(rt, world.clock.now())
    paused = registration_rows.registration(rt, admin, "STAGES", status_code="PAUSED", pause_rule="DEMO_DEDUPE")
    world.things["registration_pair"] = registration_rows.pair(rt, paused.id, told.id)
    registration_rows.registration(rt, admin, "ANNOUNCED")
    world.things["paused_registration"] = paused.id
    with rt.database.worker() as conn:
        stored = text("SELECT id FROM credential.credential_transaction WHERE registration_id = :id AND status_code = 'STORED' LIMIT 1")
        world.things["credential"] = conn.execute(stored, {"id": told.id}).scalar_one()
        message = text("SELECT id FROM packet.log WHERE subject_id = :id LIMIT 1")
        number = text(
            "SELECT n.id_hash FROM idrepo.identifier n JOIN idrepo.identity i ON i.id = n.identity_id WHERE i.registration_id = :id"
        )
        world.things["number_hash"] = conn.execute(number, {"id": told.id}).scalars().first()
        world.things["registration_packet"] = conn.execute(message, {"id": told.id}).scalar_one()
        registration_rows.transaction(conn, paused, "VALIDATOR", "ERROR", world.clock.now(), "SDCRS_INTERNAL")


def _processed(world: World) -> None:
    """Somebody of ours, registered and processed."""
    at = world.clock.now()
    world.handle = f"W{uuid4().hex[:6]}"
    world.packet = make_packet(uuid4().int % 10**5, at, person=replace(applicant(uuid4().int % 10**9, at), employee_id=world.handle))
    uploaded(world.rt, world.ours["DISTRICT_ADMIN"], world.packet)
    run_until_idle([StagesJob(world.rt)], world.clock)


def _remember(world: World) -> None:
    """The photos of one report by kind, and ids of what the jobs have made."""
    with world.rt.database.worker() as conn:
        photos = text("SELECT evidence_type, file_id FROM sdcrs.evidence WHERE report_id = :id")
        world.files |= {row.evidence_type: row.file_id for row in conn.execute(photos, {"id": world.reports["CAPTURED"]})}
        waiting = {"id": world.reports["PENDING_VERIFICATION"]}
        one_packet = "SELECT id FROM packet.log WHERE subject_id = :id ORDER BY id LIMIT 1"
        world.things["packet"] = conn.execute(text(one_packet), waiting).scalar_one()
        one_message = "SELECT id FROM sdcrs.notification WHERE report_id = :id ORDER BY id LIMIT 1"
        world.things["notification"] = conn.execute(text(one_message), waiting).scalar_one()
        account = conn.execute(text("SELECT provider, vpa_lookup FROM payout.fund_account LIMIT 1")).one_or_none()
        world.things |= {"provider": account and account.provider, "lookup": account and account.vpa_lookup}
        references = text("SELECT reference_id FROM payout.attempt WHERE payout_id = :id")
        world.things["references"] = list(conn.execute(references, {"id": world.things["payout"]}).scalars())
