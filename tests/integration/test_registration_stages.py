"""A registration on its way through the stages: what each decides, what people do with it, and that nothing gets stuck in silence."""

import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from pipeline.access.caller import Caller
from pipeline.clock import SettableClock
from pipeline.demo.registrations import SOURCE, Applicant, applicant, component, make_packet, sidecar
from pipeline.errors import AppError
from pipeline.identity.idrepo.store import ask_for, biometrics, demographics_of
from pipeline.identity.numbers import Numbers, flaw
from pipeline.identity.packet.archive import Archive
from pipeline.identity.stages import actions, manual, runner
from pipeline.identity.stages import rows as table
from pipeline.identity.stages.actions import pauses_job
from pipeline.identity.stages.base import SUB_STATUSES, Context, Registration, Verdict
from pipeline.identity.stages.runner import LEASE, StagesJob
from pipeline.jobs.worker import run_until_idle
from pipeline.runtime import Runtime
from tests.factories import account
from tests.registrations import announced, packets_of, registration, renamed, repaired, rows, sample, uploaded

SEEDS = iter(range(20_000, 30_000))


@pytest.fixture(scope="module")
def admin(rt: Runtime) -> Caller:
    return account(rt, f"DA{uuid4().hex[:6]}", "DISTRICT_ADMIN")


def run(rt: Runtime) -> None:
    run_until_idle([pauses_job(rt), StagesJob(rt)], rt.clock)


def processed(rt: Runtime, admin: Caller, **made: Any) -> Any:
    """The row of a new registration after all that is due was done."""
    received = uploaded(rt, admin, make_packet(next(SEEDS), rt.clock.now(), **made))
    run(rt)
    return registration(rt, received.id)


def notes(rt: Runtime, registration_id: UUID) -> list[tuple[str, str, str]]:
    found = rows(rt, "SELECT * FROM regprc.registration_transaction WHERE registration_id = :id ORDER BY id", id=registration_id)
    return [(row.trn_type_code, row.status_code, row.sub_status_code) for row in found]


def last_note(rt: Runtime, registration_id: UUID) -> Any:
    return rows(
        rt, "SELECT * FROM regprc.registration_transaction WHERE registration_id = :id ORDER BY id DESC LIMIT 1", id=registration_id
    )[0]


def test_a_good_registration_goes_through_every_stage_and_asks_for_its_credential(rt: Runtime, admin: Caller) -> None:
    row = processed(rt, admin)
    assert (row.status_code, row.stage, row.sub_status_code) == ("PROCESSED", "FINALIZATION", "IDENTITY_STORED")
    assert row.processed_at is not None
    assert notes(rt, row.id) == [
        ("PACKET_RECEIVER", "SUCCESS", "PACKET_RECEIVED"),
        ("SECUREZONE_NOTIFICATION", "SUCCESS", "PACKET_VERIFIED"),
        ("VALIDATOR", "SUCCESS", "FIELDS_VALID"),
        ("QUALITY_CLASSIFIER", "SUCCESS", "QUALITY_CLASSIFIED"),
        ("DEMO_DEDUPE", "SUCCESS", "NO_DUPLICATE"),
        ("MANUAL_ADJUDICATION", "SUCCESS", "ADJUDICATION_NOT_NEEDED"),
        ("UIN_GENERATION", "SUCCESS", "UIN_GENERATED"),
        ("FINALIZATION", "PROCESSED", "IDENTITY_STORED"),
    ]
    told = packets_of(rt, row.id)
    assert told == sorted(told), "the messages are in the diagram's order"
    assert set(told) == {"21/01", "21/02", "21/03", "21/04", "22/01", "22/02", "22/03", "22/04", "22/05", "23/01"}
    assert [part.verified for part in rows(rt, "SELECT verified FROM regprc.component WHERE registration_id = :id", id=row.id)] == [
        "VERIFIED"
    ] * 3


