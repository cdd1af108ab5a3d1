"""Stored reports by the million, made set-wise by SQL: teachers at their schools, photos with hashes of their own, a phone each.

They come from all cities of one state, in school hours, Monday to Friday. What validation reads of a report is as intake would
have stored it; nothing else is. A small share is spoilt, each kind in its own way, so that every check and most rules have
something to find.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from itertools import islice
from random import Random

import shapely
from psycopg import Connection
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry

from pipeline.bench.past import columns_of
from pipeline.clock import local_day
from pipeline.masterdata.master import MasterData

PER_TEACHER = 5  # reports a year; the programme's 400,000 teachers send about so many
STATE = "ncr"
SCHOOLS = 10_000  # in all its cities, as many to a square kilometre in each
AROUND = 0.004  # degrees, about 450 m: how far from the school most dogs are met
WEEKS = 52
WORKDAYS = 5 * WEEKS
FIRST_SERIAL = 20_000_000  # numbers that no real report of this database reaches


@dataclass(frozen=True)
class Crowd:
    """Who reports, and when: report number n came on working day `n * per_report` after the first Monday."""

    state_id: str
    teachers: int
    monday: datetime  # its midnight
    per_report: float  # working days; their fraction is how much of the school's day was over


_TEACHERS = """
    INSERT INTO access.account (id, tenant_id, state_id, username, roles, school_code, school_name, demo, lifetime_reports, created_at)
    SELECT md5('bench teacher ' || t)::uuid, s.tenant_id, %(state)s, 'BT' || lpad(t::text, 7, '0'), ARRAY['TEACHER'], 'BENCH01',
           'Bench School', true, 0, %(at)s
    FROM generate_series(0, %(teachers)s - 1) t JOIN pg_temp.school s ON s.n = t %% %(schools)s
"""
# One row a report: `k` says what is wrong with it, of a thousand; the history has nothing wrong
_FRESH = """
    CREATE TEMP TABLE made ON COMMIT DROP AS
    WITH drawn AS (
        SELECT n, CASE WHEN %(fresh)s THEN (hashint8(n + 1) & 2147483647) %% 1000 ELSE 999 END AS k,
               floor(n * %(per_report)s)::int AS day, n * %(per_report)s - floor(n * %(per_report)s) AS over,
               ((hashint8(n + 2) & 65535) / 65535.0 - 0.5) AS dy, ((hashint8(n + 3) & 65535) / 65535.0 - 0.5) AS dx
        FROM generate_series(%(first)s::bigint, %(last)s::bigint) n
    ), sent AS (  -- who repeats another's photo is a colleague of the same school
        SELECT d.*, CASE WHEN d.k BETWEEN 80 AND 94 THEN ((hashint8(n - %(reach)s) & 2147483647) + %(schools)s) %% %(teachers)s
                         ELSE (hashint8(n) & 2147483647) %% %(teachers)s END AS teacher
        FROM drawn d
    ), placed AS (
        SELECT d.n, d.k, d.teacher, s.tenant_id, s.y + d.dy * %(around)s AS latitude, s.x + d.dx * %(around)s AS longitude,
               %(monday)s::timestamptz + make_interval(days => d.day / 5 * 7 + d.day %% 5)
                   + CASE WHEN d.k BETWEEN 130 AND 139 THEN interval '22 hours'
                          ELSE interval '7 hours 15 minutes' + d.over * interval '10 hours 30 minutes' END AS at,
               md5('bench teacher ' || d.teacher)::uuid AS reporter,
               'phone-' || CASE WHEN d.k BETWEEN 100 AND 119 THEN d.teacher / 2 ELSE d.teacher END AS device
        FROM sent d JOIN pg_temp.school s ON s.n = d.teacher %% %(schools)s
    )
    SELECT n, tenant_id, at, k, reporter, device, CASE WHEN k BETWEEN 0 AND 9 THEN 11.85 ELSE latitude END AS latitude,
           CASE WHEN k BETWEEN 0 AND 9 THEN 43.5 ELSE longitude END AS longitude,
           latitude + CASE WHEN k BETWEEN 10 AND 39 THEN 0.01 ELSE 0.0002 END AS exif_latitude, longitude AS exif_longitude,
           at - CASE WHEN k BETWEEN 40 AND 49 THEN interval '80 hours' ELSE interval '2 minutes' END AS taken_at,
           k NOT BETWEEN 50 AND 79 AS exif_present,
           CASE WHEN k BETWEEN 80 AND 84 THEN n - %(reach)s ELSE n END AS dog_of,
           CASE WHEN k BETWEEN 85 AND 94 THEN n - %(reach)s ELSE n END AS picture_of,
           (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7' || substr(md5(n::text), 1, 3) || '8'
            || substr(md5(n::text), 4, 15))::uuid AS id
    FROM placed
