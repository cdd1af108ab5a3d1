"""What a registration waits for, since when, and who must act: read from the rows of its six steps. Pure: no SQL, no Streamlit."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import RowMapping

from dashboard.widgets import identity_words as words
from dashboard.widgets.identity_story import Story

Who = Literal["SYSTEM", "CLIENT", "ADMIN", "PARTNER", "NOBODY"]
WHO: dict[Who, str] = {
    "SYSTEM": "The system",
    "CLIENT": "The registration client",
    "ADMIN": "An admin",
    "PARTNER": "The authentication side",
    "NOBODY": "Nobody",
}
STORED_OR_OVER = ("STORED", "CANCELLED")


@dataclass(frozen=True)
class Wait:
    """One thing that is waited for. `until`: when it is tried again or happens by itself; `about`: which credential, if one."""

    step: int
    what: str
    who: Who
    since: datetime
    until: datetime | None = None
    about: str | None = None


def of(story: Story) -> list[Wait]:
    """What is waited for now, one entry a credential; none when everything is over."""
    if story.head["received_at"] is None:
        return [_announced(story.head)]
    if story.head["status_code"] != "PROCESSED":
        return [_processed(story)]
    return [wait for row in story.wanted if (wait := _credential(story, row)) is not None]


def ended(story: Story) -> str | None:
    """In words how it ended; None while something is still waited for."""
    if story.head["status_code"] == "REJECTED":
        return "Rejected"
    if story.head["received_at"] is None and story.head["supervisor_status"] == "REJECTED":
        return "Rejected by the supervisor"
    if story.head["status_code"] == "PROCESSED" and not of(story):
        return "Stored by every partner" if story.wanted else "Processed; no partner gets a credential of it"
    return None


def step_of(story: Story) -> int:
    """The step at which it stands: the earliest that is waited for, 6 when everything is over."""
    return min((wait.step for wait in of(story)), default=6)


def _announced(head: RowMapping) -> Wait:
    if head["supervisor_status"] == "REJECTED":
        return Wait(1, "nothing: the supervisor has rejected it", "NOBODY", head["synced_at"])
    return Wait(1, "the upload of the announced components", "CLIENT", head["synced_at"])


def _processed(story: Story) -> Wait:
    head = story.head
    since = head["latest_trn_at"] or head["received_at"]
    match head["status_code"]:
        case "REJECTED":
            return Wait(2, "nothing: it is rejected", "NOBODY", since)
        case "PAUSED" if _undecided(story.pairs):
            return Wait(2, "a person to decide whether two records are one person", "ADMIN", since, head["resume_at"])
        case "PAUSED":
            after = f"; then it {words.RESUMES.get(head['default_resume_action'], 'goes on')} by itself" if head["resume_at"] else ""
            return Wait(2, f"the end of a pause (rule {head['pause_rule']}){after}", "ADMIN", since, head["resume_at"])
        case "PAUSED_FOR_ADDITIONAL_INFO":
            return Wait(2, "more information from the client", "CLIENT", since, head["resume_at"])
        case "FAILED":
            again = "the packet to be sent again" if head["upload_number"] <= 10 else "the person to be registered anew"
            return Wait(2, again, "CLIENT", since)
        case "REPROCESS_FAILED":
            return Wait(
                2,
                f"a decision: the stage {words.stage(head['stage']).lower()} has given up after {head['attempts']} attempts",
                "ADMIN",
                since,
            )
        case "REPROCESS":
            return Wait(2, f"another attempt at the stage {words.stage(head['stage']).lower()}", "SYSTEM", since, head["next_attempt_at"])
        case _:
            return Wait(2, f"the stage {words.stage(head['stage']).lower()}", "SYSTEM", since)


def _undecided(pairs: Sequence[RowMapping]) -> bool:
    return any(pair["status_code"] == "PENDING" for pair in pairs)


def _credential(story: Story, row: RowMapping) -> Wait | None:
    about = f"{words.KINDS.get(row['kind'], row['kind'])} for {row['partner_id']}"
    if row["status"] in ("DELETED", "INVALID"):
        return None
    request = story.request(row["request_id"])
    if request is None or row["status"] in ("NEW", "FAILED"):
        if row["dead_at"] is not None:
            return Wait(3, f"a decision: the request was given up after {row['attempts']} attempts", "ADMIN", row["dead_at"], None, about)
        again = row["next_attempt_at"] if row["attempts"] else None
        return Wait(
            3, "the status handler" if again is None else "another attempt to ask for it", "SYSTEM", row["upd_dtimes"], again, about
        )
    if request["status_code"] in STORED_OR_OVER:
        return None
    if request["status_code"] != "ISSUED":
        return _issuing(request, about)
    return _stored(story, request, about)


def _issuing(request: RowMapping, about: str) -> Wait:
    if request["dead_at"] is not None:
        return Wait(4, f"a decision: it was given up after {request['trn_retry_count']} retries", "ADMIN", request["dead_at"], None, about)
    if request["status_code"] == "NEW" and not request["trn_retry_count"]:
        return Wait(4, "the credential to be issued", "SYSTEM", request["upd_dtimes"], None, about)
    return Wait(4, "another attempt to issue it", "SYSTEM", request["upd_dtimes"], request["next_attempt_at"], about)


def _stored(story: Story, request: RowMapping, about: str) -> Wait:
    """Issued, and not acknowledged: where its newest issuance stands on the other side."""
    issuances = story.issued(request["id"])
    last = issuances[-1] if issuances else None
    since = request["issuance_date"] or request["upd_dtimes"]
    if last is None or last["event_status"] is None:
        if last is not None and last["delivery_dead_at"] is not None:
            return Wait(5, "a decision: the hub could not deliver its event", "ADMIN", last["delivery_dead_at"], None, about)
        failing = last is not None and bool(last["failing"])
        again = last["delivery_next_at"] if failing and last is not None else None
        return Wait(5, "the hub to deliver its event" + (" once more" if failing else ""), "SYSTEM", since, again, about)
    if last["event_status"] in ("NEW", "FAILED"):
        again = last["event_next_at"] if last["retry_count"] else None
        return Wait(5, "the store job" if again is None else "another attempt to store it", "PARTNER", last["event_at"], again, about)
    said = "stored" if last["event_status"] == "STORED" else "not stored"
    if last["acknowledged_at"] is None:
        return Wait(6, f"the word that it is {said}", "PARTNER", last["event_ended_at"], None, about)
    return Wait(6, f"the word that it is {said} to reach the generator", "SYSTEM", last["acknowledged_at"], None, about)