def test_the_repository_holds_the_person_sealed_and_the_numbers_by_hash(rt: Runtime, admin: Caller) -> None:
    made = make_packet(next(SEEDS), rt.clock.now(), person=replace(applicant(77, rt.clock.now()), employee_id="T77001"))
    received = uploaded(rt, admin, made)
    run(rt)
    (identity,) = rows(rt, "SELECT * FROM idrepo.identity WHERE registration_id = :id", id=received.id)
    assert identity.status_code == "ACTIVATED"
    opened = demographics_of(rt, "idrepo.demographics", identity.id, identity.demographics_sealed)
    assert (opened["phone"], opened["fullName"][0]["value"]) == (made.applicant.phone, made.applicant.name)
    assert "individualBiometrics" not in opened
    assert "proofOfIdentity" not in opened
    assert biometrics(rt, identity.biometrics_file_id) == Archive("id", made.zips["id"]).read("individualBiometrics_bio_CBEFF.xml")
    numbers = {row.kind: row for row in rows(rt, "SELECT * FROM idrepo.identifier WHERE identity_id = :id", id=identity.id)}
    assert set(numbers) == {"UIN", "HANDLE"}
    known = Numbers(rt)
    uin = known.open(numbers["UIN"].id, numbers["UIN"].id_sealed)
    assert flaw(uin, rt.masterdata.current().identity_stages("dj.djibouti-ville").numbers) is None
    assert numbers["UIN"].id_hash == known.hash("dj", "UIN", uin) != known.hash("ncr", "UIN", uin)
    assert numbers["HANDLE"].id_hash == known.hash("dj", "HANDLE", "t77001")
    asked = rows(rt, "SELECT * FROM idrepo.credential_request_status WHERE registration_id = :id", id=received.id)
    assert {row.individual_id_hash for row in asked} == {numbers["UIN"].id_hash, numbers["HANDLE"].id_hash}
    assert {(row.partner_id, row.status, row.request_id) for row in asked} == {("IDA", "NEW", None)}
    assert len({row.token_id for row in asked}) == 1, "a partner knows a person by one token"


def test_of_the_sample_packet_two_components_are_verified_and_the_third_is_named(rt: Runtime, admin: Caller) -> None:
    received = uploaded(rt, admin, sample())
    run(rt)
    row = registration(rt, received.id)
    assert (row.status_code, row.sub_status_code, row.stage) == ("FAILED", "PACKET_MISMATCH", "SECUREZONE_NOTIFICATION")
    assert row.status_comment.startswith("id: packet_data_hash.txt is E4098A23C496BDD0")
    parts = {part.name: part for part in rows(rt, "SELECT * FROM regprc.component WHERE registration_id = :id", id=received.id)}
    assert {name: part.verified for name, part in parts.items()} == {"id": "MISMATCH", "evidence": "VERIFIED", "optional": "VERIFIED"}
    assert parts["id"].mismatch.startswith("packet_data_hash.txt is E4098A23C496BDD0")


def test_a_repaired_copy_of_the_sample_packet_is_sent_again_and_processed(rt: Runtime, admin: Caller) -> None:
    wrong = renamed(sample(), "2" * 29)
    received = uploaded(rt, admin, wrong)
    run(rt)
    assert registration(rt, received.id).status_code == "FAILED"
    rt.clock.advance(timedelta(minutes=1))  # type: ignore[attr-defined]
    again = uploaded(rt, admin, repaired(wrong))
    assert (again.id, again.upload_number) == (received.id, 2)
    run(rt)
    row = registration(rt, received.id)
    assert (row.status_code, row.upload_number) == ("PROCESSED", 2), row.status_comment


# what stands in the packet, how it fails, in which stage
WRONG: list[tuple[dict[str, Any], str, str]] = [
    ({"fields": {"fullName": None}}, "FIELD_MISSING", "VALIDATOR"),
    ({"fields": {"fullName": [{"language": "fra", "value": "Only French"}]}}, "FIELD_INVALID", "VALIDATOR"),
    ({"fields": {"phone": "no number"}}, "FIELD_INVALID", "VALIDATOR"),
    ({"fields": {"gender": [{"language": "eng", "value": "CAT"}]}}, "FIELD_INVALID", "VALIDATOR"),
    ({"fields": {"dateOfBirth": "2026-01-01"}}, "FIELD_INVALID", "VALIDATOR"),
    ({"fields": {"dateOfBirth": "2030/01/01"}}, "AGE_INVALID", "VALIDATOR"),
    ({"fields": {"dateOfBirth": "1850/01/01"}}, "AGE_INVALID", "VALIDATOR"),
    ({"fields": {"favouriteColour": "blue"}}, "FIELD_UNKNOWN", "VALIDATOR"),
    ({"fields": {"IDSchemaVersion": 0.2}}, "SCHEMA_UNKNOWN", "VALIDATOR"),
    ({"fields": {"proofOfIdentity": None}}, "DOCUMENT_MISSING", "VALIDATOR"),
    ({"fields": {"proofOfIdentity": {"format": "pdf", "type": "X", "value": "notThere"}}}, "DOCUMENT_MISSING", "VALIDATOR"),
    ({"fields": {"dateOfBirth": "2015/01/01", "proofOfRelationship": None}}, "DOCUMENT_MISSING", "VALIDATOR"),
    ({"fields": {"individualBiometrics": None}}, "FIELD_MISSING", "VALIDATOR"),
    ({"biometric_bytes": 0}, "BIOMETRICS_UNUSABLE", "QUALITY_CLASSIFIER"),
]