"""
_REPORTS = """
    INSERT INTO sdcrs.report (id, tenant_id, state_id, report_number, tracking_id, tracking_token, service_type, description, status,
        reporter_id, latitude, longitude, address, locality_code, ward_code, district_code, gps_latitude, gps_longitude, gps_accuracy_m,
        device_id, dog_count, is_aggressive, state_entered_at, sla_due_at, created_at, modified_at, modified_by, workflow_version)
    SELECT id, tenant_id, %(state)s, 'DR-BENCH-' || to_char(at, 'YYYY') || '-' || (%(serial)s + n), lpad(upper(to_hex(n)), 8, '0'),
        md5('token' || n), 'StrayDogAggressive', 'A pack of dogs by the school gate since the morning',
        CASE WHEN %(fresh)s THEN 'PENDING_VALIDATION' ELSE 'PENDING_VERIFICATION' END, reporter, latitude, longitude,
        'Near the school gate', 'BENCH', 'BENCH', 'BENCH', exif_latitude + CASE WHEN k BETWEEN 10 AND 39 THEN -0.01 ELSE 0.0001 END,
        exif_longitude, 8.5, device, CASE WHEN k BETWEEN 120 AND 129 THEN 15 ELSE 2 END, true, at, at + interval '72 hours', at, at,
        reporter, 1
    FROM pg_temp.made
