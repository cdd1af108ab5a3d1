"""The worker's promises: a bad row stands alone, nothing is done twice, a follower misses nothing."""

import threading
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy import Connection, text

from pipeline.clock import SettableClock
from pipeline.jobs.batch import BatchJob
from pipeline.jobs.failures import revive
from pipeline.jobs.follower import Follower
from pipeline.jobs.job import MAX_ATTEMPTS, NOT_FAILED, Periodic, backoff
from pipeline.jobs.worker import run_periodic, run_until_idle
from pipeline.runtime import Runtime
from pipeline.validation.job import claim, validate
from tests import factories


def claim_new(conn: Connection, now: datetime, limit: int, only: list[UUID] | None) -> list[UUID]:
    sql = text(f"""
        SELECT q.id FROM access.account q WHERE q.username LIKE 'J-%' AND q.locale = 'en_IN'
        AND (CAST(:only AS uuid[]) IS NULL OR q.id = ANY (:only)) AND {NOT_FAILED} ORDER BY q.id LIMIT :limit FOR UPDATE SKIP LOCKED
    """)
    return list(conn.execute(sql, {"job": "test.locale", "now": now, "limit": limit, "only": only}).scalars())


def test_one_bad_row_is_set_aside_and_the_others_go_through(rt: Runtime, clock: SettableClock) -> None:
    accounts = [factories.account(rt, f"J-{n:02}", "TEACHER").account_id for n in range(20)]
    bad = accounts[13]

    def work(conn: Connection, ids: list[UUID], now: datetime) -> None:
        if bad in ids:
            raise ValueError("this row cannot be read")
        conn.execute(text("UPDATE access.account SET locale = 'hi_IN' WHERE id = ANY (:ids)"), {"ids": ids})

    job = BatchJob("test.locale", rt.database, claim_new, work, size=20)
    waiting = run_until_idle([job], clock)
    assert [(w.job, w.subjects) for w in waiting] == [("test.locale", 1)]
    with rt.database.worker() as conn:
        done = set(conn.execute(text("SELECT id FROM access.account WHERE username LIKE 'J-%' AND locale = 'hi_IN'")).scalars())
        failure = conn.execute(text("SELECT subject, attempts, error, dead_at FROM jobs.failure WHERE job = 'test.locale'")).one()
    assert done == set(accounts) - {bad}
    assert (failure.subject, failure.attempts, failure.dead_at) == (bad, 1, None)
    assert "this row cannot be read" in failure.error

    for _ in range(MAX_ATTEMPTS - 1):
        clock.advance(timedelta(hours=2))
        run_until_idle([job], clock)
    with rt.database.worker() as conn:
        dead = conn.execute(text("SELECT attempts, dead_at FROM jobs.failure WHERE job = 'test.locale'")).one()
        assert dead.attempts == MAX_ATTEMPTS
        assert dead.dead_at is not None
        revive(conn, "test.locale", bad, clock.now())
    healed = BatchJob(
        "test.locale",
        rt.database,
        claim_new,
        lambda conn, ids, now: conn.execute(text("UPDATE access.account SET locale = 'hi_IN' WHERE id = ANY (:ids)"), {"ids": ids}),
        size=20,
    )
    assert run_until_idle([healed], clock) == []
    with rt.database.worker() as conn:
        assert conn.execute(text("SELECT count(*) FROM jobs.failure WHERE job = 'test.locale'")).scalar_one() == 0


def test_backoff_grows_to_an_hour_and_stays_there() -> None:
    waits = [backoff(n).total_seconds() for n in range(1, 15)]
    assert waits[:4] == [10, 20, 40, 80]
    assert waits == sorted(waits)
    assert waits[-1] == 3600