@pytest.mark.parametrize(("made", "sub_status", "stage"), WRONG)
def test_what_is_wrong_with_a_packet_is_named_and_it_may_be_sent_again(
    rt: Runtime, admin: Caller, made: dict[str, Any], sub_status: str, stage: str
) -> None:
    row = processed(rt, admin, **made)
    assert (row.status_code, row.sub_status_code, row.stage) == ("FAILED", sub_status, stage)
    assert sub_status in SUB_STATUSES


def test_a_child_needs_other_documents_than_an_adult(rt: Runtime, admin: Caller) -> None:
    papers = {"proofOfIdentity": None, "proofOfAddress": None}
    assert processed(rt, admin, fields={"dateOfBirth": "2015/01/01", **papers}).status_code == "PROCESSED"
    assert processed(rt, admin, fields={"dateOfBirth": "1990/01/01", **papers}).sub_status_code == "DOCUMENT_MISSING"


def test_no_value_of_a_person_stands_in_a_comment(rt: Runtime, admin: Caller) -> None:
    row = processed(rt, admin, fields={"phone": "Zyxandra 9871", "gender": [{"language": "eng", "value": "Quillfeather"}]})
    written = repr(rows(rt, "SELECT * FROM regprc.registration_transaction WHERE registration_id = :id", id=row.id)) + repr(row)
    assert "Zyxandra" not in written
    assert "Quillfeather" not in written
    assert "phone" in row.status_comment


def same_person(rt: Runtime, number: int, **changes: Any) -> Applicant:
    return replace(applicant(number, rt.clock.now()), **changes)


def test_a_person_who_is_registered_already_is_rejected(rt: Runtime, admin: Caller) -> None:
    person = same_person(rt, 501)
    first = processed(rt, admin, person=person)
    second = processed(rt, admin, person=person)
    assert first.status_code == "PROCESSED"
    assert (second.status_code, second.sub_status_code) == ("REJECTED", "DUPLICATE")
    details = last_note(rt, second.id).details
    assert details["best"][0] == {
        "registrationId": str(first.id),
        "score": 100,
        "name": 100,
        "birthDate": "SAME",
        "gender": True,
        "phone": True,
    }
    assert str(first.id) in second.status_comment


def suspected(rt: Runtime, admin: Caller, number: int) -> tuple[Any, Any, Any]:
    """Two registrations that are much alike, the second one held, and the pair."""
    person = same_person(rt, number)
    first = processed(rt, admin, person=person)
    second = processed(rt, admin, person=replace(person, phone=f"7700{number:06d}"))
    (pair,) = rows(rt, "SELECT * FROM regprc.manual_verification WHERE registration_id = :id", id=second.id)
    return first, second, pair


def test_a_likely_duplicate_waits_for_a_person_with_its_score_explained(rt: Runtime, admin: Caller) -> None:
    first, second, pair = suspected(rt, admin, 502)
    assert (second.status_code, second.stage, second.pause_rule, second.resume_at) == (
        "PAUSED",
        "MANUAL_ADJUDICATION",
        "MANUAL_VERIFICATION",
        None,
    )
    assert (pair.candidate_id, pair.score, pair.status_code) == (first.id, 85, "PENDING")
    assert pair.explanation == {"score": 85, "name": 100, "birthDate": "SAME", "gender": True, "phone": False}
    with pytest.raises(AppError, match="SDCRS_REGISTRATION_STATE"):
        acted(rt, admin, actions.resume, second.id)


