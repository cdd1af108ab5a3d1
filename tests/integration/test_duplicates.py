"""Photos that are the same or nearly so: the search misses nothing, sees one tenant, and remembers what people said."""

import random
import threading
from datetime import timedelta
from itertools import combinations, pairwise
from uuid import UUID, uuid4

import psycopg
import pytest
from sqlalchemy import text

from pipeline.database.engine import psycopg_url
from pipeline.filestore.measure import hamming, phash_bands
from pipeline.ids import uuid7
from pipeline.validation.duplicates import MAX_DISTANCE, PARTS, Probe, _statement, find_duplicates, radii

TENANT, NEIGHBOUR = "dj.djibouti-ville", "dj.ali-sabieh"
MONTH = timedelta(days=30)


def signed(bits: int) -> int:
    return bits - (1 << 64) if bits >> 63 else bits


def flipped(phash: int, bits) -> int:
    unsigned = phash & (1 << 64) - 1
    for bit in bits:
        unsigned ^= 1 << bit
    return signed(unsigned)


@pytest.fixture(scope="module")
def reporter(rt) -> UUID:
    with rt.database.worker() as conn:
        return add_reporter(conn, rt.clock.now())


def add_reporter(conn, now) -> UUID:
    reporter_id = uuid7(now)
    conn.execute(
        text("""INSERT INTO access.account (id, tenant_id, state_id, username, roles, created_at)
                VALUES (:id, :tenant, 'dj', :name, ARRAY['TEACHER'], :now)"""),
        {"id": reporter_id, "tenant": TENANT, "name": f"T{reporter_id.hex[-10:]}", "now": now},
    )
    return reporter_id


def add(conn, reporter_id, phash, at, *, tenant=TENANT, sha256=None, status="PENDING_VERIFICATION", place=(11.5886, 43.1456)) -> UUID:
    """A bare report with a dog photo of this hash: the search reads nothing else of it."""
    report_id = uuid7(at)
    params = {
        "id": report_id, "reporter": reporter_id, "tenant": tenant, "at": at, "status": status, "phash": phash,
        "number": f"DR-DJ-2026-{report_id.int % 10**14:014d}", "tracking": report_id.hex[-8:], "token": report_id.hex,
        "sha256": sha256 or report_id.bytes * 2, "latitude": place[0], "longitude": place[1],
        **{f"band{i}": band for i, band in enumerate(phash_bands(phash))},
    }  # fmt: skip
    for statement in (
        """INSERT INTO sdcrs.report (id, tenant_id, state_id, report_number, tracking_id, tracking_token, service_type, description, status,
               reporter_id, latitude, longitude, state_entered_at, sla_due_at, created_at, modified_at, modified_by, workflow_version,
               rejected_at, rejected_by, rejection_reason)
           VALUES (:id, :tenant, 'dj', :number, :tracking, :token, 'StrayDogPack', 'three dogs', :status,
               :reporter, :latitude, :longitude, :at, :at, :at, :at, :reporter, 1,
               CASE WHEN :status = 'AUTO_REJECTED' THEN CAST(:at AS timestamptz) END,
               CASE WHEN :status = 'AUTO_REJECTED' THEN CAST(:reporter AS uuid) END,
               CASE WHEN :status = 'AUTO_REJECTED' THEN 'OUTSIDE_BOUNDARY' END)""",
        """INSERT INTO sdcrs.file (id, tenant_id, owner_id, module, file_name, content_type, size_bytes, width_px, height_px, sha256, phash,
               exif_present, uploaded_at)
           VALUES (:id, :tenant, :reporter, 'SDCRS', 'dog.jpg', 'image/jpeg', 1, 1, 1, :sha256, :phash, false, :at)""",
        """INSERT INTO sdcrs.evidence (id, tenant_id, report_id, evidence_type, file_id, file_name, mime_type, file_size, sha256, phash,
               band0, band1, band2, band3, uploaded_at, uploaded_by, created_at)
           VALUES (:id, :tenant, :id, 'DOG_PHOTO', :id, 'dog.jpg', 'image/jpeg', 1, :sha256, :phash,
               :band0, :band1, :band2, :band3, :at, :reporter, :at)""",
    ):
        conn.execute(text(statement), params)
    return report_id


def probe(phash, at, *, report_id=None, tenant=TENANT, sha256=None) -> Probe:
    return Probe(report_id or uuid7(at), tenant, phash, sha256 or uuid4().bytes * 2, at - MONTH, at)


