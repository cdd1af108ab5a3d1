"""Photos uploaded before the clock starts, as the bench's rules say: drawn, measured, stored and recorded like any upload.

Only the way over HTTP is left out. A photo takes some milliseconds to draw, which would be measured as ours otherwise.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from pipeline.bench.people import PLACE, TENANT, Person, parts_of
from pipeline.demo.photos import PHONE, Kind
from pipeline.demo.story import PhotoOrder
from pipeline.demo.studio import open_studio
from pipeline.filestore.upload import insert_files
from pipeline.ids import uuid7
from pipeline.runtime import Runtime

ROWS_AT_ONCE = 1_000
TAKEN_BEFORE = timedelta(minutes=2)  # fresh for a day and more


@dataclass(frozen=True)
class Draft:
    """A report that a teacher can send at once: the photos are there."""

    teacher: Person
    dog: UUID
    selfie: UUID


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
    """Draw and store a photo for each of `each` reports of every teacher, their selfies, and the officers' capture photos."""
    first = seed * 10_000_000
    selfies = [_order(rt, teacher, "selfie", first + index) for index, teacher in enumerate(teachers)]  # one serves all their reports
    drafts, orders = deque[Draft](), list(selfies)
    for round_ in range(each):  # all teachers before the second report of the first: as people do, and the daily limit is met last
        for index, teacher in enumerate(teachers):
            dog = _order(rt, teacher, "dog", first + round_ * len(teachers) + index)
            orders.append(dog)
            drafts.append(Draft(teacher, dog.file_id, selfies[index].file_id))
    captures: dict[UUID, deque[UUID]] = {}
    for index, officer in enumerate(officers):
        taken = [_order(rt, officer, "capture", first + index * captures_each + n) for n in range(captures_each)]
        orders += taken
        captures[officer.caller.account_id] = deque(order.file_id for order in taken)
    with open_studio(rt, orders) as studio:
        for some in parts_of(orders, ROWS_AT_ONCE):
            files = studio.take(some)
            with rt.database.worker() as conn:
                insert_files(conn, files)
    return Stock(drafts, captures)


def _order(rt: Runtime, owner: Person, kind: Kind, seed: int) -> PhotoOrder:
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
        latitude=PLACE[0],
        longitude=PLACE[1],
        taken_at=now - TAKEN_BEFORE,
        camera=PHONE,
    )
