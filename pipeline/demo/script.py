"""Writing the demo's stories: who reports what, where and when, and what becomes of it. Everything follows from the seed and `now`."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from random import Random
from uuid import UUID
from zoneinfo import ZoneInfo

from pipeline.clock import local_day
from pipeline.demo.cast import FAILING_VPAS, VILLE, Cast, Crew, Teacher
from pipeline.demo.course import Course
from pipeline.demo.darkroom import PhotoOrder
from pipeline.demo.names import DESCRIPTIONS, LANDMARKS
from pipeline.demo.photos import file_name
from pipeline.demo.places import Ground, Rush, Spot, blurred, moved
from pipeline.demo.showcase import Wanted, wanted
from pipeline.demo.story import AUTO_REJECTED, FATES, Fate, Story
from pipeline.ids import uuid7
from pipeline.masterdata.master import MasterData

VILLE_SHARE = 0.3  # of all reports: the demo accounts work there
SERVICE_TYPES = {"StrayDogStandard": 46, "StrayDogAggressive": 24, "StrayDogPack": 18, "StrayDogInjured": 12}
LOOK_BACK = {"exact_duplicate": timedelta(hours=36), "near_duplicate": timedelta(days=20), "reported_twice": timedelta(hours=30)}
FAILING = f"{FAILING_VPAS[0][0]}@sandbox"
CHECKED_AFTER = timedelta(seconds=40)  # how long a report that came alone waited for its validation
SUSPICIOUS_SHARE = 0.3  # of the bad ones are bad in two ways, so that every risk level occurs
TRIES = 12  # to find a teacher who may still report that day


@dataclass(frozen=True)
class Slot:
    """A report that will come: where, when, and what is already settled about it."""

    tenant_id: str
    at: datetime
    checked_at: datetime
    wish: Wanted | None = None


class Script:
    """Writes the stories in order of receipt."""

    def __init__(self, md: MasterData, cast: Cast, random: Random, now: datetime) -> None:
        self._md, self._cast, self._random, self._now = md, cast, random, now
        self._grounds = {tenant_id: Ground(md, tenant_id, random) for tenant_id in cast.crews}
        self._course = Course(md, random, now)
        self._reported: Counter[tuple[UUID, date]] = Counter()
        self._told: dict[str, list[Story]] = {tenant_id: [] for tenant_id in cast.crews}
        self._seeds = random.getrandbits(40)

    def write(self, reports: int) -> list[Story]:
        """So many stories, those that the demo accounts need among them."""
        fixed = [Slot(VILLE, w.at.astimezone(UTC), w.at.astimezone(UTC) + CHECKED_AFTER, w) for w in wanted(self._md, self._now)]
        slots = sorted([*fixed, *self._random_slots(max(0, reports - len(fixed)))], key=lambda slot: (slot.checked_at, slot.at))
        return [self._story(index, slot) for index, slot in enumerate(slots)]

    def _random_slots(self, count: int) -> list[Slot]:
        random = self._random
        tenants = list(self._cast.crews)
        others = [random.uniform(0.6, 1.4) * (0.35 if tenant_id.startswith("dj.") else 1.0) for tenant_id in tenants]
        total = sum(weight for tenant_id, weight in zip(tenants, others, strict=True) if tenant_id != VILLE)
        weights = [
            VILLE_SHARE if tenant_id == VILLE else (1 - VILLE_SHARE) * weight / total
            for tenant_id, weight in zip(tenants, others, strict=True)
        ]
        rushes: dict[str, Rush] = {}
        for tenant_id in tenants:
            state_id = self._md.tenant(tenant_id).state_id
            if state_id not in rushes:
                rushes[state_id] = Rush(self._md.tenant(tenant_id).timezone, self._now, random)
        return [
            Slot(tenant_id, *rushes[self._md.tenant(tenant_id).state_id].moment(random))
            for tenant_id in random.choices(tenants, weights, k=count)
        ]

    def _story(self, index: int, slot: Slot) -> Story:
        random, wish = self._random, slot.wish
        crew = self._cast.crews[slot.tenant_id]
        zone = self._md.tenant(slot.tenant_id).timezone
        fate: Fate = wish.fate if wish else random.choices(list(FATES), list(FATES.values()))[0]
        teacher = self._cast.teacher(wish.teacher) if wish and wish.teacher else self._teacher(crew, slot.at, zone, wish)
        self._reported[teacher.id, local_day(slot.at, zone)] += 1
        original = self._original(slot, fate, teacher)
        if fate in LOOK_BACK and original is None:
            fate = "good"  # nothing to repeat yet
        ground = self._grounds[slot.tenant_id]
        spot = ground.near(random, original.spot, 25) if original else ground.spot(random, wish.ward_code if wish else None)
        story = self._told_by(index, slot, teacher, fate, spot, original)
        self._course.plan(story, crew, original, wish)
        self._told[slot.tenant_id].append(story)
        return story

    def _teacher(self, crew: Crew, at: datetime, zone: ZoneInfo, wish: Wanted | None) -> Teacher:
        """One who has not reached the day's limit; for a wish with `failing` one whose VPA fails."""
        random = self._random
        usable: Sequence[Teacher] = [t for t in crew.teachers if t.weight > 0]
        if wish is not None:
            usable = [t for t in usable if (t.vpa.endswith(FAILING) if wish.failing else not t.vpa.endswith("@sandbox"))]
        day = local_day(at, zone)
        limit = self._md.payout_config(crew.tenant_id).daily_limit
        for _ in range(TRIES):
            found = random.choices(usable, [t.weight for t in usable])[0]
            if self._reported[found.id, day] < limit:
                return found
        return min(usable, key=lambda t: self._reported[t.id, day])

    def _original(self, slot: Slot, fate: Fate, teacher: Teacher) -> Story | None:
        """An earlier report of somebody else that this one repeats."""
        if fate not in LOOK_BACK:
            return None
        found = []
        for story in reversed(self._told[slot.tenant_id]):
            if slot.at - story.at > LOOK_BACK[fate]:
                break
            kept = story.fate not in AUTO_REJECTED and story.original is None and story.fate != "no_exif"
            if kept and story.checked_at < slot.at and story.teacher.id != teacher.id:
                found.append(story)
        return self._random.choice(found) if found else None

    def _told_by(self, index: int, slot: Slot, teacher: Teacher, fate: Fate, spot: Spot, original: Story | None) -> Story:
        random = self._random
        zone = self._md.tenant(slot.tenant_id).timezone
        service_type = random.choices(list(SERVICE_TYPES), list(SERVICE_TYPES.values()))[0]
        if original is not None:
            service_type = original.service_type
        pin = self._grounds[slot.tenant_id].outside(random) if fate == "outside" else (spot.latitude, spot.longitude)
        device = blurred(random, *pin, 7)
        camera_at = moved(*device, random.uniform(300, 6000), random.uniform(0, 6.28)) if fate == "gps" else blurred(random, *device, 6)
        taken = slot.at - timedelta(seconds=random.randint(100, 1300))
        if fate == "stale":
            taken -= timedelta(hours=random.uniform(49, 130))
        between = timedelta(hours=random.uniform(60, 200)) if fate == "old_selfie" else timedelta(seconds=-random.randint(20, 90))
        uploaded = slot.at - timedelta(seconds=random.randint(4, 40))
        dog = self._order(index, slot, teacher, uploaded, "dog", camera_at, taken.astimezone(zone))
        elsewhere = fate == "old_selfie" or (fate == "no_exif" and random.random() < SUSPICIOUS_SHARE)
        selfie_at = moved(*device, random.uniform(600, 2500), random.uniform(0, 6.28)) if elsewhere else blurred(random, *device, 6)
        selfie = self._order(index, slot, teacher, uploaded, "selfie", selfie_at, (taken - between).astimezone(zone))
        if fate == "no_exif" or (fate == "old_selfie" and random.random() < SUSPICIOUS_SHARE):
            dog = replace(dog, camera=None)
        elif original is not None and fate == "exact_duplicate":
            dog = replace(original.dog, file_id=dog.file_id, owner_id=dog.owner_id, uploaded_at=dog.uploaded_at)
        elif original is not None and fate == "near_duplicate":
            dog = replace(dog, seed=original.dog.seed, again=random.randint(1, 99))
        return Story(
            index=index,
            tenant_id=slot.tenant_id,
            teacher=teacher,
            fate=fate,
            at=slot.at + timedelta(microseconds=index),  # no two at the same moment: by it a report is found again
            checked_at=slot.checked_at,
            service_type=service_type,
            description=random.choice(DESCRIPTIONS[service_type]).format(place=spot.locality),
            landmark=random.choice(LANDMARKS),
            dog_count=random.randint(3, 7) if service_type == "StrayDogPack" else 1,
            spot=spot,
            pin=pin,
            device=device,
            accuracy_m=round(random.uniform(3, 22), 1),
            dog=dog,
            selfie=selfie,
            original=original,
        )

    def _order(
        self, index: int, slot: Slot, teacher: Teacher, uploaded: datetime, kind: str, place: tuple[float, float], taken: datetime
    ) -> PhotoOrder:
        return PhotoOrder(
            file_id=uuid7(uploaded),
            owner_id=teacher.id,
            tenant_id=slot.tenant_id,
            sent_by=None,
            uploaded_at=uploaded,
            name=file_name("selfie" if kind == "selfie" else "dog", taken),
            seed=self._seeds + index,
            kind="selfie" if kind == "selfie" else "dog",
            latitude=place[0],
            longitude=place[1],
            taken_at=taken,
            camera=teacher.camera,
            who=teacher.face if kind == "selfie" else None,
        )
