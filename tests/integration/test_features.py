"""The history that rules look at: asked set-wise in Postgres, and counted one by one here, on random reports; both must agree."""

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Connection, text

from pipeline.fraud.case import History, SameFile
from pipeline.fraud.features import Subject, cells, gather
from pipeline.fraud.ruleset import Needs
from pipeline.ids import uuid7
from pipeline.masterdata.geo import haversine_m
from pipeline.runtime import Runtime
from tests import factories

ZONE = ZoneInfo("Africa/Djibouti")
TENANTS = (factories.VILLE, "dj.ali-sabieh")
NOON = datetime(2026, 3, 10, 9, 0, tzinfo=UTC)
REPORTS, JUDGED = 500, 80
NEEDS = Needs(
    hours={1, 24},
    days={1, 7, 30},
    before_minutes=300,
    device_days={1, 7},
    clusters={(50, 24), (400, 6)},
    files={SameFile("DOG_PHOTO", False): None, SameFile("DOG_PHOTO", True): 30, SameFile("SELFIE", True): 30, SameFile("SELFIE", False): 3},
    lifetime=True,
    monthly=True,
)

_REPORT = text("INSERT INTO sdcrs.report SELECT (jsonb_populate_record(t, CAST(:change AS jsonb))).* FROM sdcrs.report t WHERE t.id = :id")
_EVIDENCE = text("""
    INSERT INTO sdcrs.evidence SELECT (jsonb_populate_record(t, CAST(:change AS jsonb))).*
    FROM sdcrs.evidence t WHERE t.report_id = :id AND t.evidence_type = :kind
""")


@dataclass(frozen=True)
class Made:
    """One report of the random past."""

    id: UUID
    number: str
    tenant: str
    reporter: UUID
    at: datetime
    latitude: float
    longitude: float
    device: str | None
    dog: bytes
    selfie: bytes
    rejected: bool

    @property
    def order(self) -> tuple[datetime, UUID]:
        return self.at, self.id

    def subject(self) -> Subject:
        devices = frozenset({self.device} if self.device else set())
        files = {"DOG_PHOTO": self.dog, "SELFIE": self.selfie}
        return Subject(self.id, self.tenant, self.reporter, self.at, ZONE, self.latitude, self.longitude, devices, files)


@pytest.fixture(scope="module", params=[1, 2, 3])
def past(rt: Runtime, request: pytest.FixtureRequest) -> Iterator[tuple[Connection, list[Made]]]:
    """Five hundred reports of seven teachers over forty days, many of one moment, one place, one phone or one file; rolled back."""
    random = Random(request.param)
    teachers = [factories.account(rt, f"TF{request.param}-{n}", "TEACHER").account_id for n in range(7)]
    template = factories.submitted(rt, factories.account(rt, f"TF{request.param}-template", "TEACHER"))
    made = [_made(random, teachers, number, request.param) for number in range(REPORTS)]
    with rt.database.worker() as conn:  # the template itself lies outside every span
        conn.execute(
            text("UPDATE sdcrs.report SET created_at = :at WHERE id = :id"), {"at": datetime(2020, 1, 1, tzinfo=UTC), "id": template}
        )
    with rt.database.worker() as conn:
        for one in made:
            _store(conn, template, one)
        counts = {teacher: sum(one.reporter == teacher for one in made) for teacher in teachers}
        for teacher, count in counts.items():
            conn.execute(text("UPDATE access.account SET lifetime_reports = :n WHERE id = :id"), {"n": count, "id": teacher})
        yield conn, made
        conn.rollback()


def _made(random: Random, teachers: Sequence[UUID], number: int, seed: int) -> Made:
    near = random.random() < 0.6  # half of all within the last two days, to the minute, so that moments coincide
    at = NOON - (timedelta(minutes=random.randrange(2 * 24 * 60)) if near else timedelta(minutes=random.randrange(40 * 24 * 60)))
    spot = random.choice([(11.5886, 43.1456), (11.5960, 43.1499), (11.6000, 43.1500)])
    return Made(
        id=uuid7(at),
        number=f"DR-DJ-2026-{seed}{number:06d}",
        tenant=random.choices(TENANTS, (9, 1))[0],
        reporter=random.choice(teachers),
        at=at,
        latitude=spot[0] + random.gauss(0, 0.0004),
        longitude=spot[1] + random.gauss(0, 0.0004),
        device=random.choice([None, "phone-1", "phone-2", "phone-3", f"phone-{number}"]),
        dog=bytes([random.randrange(60)]) * 32,
        selfie=bytes([random.randrange(40)]) * 32,
        rejected=random.random() < 0.2,
    )


def _store(conn: Connection, template: UUID, one: Made) -> None:
    change = {
        "id": str(one.id), "report_number": one.number, "tracking_id": one.number[-8:], "tracking_token": one.number,
        "tenant_id": one.tenant,
        "reporter_id": str(one.reporter), "created_at": one.at.isoformat(), "latitude": one.latitude, "longitude": one.longitude,
        "device_id": one.device, "status": "AUTO_REJECTED" if one.rejected else "PENDING_VERIFICATION", "rejection_reason": "INVALID_GPS",
        "rejected_at": one.at.isoformat(), "rejected_by": str(one.reporter),
    }  # fmt: skip
    conn.execute(_REPORT, {"id": template, "change": json.dumps(change)})
    for kind, sha256 in (("DOG_PHOTO", one.dog), ("REPORTER_SELFIE", one.selfie)):
        photo = {"id": str(uuid7(one.at)), "report_id": str(one.id), "tenant_id": one.tenant, "sha256": f"\\x{sha256.hex()}"}
        conn.execute(_EVIDENCE, {"id": template, "kind": kind, "change": json.dumps(photo | {"created_at": one.at.isoformat()})})