@pytest.mark.parametrize(("number", "decision", "status"), [(503, "UNIQUE", "PROCESSED"), (504, "DUPLICATE", "REJECTED")])
def test_what_a_person_decides_ends_the_wait(rt: Runtime, admin: Caller, number: int, decision: manual.Decision, status: str) -> None:
    _, second, pair = suspected(rt, admin, number)
    with rt.database.begin(admin.scope) as conn:
        manual.decide(conn, admin, pair.id, decision, "Compared the photos", rt.clock.now())
    run(rt)
    row = registration(rt, second.id)
    assert (row.status_code, row.sub_status_code) == (
        status,
        "IDENTITY_STORED" if decision == "UNIQUE" else "ADJUDICATED_DUPLICATE",
    )
    with pytest.raises(AppError, match="SDCRS_VERIFICATION_DECIDED"), rt.database.begin(admin.scope) as conn:
        manual.decide(conn, admin, pair.id, decision, "Once more", rt.clock.now())
    assert rows(rt, "SELECT actor_id FROM audit.event WHERE action = 'DUPLICATE_DECIDED' AND subject_id = :id", id=str(second.id))


def test_what_a_person_decided_is_not_asked_again(rt: Runtime, admin: Caller) -> None:
    _, second, pair = suspected(rt, admin, 505)
    with rt.database.begin(admin.scope) as conn:
        manual.decide(conn, admin, pair.id, "UNIQUE", "Twins with one phone", rt.clock.now())
    acted(rt, admin, actions.restart, second.id)
    run(rt)
    assert registration(rt, second.id).status_code == "PROCESSED"


def test_keys_and_what_is_compared_tell_nothing_to_a_reader_of_the_tables(rt: Runtime, admin: Caller) -> None:
    person = same_person(rt, 506)
    row = processed(rt, admin, person=person)
    kept = rows(
        rt, "SELECT * FROM regprc.demographic_key k JOIN regprc.demographic d ON d.id = k.registration_id WHERE d.id = :id", id=row.id
    )
    assert {key.kind for key in kept} == {"PHONETIC_NAME_BIRTH_YEAR", "PHONE", "BIRTH_DATE_GENDER"}
    assert person.phone not in repr(kept)
    assert person.name.split()[0] not in repr(kept)


def test_a_handle_that_is_another_persons_fails_the_packet(rt: Runtime, admin: Caller) -> None:
    processed(rt, admin, person=same_person(rt, 601, employee_id="T601"))
    row = processed(rt, admin, person=same_person(rt, 602, employee_id="t601"))
    assert (row.status_code, row.sub_status_code) == ("FAILED", "HANDLE_TAKEN")
    (identity,) = rows(rt, "SELECT status_code FROM idrepo.identity WHERE registration_id = :id", id=row.id)
    assert identity.status_code == "DEACTIVATED", "the draft was not published"


def acted(rt: Runtime, caller: Caller, deed: Callable[..., None], registration_id: UUID, reason: str = "Asked for by the district") -> None:
    with rt.database.begin(caller.scope) as conn:
        deed(conn, rt.masterdata.current(), caller, registration_id, reason, rt.clock.now())


def test_a_person_pauses_a_registration_and_lets_it_go_on(rt: Runtime, admin: Caller) -> None:
    received = uploaded(rt, admin, next(SEEDS))
    acted(rt, admin, actions.pause, received.id)
    run(rt)
    assert registration(rt, received.id).status_code == "PAUSED"
    acted(rt, admin, actions.resume, received.id)
    run(rt)
    assert registration(rt, received.id).status_code == "PROCESSED"
    by_person = rows(
        rt,
        """SELECT trn_type_code, actor_id, reason FROM regprc.registration_transaction
           WHERE registration_id = :id AND reason IS NOT NULL ORDER BY id""",
        id=received.id,
    )
    assert [tuple(row) for row in by_person] == [(deed, admin.account_id, "Asked for by the district") for deed in ("PAUSE", "RESUME")]
    audited = rows(rt, "SELECT action FROM audit.event WHERE subject_id = :id ORDER BY id", id=str(received.id))
    assert [row.action for row in audited] == ["REGISTRATION_PAUSE", "REGISTRATION_RESUME"]


def test_a_stopped_registration_is_rejected_for_good(rt: Runtime, admin: Caller) -> None:
    received = uploaded(rt, admin, next(SEEDS))
    acted(rt, admin, actions.stop, received.id)
    run(rt)
    row = registration(rt, received.id)
    assert (row.status_code, row.sub_status_code) == ("REJECTED", "STOPPED")
    for deed in (actions.pause, actions.resume, actions.restart, actions.stop):
        with pytest.raises(AppError, match="SDCRS_REGISTRATION_STATE"):
            acted(rt, admin, deed, received.id)


