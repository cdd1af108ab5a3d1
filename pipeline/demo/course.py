"""The steps that people take on a report after it was validated, each at its own time; steps after `now` do not happen."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

from pipeline.access.caller import Caller
from pipeline.demo.cast import VILLE, Crew
from pipeline.demo.darkroom import PhotoOrder
from pipeline.demo.names import CAPTURE_REMARKS, ESCALATE_COMMENT, REJECT_REMARKS, SEND_BACK_COMMENT, UNABLE_REMARKS, VERIFY_REMARKS
from pipeline.demo.photos import PHONE, file_name
from pipeline.demo.places import blurred, office_hours
from pipeline.demo.showcase import Wanted
from pipeline.demo.story import AUTO_REJECTED, Step, Story
from pipeline.ids import uuid7
from pipeline.masterdata.master import MasterData

REJECT_REASONS = {"POOR_QUALITY": 50, "NOT_A_DOG": 18, "DOMESTIC_DOG": 24, "FRAUDULENT": 8}
UNABLE_REASONS = {"DOG_MOVED": 55, "SEARCH_TIMEOUT": 25, "INCORRECT_LOCATION": 14, "DOG_ALREADY_CAPTURED": 6}
RESOLUTIONS = {"CAPTURED": 70, "STERILIZED_RELEASED": 22, "RELOCATED": 8}
SLOW_SHARE = 0.06  # of reports take many times as long: breached SLAs
SLOW_FACTOR = (5, 14)
# Visits end in the field and are entered in rounds; hours of the day in UTC, inside the office hours of all our zones
ROUNDS = ((8, 20), (11, 10), (13, 40))
ROUND_MINUTES = 22  # entered within so many minutes before the round is paid
BACKLOG_AGE = timedelta(hours=30)  # of reports that wait in every tenant's inbox and on its map
BACKLOG_SHARE = 0.45
RATED_SHARE = 0.22
AS_LONG_AS_WANTED = 0.85  # a wished report has had its last step when so much of its age had passed


def round_end(at: datetime) -> datetime:
    """The end of the round in which something of this moment is entered and paid; `at` in UTC."""
    days = (0, 1)
    ends = (at.replace(hour=hour, minute=minute, second=0, microsecond=0) + timedelta(days=day) for day in days for hour, minute in ROUNDS)
    return next(end for end in ends if end > at)


class Course:
    """Plans the steps of one story after the other."""

    def __init__(self, md: MasterData, random: Random, now: datetime) -> None:
        self._md, self._random, self._now = md, random, now
        self._seeds = random.getrandbits(40)

    def plan(self, story: Story, crew: Crew, original: Story | None, wish: Wanted | None) -> None:
        """Fill in the story's steps, its capture photo and its rating."""
        zone = self._md.tenant(story.tenant_id).timezone
        if story.fate in AUTO_REJECTED:
            story.steps = self._if_it_passes(story, crew, zone)
            return
        steps = self._all_steps(story, crew, original, wish, zone)
        if wish is not None and (wish.last is None or wish.last in [step.action for step in steps]):
            steps = self._until(story, steps, wish.last)
        else:
            if story.checked_at > self._now - BACKLOG_AGE and self._random.random() < BACKLOG_SHARE:
                steps = steps[: self._random.choice((0, 0, 1))]  # nobody has come to it yet, or no further than the first step
            if story.tenant_id == VILLE:
                steps = self._leave_officers_free(steps)
        story.steps = [step for step in steps if step.at < self._now]
        for step in story.steps:
            if step.action == "MARK_CAPTURED":
                story.capture_photo = self._capture_photo(story, step, zone)
                self._rate(story, step.at)

    def _all_steps(self, story: Story, crew: Crew, original: Story | None, wish: Wanted | None, zone: ZoneInfo) -> list[Step]:
        random = self._random
        slow = random.uniform(*SLOW_FACTOR) if random.random() < SLOW_SHARE else 1.0
        verifier: Caller = random.choice(crew.verifiers)
        steps: list[Step] = []
        at = self._later(story.checked_at, 55 * slow, zone)
        if story.fate == "escalated":
            steps.append(Step("ESCALATE", at, verifier, ESCALATE_COMMENT))
            verifier, at = crew.senior, self._later(at, 120, zone)
        elif story.fate == "sent_back":
            steps.append(Step("SEND_BACK", at, verifier, SEND_BACK_COMMENT))
            answered = at + timedelta(minutes=random.uniform(20, 500))
            steps.append(Step("COMMENT", answered, story.teacher.caller, f"On the side of the school. {story.landmark}."))
            at = self._later(answered, 60, zone)
        elif story.fate == "rejected":
            reason = wish.reason if wish and wish.reason else random.choices(list(REJECT_REASONS), list(REJECT_REASONS.values()))[0]
            fields = {"rejection_reason": reason, "rejection_remarks": REJECT_REMARKS[reason]}
            return [Step("REJECT", at, verifier, REJECT_REMARKS[reason], fields)]
        elif story.fate == "reported_twice" and original is not None:
            fields = {"rejection_remarks": "The same dog, reported a little earlier."}
            return [Step("MARK_DUPLICATE", at, verifier, "Same dog, same street.", fields)]
        remark = random.choice(VERIFY_REMARKS)
        steps.append(Step("VERIFY", at, verifier, remark, {"verification_remarks": remark}))
        return steps + self._field_work(story, crew, at, slow, wish, zone)

    def _if_it_passes(self, story: Story, crew: Crew, zone: ZoneInfo) -> list[Step]:
        """What a verifier does with a bad report that the checks let pass, as when the photo that it repeats was refused itself."""
        at = self._later(story.checked_at, 120, zone)
        fields = {"rejection_reason": "POOR_QUALITY", "rejection_remarks": REJECT_REMARKS["POOR_QUALITY"]}
        return [Step("REJECT", at, self._random.choice(crew.verifiers), REJECT_REMARKS["POOR_QUALITY"], fields)] if at < self._now else []

    def _field_work(self, story: Story, crew: Crew, verified_at: datetime, slow: float, wish: Wanted | None, zone: ZoneInfo) -> list[Step]:
        random = self._random
        officer = self._officer(crew.officers, story.spot.ward_code, wish)
        assigned_at = self._later(verified_at, 25 * slow, zone)
        started_at = self._later(assigned_at, 130 * slow, zone)
        place = blurred(random, *story.pin, 40)
        steps = [
            Step("ASSIGN", assigned_at, crew.supervisor, "Covers the ward", {"assignee": officer.account_id}),
            Step("START_FIELD_VISIT", started_at, officer, None, {"latitude": place[0], "longitude": place[1]}),
        ]
        at = self._round_after(started_at + timedelta(minutes=random.uniform(20, 90)))
        place = blurred(random, *story.pin, 60)
        fields: dict[str, object] = {"latitude": place[0], "longitude": place[1]}
        if story.fate == "not_found":
            reason = random.choices(list(UNABLE_REASONS), list(UNABLE_REASONS.values()))[0]
            fields |= {"unable_reason": reason, "resolution_type": "UNABLE_TO_LOCATE", "resolution_remarks": UNABLE_REMARKS[reason]}
            return [*steps, Step("MARK_UNABLE_TO_LOCATE", at, officer, UNABLE_REMARKS[reason], fields)]
        remark = random.choice(CAPTURE_REMARKS)
        fields |= {"resolution_type": random.choices(list(RESOLUTIONS), list(RESOLUTIONS.values()))[0], "resolution_remarks": remark}
        return [*steps, Step("MARK_CAPTURED", at, officer, remark, fields)]

    def _officer(self, officers: Sequence[Caller], ward_code: str, wish: Wanted | None) -> Caller:
        if wish is not None and wish.officer is not None:
            return next(officer for officer in officers if officer.username == wish.officer)
        covering = [officer for officer in officers if ward_code in officer.wards]
        return self._random.choice(covering or list(officers))

    def _later(self, at: datetime, median_minutes: float, zone: ZoneInfo) -> datetime:
        """Some time afterwards, when people work. Most are quick, some are not: log-normal around the median."""
        return office_hours(at + timedelta(minutes=median_minutes * self._random.lognormvariate(0, 0.6)), zone, self._random)

    def _round_after(self, at: datetime) -> datetime:
        """A moment shortly before the next round in which visits are entered."""
        rounds = (
            at.replace(hour=hour, minute=minute, second=0, microsecond=0) + timedelta(days=days)
            for days in (0, 1)
            for hour, minute in ROUNDS
        )
        end = next(moment for moment in rounds if moment > at)
        entered = end - timedelta(seconds=self._random.randint(1, ROUND_MINUTES * 60))
        return max(entered, at)

    def _until(self, story: Story, steps: list[Step], last: str | None) -> list[Step]:
        """The steps up to `last`, all before now: where they would come later they are moved together."""
        if last is None:
            return []
        kept = steps[: [step.action for step in steps].index(last) + 1]
        if kept[-1].at < self._now:
            return kept
        age = (self._now - story.checked_at) * AS_LONG_AS_WANTED
        return [
            Step(step.action, story.checked_at + age * (i + 1) / len(kept), step.by, step.comment, step.fields)
            for i, step in enumerate(kept)
        ]

    def _leave_officers_free(self, steps: list[Step]) -> list[Step]:
        """In dj.djibouti-ville the officers' loads are given: a report that is not finished yet has not been assigned yet."""
        if not steps or steps[-1].at < self._now or steps[-1].action not in ("MARK_CAPTURED", "MARK_UNABLE_TO_LOCATE"):
            return steps
        return [step for step in steps if step.action not in ("ASSIGN", "START_FIELD_VISIT", "MARK_CAPTURED", "MARK_UNABLE_TO_LOCATE")]

    def _capture_photo(self, story: Story, step: Step, zone: ZoneInfo) -> PhotoOrder:
        taken = (step.at - timedelta(minutes=self._random.uniform(2, 12))).astimezone(zone)
        uploaded = step.at - timedelta(seconds=20)
        place = blurred(self._random, *story.pin, 30)
        return PhotoOrder(
            file_id=uuid7(uploaded),
            owner_id=step.by.account_id,
            tenant_id=story.tenant_id,
            sent_by="Officer app",
            uploaded_at=uploaded,
            name=file_name("capture", taken),
            seed=self._seeds + story.index,
            kind="capture",
            latitude=place[0],
            longitude=place[1],
            taken_at=taken,
            camera=PHONE,
        )

    def _rate(self, story: Story, captured_at: datetime) -> None:
        at = captured_at + timedelta(hours=self._random.uniform(20, 90))  # the money has come by then
        if self._random.random() < RATED_SHARE and at < self._now:
            story.rating = (at, self._random.choices((5, 4, 3, 2, 1), (48, 30, 12, 6, 4))[0])