def looked_up(conn, one: Probe, max_distance=6, **how):
    return find_duplicates(conn, [one], max_distance, **how).get(one.report_id, [])


# exactness


@pytest.mark.parametrize("distance", range(MAX_DISTANCE + 1))
def test_the_radii_leave_no_way_to_spread_the_distance_past_every_part(distance):
    """Every way in which `distance` bits fall on four parts has a part within its radius."""
    within = radii(distance)
    for cuts in combinations(range(distance + PARTS - 1), PARTS - 1):
        edges = (-1, *cuts, distance + PARTS - 1)
        spread = [after - before - 1 for before, after in pairwise(edges)]
        assert any(bits <= radius for bits, radius in zip(spread, within, strict=True)), spread


@pytest.mark.parametrize("distance", [-1, MAX_DISTANCE + 1])
def test_a_distance_at_which_pairs_would_be_missed_is_refused(rt, distance):
    with rt.database.worker() as conn, pytest.raises(ValueError, match="exact"):
        find_duplicates(conn, [], distance)


def test_random_and_adversarial_hashes_are_found_exactly_as_brute_force_finds_them(rt, reporter):
    """Flips are random, spread evenly over the parts, or crowded into one; every distance from 0 to 8, every limit from 0 to 7."""
    rng, now = random.Random(3), rt.clock.now()
    known: dict[UUID, int] = {}
    probes = []
    with rt.database.worker() as conn:
        for number in range(48):
            base = signed(rng.getrandbits(64)) if number % 4 else rng.choice([0, -1, signed(1 << 63), (1 << 63) - 1])
            known[add(conn, reporter, base, now - timedelta(minutes=number + 1))] = base
            for distance in range(9):
                evenly = [16 * (i % 4) + bit for i, bit in enumerate(rng.sample(range(16), 8))][:distance]
                crowded = [16 * rng.randrange(4) + bit for bit in rng.sample(range(16), 8)][:distance]
                probes += [probe(flipped(base, bits), now) for bits in (rng.sample(range(64), distance), evenly, crowded)]
        for limit in range(MAX_DISTANCE + 1):
            found = {}
            for start in range(0, len(probes), 200):  # as many as the job's batches hold
                found |= find_duplicates(conn, probes[start : start + 200], limit)
            for one in probes:
                expected = {report_id for report_id, phash in known.items() if hamming(phash, one.phash) <= limit}
                got = found.get(one.report_id, [])
                assert all(c.distance == hamming(known[c.report_id], one.phash) for c in got if c.report_id in known)
                if len(expected) <= 20:
                    assert {c.report_id for c in got} == expected
                else:
                    assert len(got) == 20
                assert [c.distance for c in got] == sorted(c.distance for c in got)


def test_the_same_bytes_are_found_even_where_their_hash_was_made_by_another_version(rt, reporter):
    now, sha256 = rt.clock.now(), uuid4().bytes * 2
    with rt.database.worker() as conn:
        same = add(conn, reporter, signed(random.Random(8).getrandbits(64)), now - timedelta(hours=1), sha256=sha256)
        (found,) = looked_up(conn, probe(signed(random.Random(9).getrandbits(64)), now, sha256=sha256))
    assert (found.report_id, found.same_bytes, found.similarity) == (same, True, 1.0)


# what counts


@pytest.mark.parametrize(
    ("age", "counts"),
    [(MONTH, True), (MONTH + timedelta(microseconds=1), False), (timedelta(0), True), (-timedelta(hours=1), True)],
)
def test_photos_count_for_thirty_days_to_the_microsecond(rt, reporter, age, counts):
    now, phash = rt.clock.now(), signed(random.Random(str(age)).getrandbits(64))
    with rt.database.worker() as conn:
        other = add(conn, reporter, phash, now - age)
        found = [c.report_id for c in looked_up(conn, probe(phash, now))]
    assert found == ([other] if counts else [])


def test_a_later_copy_counts_once_it_was_judged_and_not_before(rt, reporter):
    now, phash = rt.clock.now(), signed(random.Random(21).getrandbits(64))
    with rt.database.worker() as conn:
        later = add(conn, reporter, phash, now + timedelta(seconds=1), status="PENDING_VALIDATION")
        assert looked_up(conn, probe(phash, now)) == []
        conn.execute(text("UPDATE sdcrs.report SET status = 'PENDING_VERIFICATION' WHERE id = :id"), {"id": later})
        assert [c.report_id for c in looked_up(conn, probe(phash, now))] == [later]