"""
_BITS = "('x' || md5({seed}))::bit(64)"
_DOG = _BITS.format(seed="'picture' || m.picture_of")
_NEAR = f"({_DOG} # CASE WHEN m.picture_of <> m.n THEN 5::bit(64) ELSE 0::bit(64) END)"  # two bits beside the picture it repeats
_SELFIE = _BITS.format(seed="'selfie' || m.n")
_SELFIE_SHA = "decode(md5('selfie' || m.n) || md5(m.n || 'selfie'), 'hex')"
_DOG_SHA = "decode(md5('dog' || m.dog_of) || md5(m.dog_of || 'dog'), 'hex')"


def _photo_id(kind: str) -> str:
    return f"md5('{kind}' || m.n)::uuid"


def _own(kind: str, sha256: str, bits: str) -> dict[str, dict[str, str]]:
    """What the rows of one photo hold, by table and column; columns that a table does not have are left out."""
    place = {
        "exif_latitude": "CASE WHEN m.exif_present THEN m.exif_latitude END",
        "exif_longitude": "CASE WHEN m.exif_present THEN m.exif_longitude END",
        "exif_present": "m.exif_present",
    }
    file = {
        "id": _photo_id(kind), "tenant_id": "m.tenant_id", "owner_id": "m.reporter", "module": "'SDCRS'", "file_name": f"'{kind}.jpg'",
        "content_type": "'image/jpeg'", "size_bytes": "1800000", "width_px": "4000", "height_px": "3000", "sha256": sha256,
        "phash": f"{bits}::bigint", **place, "uploaded_at": "m.at", "blur_score": "0.7", "exposure_score": "0.8", "brightness": "0.5",
    }  # fmt: skip
    evidence = {
        "id": f"md5('evidence {kind}' || m.n)::uuid", "tenant_id": "m.tenant_id", "report_id": "m.id",
        "evidence_type": "'DOG_PHOTO'" if kind == "dog" else "'REPORTER_SELFIE'", "file_id": _photo_id(kind), "file_name": f"'{kind}.jpg'",
        "mime_type": "'image/jpeg'", "file_size": "1800000", "sha256": sha256, "phash": f"{bits}::bigint",
        **{f"band{i}": f"substring({bits} FROM {16 * i + 1} FOR 16)::int" for i in range(4)},
        "captured_at": "m.taken_at", "latitude": "m.exif_latitude", "longitude": "m.exif_longitude", "device_id": "m.device",
        "uploaded_at": "m.at", "uploaded_by": "m.reporter", "created_at": "m.at",
    }  # fmt: skip
    return {"sdcrs.file": file, "sdcrs.evidence": evidence}


def make_crowd(conn: Connection, md: MasterData, now: datetime, reports: int, state_id: str = STATE) -> Crowd:
    """Teachers, and the schools inside the state's cities that they belong to; their `reports` are spread evenly over 52 weeks.

    Like `make_reports` for the past, inside `past.bare`, which lets the owner write.
    """
    zone = md.tenant(state_id).timezone
    today = local_day(now, zone)
    monday = datetime.combine(today - timedelta(days=today.weekday(), weeks=WEEKS), time(), zone)
    conn.execute("CREATE TEMP TABLE school (n int PRIMARY KEY, tenant_id text, y float8, x float8)")
    with conn.cursor() as cursor, cursor.copy("COPY pg_temp.school FROM STDIN") as copy:
        for number, school in enumerate(islice(_schools(md, state_id), SCHOOLS)):
            copy.write_row((number, *school))
    teachers = max(reports // PER_TEACHER, 100)
    conn.execute(_TEACHERS.encode(), {"state": state_id, "schools": SCHOOLS, "teachers": teachers, "at": monday})
    return Crowd(state_id, teachers, monday, WORKDAYS / (reports + 1))


def _schools(md: MasterData, state_id: str) -> Iterator[tuple[str, float, float]]:
    """Tenant, latitude and longitude of places all over the cities, without end; far enough inside for all that happens there."""
    cities = {tenant_id: _area(md, tenant_id) for tenant_id in md.leaves(state_id)}
    random, sizes = Random(1), [area.area for area in cities.values()]
    while True:
        (tenant_id,) = random.choices(list(cities), sizes)
        west, south, east, north = cities[tenant_id].bounds
        x, y = random.uniform(west, east), random.uniform(south, north)
        while not shapely.contains_xy(cities[tenant_id], x, y):
            x, y = random.uniform(west, east), random.uniform(south, north)
        yield tenant_id, y, x


def _area(md: MasterData, tenant_id: str) -> BaseGeometry:
    border = next(entry for entry in md.boundary_geojson(tenant_id)["features"] if entry["properties"]["kind"] == "tenant")
    area = shape(border["geometry"]).buffer(-2 * AROUND)
    shapely.prepare(area)
    return area


def make_reports(conn: Connection, crowd: Crowd, first: int, count: int, *, fresh: bool) -> None:
    """Reports number `first` on: fresh ones wait for validation and some are spoilt, the others are the past."""
    params = {
        "state": crowd.state_id, "serial": FIRST_SERIAL, "first": first, "last": first + count - 1, "fresh": fresh,
        "teachers": crowd.teachers, "schools": SCHOOLS, "around": AROUND, "reach": max(count // 20, 1),
        "monday": crowd.monday, "per_report": crowd.per_report,
    }  # fmt: skip
    with conn.transaction():
        conn.execute(_FRESH.encode(), params)
        conn.execute(_REPORTS.encode(), params)
        for own in (_own("dog", _DOG_SHA, _NEAR), _own("selfie", _SELFIE_SHA, _SELFIE)):
            for table, values in own.items():
                columns = [name for name, _ in columns_of(conn, table) if name in values]
                chosen = ", ".join(values[name] for name in columns)
                conn.execute(f"INSERT INTO {table} ({', '.join(columns)}) SELECT {chosen} FROM pg_temp.made m".encode(), params)  # noqa: S608
        conn.execute(
            "UPDATE access.account a SET lifetime_reports = lifetime_reports + c.n"
            " FROM (SELECT reporter, count(*) AS n FROM pg_temp.made GROUP BY reporter) c WHERE a.id = c.reporter"
        )