def test_a_registration_that_begins_anew_keeps_its_number(rt: Runtime, admin: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    received = uploaded(rt, admin, next(SEEDS))
    broken(monkeypatch, "FINALIZATION")
    run(rt)
    before = rows(
        rt,
        "SELECT id_hash FROM idrepo.identifier n JOIN idrepo.identity i ON i.id = n.identity_id WHERE i.registration_id = :id",
        id=received.id,
    )
    monkeypatch.undo()
    acted(rt, admin, actions.restart, received.id)
    run(rt)
    assert registration(rt, received.id).status_code == "PROCESSED"
    after = rows(
        rt,
        "SELECT id_hash FROM idrepo.identifier n JOIN idrepo.identity i ON i.id = n.identity_id WHERE i.registration_id = :id",
        id=received.id,
    )
    assert after == before
    assert len(before) == 1


def test_nobody_acts_outside_their_area_or_without_a_reason(rt: Runtime, admin: Caller) -> None:
    received = uploaded(rt, admin, next(SEEDS))
    neighbour = account(rt, f"DA{uuid4().hex[:6]}", "DISTRICT_ADMIN", tenant_id="dj.ali-sabieh")
    with pytest.raises(AppError, match="SDCRS_NOT_FOUND"):
        acted(rt, neighbour, actions.pause, received.id)
    with pytest.raises(AppError, match="SDCRS_FORBIDDEN"):
        acted(rt, account(rt, f"AU{uuid4().hex[:6]}", "AUDITOR", tenant_id="dj"), actions.pause, received.id)
    with pytest.raises(AppError, match="SDCRS_INVALID_REQUEST"):
        acted(rt, admin, actions.pause, received.id, " ")


def test_a_hotlisted_operators_registration_waits_and_is_stopped_when_nobody_looks(
    rt: Runtime, admin: Caller, clock: SettableClock
) -> None:
    row = processed(rt, admin, meta={"operationsData": [{"label": "officerId", "value": "HOTLISTED"}]})
    assert (row.status_code, row.stage, row.pause_rule) == ("PAUSED", "VALIDATOR", "HOTLISTED_OPERATOR")
    assert row.resume_at == clock.now() + timedelta(days=5)
    clock.advance(timedelta(days=5, seconds=1))
    run(rt)
    assert registration(rt, row.id).status_code == "REJECTED"
    assert notes(rt, row.id)[-1] == ("STOP", "REJECTED", "STOPPED")


def test_a_pause_that_is_over_ends_by_itself_and_its_rule_holds_no_more(rt: Runtime, admin: Caller, clock: SettableClock) -> None:
    captures = {finger: {"forceCaptured": True, "numRetry": 3} for finger in ("rightIndex", "leftIndex")}
    row = processed(rt, admin, meta={"biometrics": {"applicant": captures}})
    assert (row.status_code, row.pause_rule) == ("PAUSED", "LOW_BIOMETRIC_QUALITY")
    clock.advance(timedelta(seconds=181))
    run(rt)
    row = registration(rt, row.id)
    assert (row.status_code, list(row.pause_immunity)) == ("PROCESSED", ["LOW_BIOMETRIC_QUALITY"])


def broken(monkeypatch: pytest.MonkeyPatch, stage: Any, times: int = 10**6) -> list[int]:
    """The stage raises so many times; how often it ran."""
    real, ran = runner.STAGES[stage], [0]

    def fail(ctx: Context) -> Verdict:
        ran[0] += 1
        if ran[0] <= times:
            raise ValueError("Zyxandra Quillfeather cannot be stored")
        return real(ctx)

    monkeypatch.setitem(runner.STAGES, stage, fail)  # type: ignore[arg-type]
    return ran


def test_a_stage_that_fails_is_tried_again_later_and_goes_on(
    rt: Runtime, admin: Caller, clock: SettableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = broken(monkeypatch, "VALIDATOR", times=2)
    row = processed(rt, admin)
    assert (row.status_code, row.attempts, row.latest_trn_status_code) == ("REPROCESS", 1, "REPROCESS")
    assert row.next_attempt_at == clock.now() + timedelta(seconds=10)
    run(rt)
    assert ran == [1], "not before its time"
    for seconds in (10, 20):
        clock.advance(timedelta(seconds=seconds))
        run(rt)
    row = registration(rt, row.id)
    assert (row.status_code, row.attempts) == ("PROCESSED", 0)


def test_a_stage_that_never_works_ends_in_reprocess_failed_and_tells_no_value(
    rt: Runtime, admin: Caller, clock: SettableClock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    ran = broken(monkeypatch, "DEMO_DEDUPE")
    row = processed(rt, admin)
    for _ in range(20):
        clock.advance(timedelta(minutes=16))
        run(rt)
    row = registration(rt, row.id)
    assert (row.status_code, row.sub_status_code, row.attempts, ran) == ("REPROCESS_FAILED", "STAGE_GAVE_UP", 8, [8])
    written = (
        repr(rows(rt, "SELECT * FROM regprc.registration_transaction WHERE registration_id = :id", id=row.id)) + repr(row) + caplog.text
    )
    assert "Quillfeather" not in written
    assert "ValueError" in row.status_comment
    monkeypatch.undo()
    acted(rt, admin, actions.resume, row.id)
    run(rt)
    assert registration(rt, row.id).status_code == "PROCESSED"


def test_a_file_that_is_gone_is_no_bad_packet_but_a_fault_of_ours(rt: Runtime, admin: Caller) -> None:
    received = uploaded(rt, admin, next(SEEDS))
    for part in rows(rt, "SELECT id FROM regprc.component WHERE registration_id = :id", id=received.id):
        rt.files.delete(part.id)
    run(rt)
    row = registration(rt, received.id)
    assert (row.status_code, row.status_comment) == ("REPROCESS", "SDCRS_NOT_FOUND after 1 tries")
    acted(rt, admin, actions.stop, received.id)


def test_a_worker_that_died_with_a_claim_loses_it_when_the_lease_is_over(rt: Runtime, admin: Caller, clock: SettableClock) -> None:
    received = uploaded(rt, admin, next(SEEDS))
    with rt.database.worker() as conn:
        (held,) = table.claim(conn, clock.now(), clock.now() + LEASE, 10)
    run(rt)
    assert registration(rt, received.id).latest_trn_type_code == "PACKET_RECEIVER", "it is the dead one's until then"
    job = StagesJob(rt)
    waits = job.waits_for(clock.now())
    assert waits is not None
    clock.advance(LEASE)
    run(rt)
    assert registration(rt, received.id).status_code == "PROCESSED"
    assert job._run_stage(rt.masterdata.current(), held, job._fetch(held)) is None, "the dead one's claim is worth nothing any more"


def test_a_registration_that_is_paused_while_it_runs_stops_after_the_stage(
    rt: Runtime, admin: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    received = uploaded(rt, admin, next(SEEDS))
    job = StagesJob(rt)
    real = job._run_stage

    def meanwhile(md: Any, one: Any, packet: Any) -> Any:
        if one.stage == "QUALITY_CLASSIFIER":
            acted(rt, admin, actions.pause, one.id)
        return real(md, one, packet)

    monkeypatch.setattr(job, "_run_stage", meanwhile)
    run_until_idle([job], rt.clock)
    row = registration(rt, received.id)
    assert (row.status_code, row.stage) == ("PAUSED", "QUALITY_CLASSIFIER")


def test_papers_of_another_kind_are_refused_in_quality(rt: Runtime, admin: Caller) -> None:
    made = make_packet(next(SEEDS), rt.clock.now())
    read = Archive("id", made.zips["id"])
    content = json.loads(read.read("ID.json"))["identity"]
    meta = json.loads(read.read("packet_meta_info.json"))["identity"]
    files = {name: read.read(name) for name in read.names if name.endswith((".xml", ".pdf"))}
    files["proofOfIdentity.pdf"] = b"MZ this is a program"
    received = uploaded(rt, admin, made.with_component("id", component(content, files, meta)))
    run(rt)
    row = registration(rt, received.id)
    assert (row.status_code, row.sub_status_code, row.status_comment) == ("FAILED", "DOCUMENT_UNREADABLE", "proofOfIdentity: not a PDF")


def test_what_the_sync_said_binds_the_sidecar(rt: Runtime, admin: Caller) -> None:
    made = make_packet(next(SEEDS), rt.clock.now())
    lying = replace(made, sidecars={**made.sidecars, "optional": sidecar(made.reg_id, "optional", rt.clock.now(), source="ELSEWHERE")})
    received = uploaded(rt, admin, lying)
    run(rt)
    row = registration(rt, received.id)
    assert (row.status_code, row.sub_status_code) == ("FAILED", "PACKET_MISMATCH")
    assert row.status_comment == f"optional: source of the sidecar is ELSEWHERE, announced is {SOURCE}"
    assert announced(rt, admin, [made])[0].error is None


def test_two_registrations_of_one_person_at_the_same_moment_do_not_both_pass(rt: Runtime, admin: Caller) -> None:
    """Two workers, each with one of them, let go at once."""
    person = same_person(rt, 507)
    ids = [uploaded(rt, admin, make_packet(next(SEEDS), rt.clock.now(), person=person)).id for _ in range(2)]
    together = threading.Barrier(2)
    with rt.database.worker() as conn:
        held = [one for one in table.claim(conn, rt.clock.now(), rt.clock.now() + LEASE, 10) if one.id in ids]

    def work(one: Registration) -> None:
        together.wait(timeout=30)
        StagesJob(rt)._lead(rt.masterdata.current(), one)

    with ThreadPoolExecutor(2) as workers:
        list(workers.map(work, held))
    assert sorted(registration(rt, one).status_code for one in ids) == ["PROCESSED", "REJECTED"]


def test_requests_that_a_new_partner_lacks_can_be_entered(rt: Runtime, admin: Caller) -> None:
    row = processed(rt, admin)
    (uin,) = rows(rt, "SELECT id FROM idrepo.identifier WHERE identity_id = :id", id=row.identity_id)
    ask = ask_for(rt)
    with pytest.raises(AppError, match="SDCRS_CREDENTIAL_STATE"):
        acted(rt, admin, ask, uin.id)
    rows(rt, "UPDATE idrepo.credential_request_status SET partner_id = 'GONE' WHERE registration_id = :id RETURNING id", id=row.id)
    acted(rt, admin, ask, uin.id)
    asked = rows(rt, "SELECT partner_id, status FROM idrepo.credential_request_status WHERE registration_id = :id ORDER BY id", id=row.id)
    assert [tuple(one) for one in asked] == [("GONE", "NEW"), ("IDA", "NEW")]
    assert packets_of(rt, row.id)[-1] == "23/01"
    neighbour = account(rt, f"DA{uuid4().hex[:6]}", "DISTRICT_ADMIN", tenant_id="dj.ali-sabieh")
    with pytest.raises(AppError, match="SDCRS_NOT_FOUND"):
        acted(rt, neighbour, ask, uin.id)


def test_a_claim_finds_what_is_due_by_its_index(rt: Runtime, admin: Caller) -> None:
    """With thousands that are done or wait, no statement of the runner reads them all."""
    filled = """
        WITH lists AS (
            INSERT INTO regprc.registration_list (id, tenant_id, state_id, reg_id, process, source, schema_version, supervisor_status,
                                                  synced_by, synced_at)
            SELECT gen_random_uuid(), 'dj.djibouti-ville', 'dj', '3' || lpad(n::text, 28, '0'), 'NEW', 'BENCH', '0.1', 'APPROVED', :by, :now
            FROM generate_series(1, 5000) n RETURNING id, reg_id)
        INSERT INTO regprc.registration (id, tenant_id, state_id, reg_id, process, source, schema_version, upload_number, status_code,
                                         stage, next_attempt_at, received_by, received_at, modified_at)
        SELECT id, 'dj.djibouti-ville', 'dj', reg_id, 'NEW', 'BENCH', '0.1', 1, 'REJECTED', 'VALIDATOR', :now, :by, :now, :now FROM lists
        RETURNING id
    """
    rows(rt, filled, by=admin.account_id, now=rt.clock.now())
    with rt.database.worker() as conn:
        conn.execute(text("SELECT jobs.refresh_statistics()"))
        claim = f"EXPLAIN {table._CLAIM.text}"
        params = {"now": rt.clock.now(), "lease": rt.clock.now() + LEASE, "limit": 50}
        plan = "\n".join(conn.execute(text(claim), params).scalars())
    assert "registration_due" in plan, plan
    assert "Seq Scan on registration" not in plan, plan
