"""Photos uploaded before the clock starts, as the bench's rules say: drawn, measured, stored and recorded like any upload.

Only the way over HTTP is left out. A photo takes some milliseconds to draw, which would be measured as ours otherwise.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from random import Random
from uuid import UUID

from pipeline.bench.people import PLACE, TENANT, Person, parts_of
from pipeline.demo.darkroom import PhotoOrder
from pipeline.demo.photos import PHONE, Kind
from pipeline.demo.studio import open_studio
from pipeline.filestore.upload import insert_files
from pipeline.ids import uuid7
from pipeline.runtime import Runtime

ROWS_AT_ONCE = 1_000
TAKEN_BEFORE = timedelta(minutes=2)  # fresh for a day and more
AROUND = 0.05  # degrees about PLACE in which dogs are seen: as many at one gate would be a fraud to the rules, and are none here

Spot = tuple[float, float]  # latitude, longitude


@dataclass(frozen=True)
class Draft:
    """A report that a teacher can send at once: the photos are there, taken at `spot`."""

    teacher: Person
    dog: UUID
    selfie: UUID
    spot: Spot = PLACE


@dataclass
class Stock:
    """What is left to be used. One thread takes."""

    drafts: deque[Draft]
    captures: dict[UUID, deque[UUID]]  # by officer

    def draft(self) -> Draft:
        """The next report. Raises IndexError when the stock is used up."""
        return self.drafts.popleft()

    def capture(self, officer: Person) -> UUID:
        """The next photo of a captured dog. Raises IndexError when the stock is used up."""
        return self.captures[officer.caller.account_id].popleft()


def prepare(rt: Runtime, teachers: Sequence[Person], each: int, officers: Sequence[Person], captures_each: int, seed: int) -> Stock:
    """Draw and store both photos for each of `each` reports of every teacher, and the officers' capture photos."""
    first = seed * 10_000_000
    drafts, orders = deque[Draft](), []
    spots = _spots(rt, each * len(teachers), seed)
    for round_ in range(each):  # all teachers before the second report of the first: as people do, and the daily limit is met last
        for index, teacher in enumerate(teachers):
            number = round_ * len(teachers) + index
            both = [_order(rt, teacher, kind, first + number, spots[number]) for kind in ("dog", "selfie")]
            orders += both
            drafts.append(Draft(teacher, both[0].file_id, both[1].file_id, spots[number]))
    captures: dict[UUID, deque[UUID]] = {}
    for index, officer in enumerate(officers):
        taken = [_order(rt, officer, "capture", first + index * captures_each + n, PLACE) for n in range(captures_each)]
        orders += taken
        captures[officer.caller.account_id] = deque(order.file_id for order in taken)
    with open_studio(rt, orders) as studio:
        for some in parts_of(orders, ROWS_AT_ONCE):
            files = studio.take(some)
            with rt.database.worker() as conn:
                insert_files(conn, files)
    return Stock(drafts, captures)


def _spots(rt: Runtime, count: int, seed: int) -> list[Spot]:
    """Random places inside the tenant."""
    random, found = Random(seed), list[Spot]()
    while len(found) < count:
        tried = [(PLACE[0] + random.uniform(-AROUND, AROUND), PLACE[1] + random.uniform(-AROUND, AROUND)) for _ in range(count)]
        inside = rt.masterdata.current().inside(TENANT, [spot[0] for spot in tried], [spot[1] for spot in tried])
        found += [spot for spot, hit in zip(tried, inside, strict=True) if hit]
    return found[:count]


def _order(rt: Runtime, owner: Person, kind: Kind, seed: int, spot: Spot) -> PhotoOrder:
    now = rt.clock.now()
    return PhotoOrder(
        file_id=uuid7(now),
        owner_id=owner.caller.account_id,
        tenant_id=TENANT,
        sent_by=None,
        uploaded_at=now,
        name=f"{kind}.jpg",
        seed=seed,
        kind=kind,
        latitude=spot[0],
        longitude=spot[1],
        taken_at=now - TAKEN_BEFORE,
        camera=PHONE,
    )