def test_two_workers_validate_each_report_once(rt: Runtime, clock: SettableClock) -> None:
    teachers = [factories.account(rt, f"T-two-{n}", "TEACHER") for n in range(4)]
    ids = [factories.submitted(rt, t) for t in teachers for _ in range(3)]
    barrier = threading.Barrier(2)
    errors: list[BaseException] = []

    def drain() -> None:
        try:
            barrier.wait(10)
            job = BatchJob("validation", rt.database, claim, lambda c, i, n: _validate(rt, c, i, n), size=2)
            run_until_idle([job], clock)
        except BaseException as error:  # noqa: BLE001 - whatever it is, the assertion below shows it
            errors.append(error)

    threads = [threading.Thread(target=drain) for _ in range(2)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(60)
    assert errors == []
    with rt.database.worker() as conn:
        changes = conn.execute(
            text("SELECT count(*) FROM sdcrs.report_history WHERE report_id = ANY (:ids) AND action LIKE 'AUTO_%'"), {"ids": ids}
        ).scalar_one()
    assert changes == len(ids)


def _validate(rt: Runtime, conn: Connection, ids: list[UUID], now: datetime) -> None:
    validate(conn, rt.masterdata.current(), ids, now)


def test_a_follower_misses_nothing_of_transactions_that_commit_late(rt: Runtime, clock: SettableClock) -> None:
    who = factories.people(rt)
    seen: list[UUID] = []
    follower = Follower("test.follower", rt.database, "sdcrs.report_history", lambda conn, rows: seen.extend(r.id for r in rows), size=7)
    run_until_idle([follower], clock)
    seen.clear()
    stop = threading.Event()

    def write() -> None:
        while not stop.is_set():
            teacher = factories.account(rt, f"T-f{threading.get_ident()}-{len(seen)}-{uuid4().hex[:6]}", "TEACHER")
            factories.submitted(rt, teacher)

    late = rt.database.worker()
    with late as conn:  # takes its transaction id first and commits last
        report_id = factories.validated(rt, who.teacher)
        conn.execute(text("SELECT pg_current_xact_id()"))
        writers = [threading.Thread(target=write) for _ in range(3)]
        for w in writers:
            w.start()
        for _ in range(20):
            follower.run_once(clock.now())
        stop.set()
        for w in writers:
            w.join(30)
        conn.execute(
            text("""
                INSERT INTO sdcrs.report_history (id, tenant_id, report_id, version, action, from_state, to_state, actor_id, actor_role,
                                                  workflow_version, occurred_at)
                SELECT gen_random_uuid(), tenant_id, id, 99, 'LATE', status, status, reporter_id, 'TEACHER', 1, created_at
                FROM sdcrs.report WHERE id = :id
            """),
            {"id": report_id},
        )
    run_until_idle([follower], clock)
    with rt.database.worker() as conn:
        late_id = conn.execute(text("SELECT id FROM sdcrs.report_history WHERE action = 'LATE'")).scalar_one()
        first = conn.execute(
            text("SELECT min(xid::text::bigint) FROM sdcrs.report_history WHERE id = ANY (:ids)"), {"ids": seen}
        ).scalar_one()
        all_ids = (
            conn.execute(text("SELECT id FROM sdcrs.report_history WHERE xid::text::bigint >= :first"), {"first": first}).scalars().all()
        )
    assert late_id in seen
    assert len(seen) == len(set(seen))
    assert set(all_ids) == set(seen)


def test_a_periodic_task_runs_once_in_its_interval(rt: Runtime, clock: SettableClock) -> None:
    ran: list[datetime] = []
    task = Periodic("test.hourly", timedelta(hours=1), ran.append)
    for _ in range(3):
        run_periodic(rt.database, [task], clock.now())
    clock.advance(timedelta(hours=1))
    run_periodic(rt.database, [task], clock.now())
    assert len(ran) == 2


def test_an_unknown_subject_is_not_claimed(rt: Runtime, clock: SettableClock) -> None:
    with rt.database.worker() as conn:
        assert claim(conn, clock.now(), 5, [UUID(int=5)]) == []