def plainly(made: Sequence[Made], one: Made) -> History:
    """The same, looked at report by report."""
    earlier = sorted((other for other in made if other.order < one.order), key=lambda other: other.order)
    own = [other for other in earlier if other.reporter == one.reporter]
    here = [other for other in earlier if other.tenant == one.tenant]
    local = one.at.astimezone(ZONE)

    def within(span: timedelta) -> int:
        return 1 + sum(other.at >= one.at - span for other in own)

    history = History(
        within_hours={hours: within(timedelta(hours=hours)) for hours in NEEDS.hours},
        within_days={days: within(timedelta(days=days)) for days in NEEDS.days if days > 1},
        lifetime=1 + len(own),
        monthly=1 + sum((other.at.astimezone(ZONE).year, other.at.astimezone(ZONE).month) == (local.year, local.month) for other in own),
    )
    history.within_days[1] = 1 + sum(other.at.astimezone(ZONE).date() == local.date() for other in own)
    for days in NEEDS.device_days:
        users = {o.reporter for o in here if o.device is not None and o.device == one.device and o.at >= one.at - timedelta(days=days)}
        history.device_users[days] = len(users | {one.reporter})
    for radius_m, hours in NEEDS.clusters:
        history.nearby[radius_m, hours] = 1 + sum(
            other.at >= one.at - timedelta(hours=hours)
            and haversine_m(one.latitude, one.longitude, other.latitude, other.longitude) <= radius_m
            for other in here
        )
    return history


def same_files(made: Sequence[Made], one: Made, key: SameFile, days: int | None) -> list[str]:
    """Numbers of the earlier reports with the same file, earliest first, at most as many as are looked up."""
    found = [
        other
        for other in made
        if other.order < one.order
        and other.tenant == one.tenant
        and not other.rejected
        and (other.dog == one.dog if key.purpose == "DOG_PHOTO" else other.selfie == one.selfie)
        and (not key.own_only or other.reporter == one.reporter)
        and (days is None or other.at >= one.at - timedelta(days=days))
    ]
    return [other.number for other in sorted(found, key=lambda other: other.order)][:20]


def test_a_batch_counts_what_one_by_one_counts(past: tuple[Connection, list[Made]]) -> None:
    conn, made = past
    judged = sorted(Random(7).sample(made, JUDGED), key=lambda one: one.order)
    for one, history in zip(judged, gather(conn, NEEDS, [one.subject() for one in judged]), strict=True):
        expected = plainly(made, one)
        assert (history.within_hours, history.within_days) == (expected.within_hours, expected.within_days), one
        assert (history.lifetime, history.monthly) == (expected.lifetime, expected.monthly), one
        assert (history.device_users, history.nearby) == (expected.device_users, expected.nearby), one
        own = [other for other in made if other.reporter == one.reporter and other.order < one.order]
        last = max(own, key=lambda other: other.order, default=None)
        if last is not None and last.at >= one.at - timedelta(minutes=NEEDS.before_minutes):
            assert history.before is not None
            assert history.before.report_id == last.id
        for key, days in NEEDS.files.items():
            assert [match.report_number for match in history.same_file[key]] == same_files(made, one, key, days), (one, key)


def test_a_report_that_is_not_stored_counts_itself(past: tuple[Connection, list[Made]]) -> None:
    conn, made = past
    known = made[0]
    stranger = Subject(UUID(int=1), known.tenant, known.reporter, NOON + timedelta(days=100), ZONE, 0.0, 0.0)
    (history,) = gather(conn, NEEDS, [stranger])
    assert (history.within_hours[1], history.within_days[30], history.nearby[50, 24], history.device_users[7]) == (1, 1, 1, 1)
    assert history.lifetime == 1 + sum(one.reporter == known.reporter for one in made)
    (nobody,) = gather(conn, NEEDS, [Subject(UUID(int=1), known.tenant, None, NOON, ZONE, None, None)])
    assert (nobody.within_hours[1], nobody.lifetime, nobody.before, nobody.nearby[50, 24]) == (1, 1, None, 1)


def test_an_empty_batch_asks_nothing(past: tuple[Connection, list[Made]]) -> None:
    assert gather(past[0], NEEDS, []) == []
    assert gather(past[0], Needs(), [past[1][0].subject()]) == [History()]


@pytest.mark.parametrize("radius_m", [1, 50, 500, 2000])
def test_the_cells_around_a_place_hold_the_whole_circle(radius_m: int) -> None:
    random = Random(radius_m)
    for _ in range(2000):
        latitude, longitude = random.uniform(-80, 80), random.uniform(-179, 179)
        north, east = random.gauss(0, radius_m), random.gauss(0, radius_m)
        other = (latitude + north / 111_195, longitude + east / 111_195 / math.cos(math.radians(latitude)))
        if haversine_m(latitude, longitude, *other) <= radius_m:
            assert cells(*other, 0.001)[0] in cells(latitude, longitude, radius_m)