def test_of_two_in_one_batch_the_earlier_is_the_original(rt, reporter):
    now, phash = rt.clock.now(), signed(random.Random(22).getrandbits(64))
    with rt.database.worker() as conn:
        first = add(conn, reporter, phash, now, status="PENDING_VALIDATION")
        second = add(conn, reporter, flipped(phash, [1, 40]), now + timedelta(seconds=1), status="PENDING_VALIDATION")
        probes = [
            probe(flipped(phash, [1, 40]), now + timedelta(seconds=1), report_id=second),
            probe(phash, now, report_id=first),
        ]
        found = find_duplicates(conn, probes, 6)
    assert {key: [c.report_id for c in value] for key, value in found.items()} == {second: [first]}


def test_what_the_checks_rejected_is_nobodys_original(rt, reporter):
    now, phash = rt.clock.now(), signed(random.Random(23).getrandbits(64))
    with rt.database.worker() as conn:
        add(conn, reporter, phash, now - timedelta(hours=1), status="AUTO_REJECTED")
        assert looked_up(conn, probe(phash, now)) == []


def test_another_tenants_photos_are_never_seen_even_in_one_batch(rt, reporter):
    now, phash = rt.clock.now(), signed(random.Random(24).getrandbits(64))
    with rt.database.worker() as conn:
        here = add(conn, reporter, phash, now - timedelta(hours=1))
        there = add(conn, reporter, phash, now - timedelta(hours=1), tenant=NEIGHBOUR)
        mine, theirs = probe(phash, now), probe(phash, now, tenant=NEIGHBOUR)
        found = find_duplicates(conn, [mine, theirs], 6)
    assert [c.report_id for c in found[mine.report_id]] == [here]
    assert [c.report_id for c in found[theirs.report_id]] == [there]


def test_a_person_sees_only_candidates_of_the_own_area(rt, reporter):
    now, phash = rt.clock.now(), signed(random.Random(25).getrandbits(64))
    with rt.database.worker() as conn:
        add(conn, reporter, phash, now - timedelta(hours=1))
    with rt.database.begin((NEIGHBOUR,)) as conn:
        assert looked_up(conn, probe(phash, now), judging=False) == []
    with rt.database.begin((TENANT,)) as conn:
        assert len(looked_up(conn, probe(phash, now), judging=False)) == 1


# two workers


def test_of_two_copies_that_are_judged_at_once_the_slower_worker_waits_and_sees_the_other(rt, reporter):
    """The earlier report became visible only after the later one was looked up: its worker waits for the other's verdict."""
    now, phash = rt.clock.now(), signed(random.Random(26).getrandbits(64))
    with rt.database.worker() as conn:
        later = add(conn, reporter, phash, now + timedelta(seconds=1), status="PENDING_VALIDATION")
    judging, seen = threading.Event(), []

    def other_worker() -> None:
        with rt.database.worker() as conn:
            conn.execute(text("SELECT id FROM sdcrs.report WHERE id = :id FOR UPDATE"), {"id": later})
            judging.set()
            conn.execute(text("SELECT pg_sleep(0.3)"))
            conn.execute(text("UPDATE sdcrs.report SET status = 'PENDING_VERIFICATION' WHERE id = :id"), {"id": later})

    thread = threading.Thread(target=other_worker)
    thread.start()
    assert judging.wait(5)
    with rt.database.worker() as conn:
        seen = [c.report_id for c in looked_up(conn, probe(phash, now))]
    thread.join()
    assert seen == [later]


def test_the_search_uses_the_indexes_of_the_parts_alone(rt, urls, reporter):
    """A plan that reads the table for every candidate would be thirty times slower at nine million photos."""
    now = rt.clock.now()
    with psycopg.connect(psycopg_url(urls.owner), autocommit=True) as owner:
        owner.execute("VACUUM (ANALYZE) sdcrs.evidence")
    with rt.database.worker() as conn:
        conn.execute(text("SET LOCAL enable_seqscan = off"))
        conn.execute(text("SET LOCAL enable_bitmapscan = off"))
        statement = text("EXPLAIN " + _statement(6).text)
        row = '{"report_id": "%s", "tenant_id": "x", "phash": 1, "sha256": "00", "since": "%s", "until": "%s", "own_at": "%s"}'
        probes = "[" + row % (uuid7(now), now.isoformat(), now.isoformat(), now.isoformat()) + "]"
        plan = "\n".join(conn.execute(statement, {"probes": probes, "max_distance": 6, "candidates": 20}).scalars())
    for part in range(PARTS):
        assert f"Index Only Scan using evidence_band{part}" in plan, plan
