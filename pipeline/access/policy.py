"""Who may do what: one table of operations and one of pages, by role. The API enforces it, the console draws its buttons from it.

Two things are not decided here: the step of a report that a role may take, which the workflow's own table says, and the
photos of a report, which pipeline.filestore.upload.check_may_read says. Roles come from the session row, never from a request.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal
from uuid import UUID

from pipeline.access.caller import Caller
from pipeline.errors import AppError

Roles = frozenset[str]

EVERYONE: Roles = frozenset(
    {"TEACHER", "VERIFIER", "SENIOR_VERIFIER", "MC_OFFICER", "MC_SUPERVISOR", "DISTRICT_ADMIN", "STATE_ADMIN", "AUDITOR"}
)
VERIFIERS: Roles = frozenset({"VERIFIER", "SENIOR_VERIFIER"})
ADMINS: Roles = frozenset({"DISTRICT_ADMIN", "STATE_ADMIN"})
SEES_ALL_REPORTS: Roles = VERIFIERS | ADMINS | {"MC_SUPERVISOR", "AUDITOR"}
SEES_REPORTERS: Roles = VERIFIERS | ADMINS | {"AUDITOR"}

Operation = Literal[
    "create_report",
    "update_report",
    "decide_pair",
    "search_reports",
    "upload_file",
    "search_officers",
    "locate",
    "evaluate_fraud",
    "edit_rules",
    "search_payouts",
    "retry_payout",
    "resolve_payout",
    "reconcile",
    "read_metrics",
    "review_flags",
    "correct_flags",
    "confirm_fraud",
    "lift_penalty",
    "appeal_penalty",
    "reveal_person",
    "download_own_data",
    "sync_registrations",
    "search_registrations",
    "act_on_registration",
    "decide_identity",
    "retry_credential",
    "authenticate_person",
    "enter_payee_number",
]

# Operation: who may, and what the others are told.
OPERATIONS: Mapping[Operation, tuple[Roles, str]] = MappingProxyType(
    {
        "create_report": (frozenset({"TEACHER"}), "only teachers submit reports"),
        # which step, the workflow says; who only reads is refused before
        "update_report": (EVERYONE - {"AUDITOR"}, "auditors read and change nothing"),
        "decide_pair": (VERIFIERS, "verifiers say what is no duplicate"),  # admins reopen what was rejected
        "search_reports": (EVERYONE, "needs a role of the programme"),
        # teachers' evidence, officers' capture photos, the receipt of a manual payment
        "upload_file": (ADMINS | {"TEACHER", "MC_OFFICER"}, "only teachers, officers and admins upload files"),
        "search_officers": (ADMINS | {"MC_SUPERVISOR", "AUDITOR"}, "officers are listed for supervisors and admins"),
        "locate": (EVERYONE, "needs a role of the programme"),
        # other services of ours sign in as an admin; who saw scores at will could try out how to stay below them
        "evaluate_fraud": (ADMINS, "evaluations are for our own services and admins"),
        "edit_rules": (frozenset({"STATE_ADMIN"}), "only state admins change rules"),
        "search_payouts": (ADMINS | {"AUDITOR"}, "payouts are for admins and the auditor"),
        "retry_payout": (frozenset({"STATE_ADMIN"}), "only state admins retry payouts"),
        "resolve_payout": (frozenset({"STATE_ADMIN"}), "only state admins resolve payouts"),
        "reconcile": (frozenset({"STATE_ADMIN"}), "only state admins reconcile"),
        "read_metrics": (frozenset({"STATE_ADMIN", "AUDITOR"}), "metrics are for state admins and the auditor"),
        # up to which escalation, the flag's own life says
        "review_flags": (VERIFIERS | ADMINS, "fraud flags are for verifiers and admins"),
        "correct_flags": (ADMINS, "only admins correct what a flag was resolved as"),
        "confirm_fraud": (ADMINS, "only admins confirm a fraud, two of them"),
        # which step, the role that hears appeals against it says
        "lift_penalty": (ADMINS, "only admins decide about penalties"),
        "appeal_penalty": (frozenset({"TEACHER"}), "only the teacher concerned appeals"),
        "reveal_person": (ADMINS, "only admins see a phone number or e-mail address in full"),
        "download_own_data": (EVERYONE, "needs a role of the programme"),
        # registration clients sign in as an admin of their district
        "sync_registrations": (ADMINS, "only admins announce and upload registrations"),
        "search_registrations": (ADMINS | {"AUDITOR"}, "registrations are for admins and the auditor"),
        "act_on_registration": (ADMINS, "only admins pause, resume and stop registrations"),
        "retry_credential": (ADMINS, "only admins retry credentials"),
        "authenticate_person": (ADMINS, "only admins ask whether somebody is who they say"),
        "enter_payee_number": (ADMINS, "only admins enter the number by which a payee is found"),
        "decide_identity": (ADMINS, "only admins decide whether two registrations are one person"),
    }
)

Page = Literal["my_reports", "visits", "assignment", "inbox", "payouts", "fraud", "identity", "analytics", "trace"]

# Who may open a page. Reading and acting differ: see PAGE_ACTORS.
PAGES: Mapping[Page, Roles] = MappingProxyType(
    {
        "my_reports": frozenset({"TEACHER"}),
        "visits": frozenset({"MC_OFFICER"}),
        "assignment": ADMINS | {"MC_SUPERVISOR"},
        "inbox": VERIFIERS | ADMINS,
        "payouts": ADMINS | {"AUDITOR"},
        "fraud": ADMINS | {"AUDITOR"},
        "identity": ADMINS | {"AUDITOR"},
        "analytics": EVERYONE,  # which dashboards, the master data's role mapping says
        "trace": EVERYONE,  # each role finds there what `sight` lets it read
    }
)

# Whose page it is to act on; the other roles of PAGES only look.
PAGE_ACTORS: Mapping[Page, Roles] = MappingProxyType(
    {
        "my_reports": frozenset({"TEACHER"}),
        "visits": frozenset({"MC_OFFICER"}),
        "assignment": frozenset({"MC_SUPERVISOR"}),
        "inbox": VERIFIERS | ADMINS,  # admins reopen
        "payouts": frozenset({"STATE_ADMIN"}),
        "fraud": ADMINS,  # rules are the state admins' alone: see edit_rules
        "identity": ADMINS,
        "analytics": frozenset(),
        "trace": frozenset(),
    }
)


@dataclass(frozen=True)
class Sight:
    """Which reports somebody may read inside the scope: all, or those of this reporter or this officer; nothing when all is unset."""

    all: bool
    reporter_id: UUID | None
    officer_id: UUID | None


def check(caller: Caller, operation: Operation) -> None:
    """Raise SDCRS_FORBIDDEN with the reason when the caller's roles do not include the operation."""
    roles, reason = OPERATIONS[operation]
    if caller.roles.isdisjoint(roles):
        raise AppError("SDCRS_FORBIDDEN", reason=reason)


def can(caller: Caller, operation: Operation) -> bool:
    """Whether `check` lets the caller pass: for buttons and menus."""
    return not caller.roles.isdisjoint(OPERATIONS[operation][0])


def check_page(caller: Caller, page: Page) -> None:
    """Raise SDCRS_FORBIDDEN when the page is not for the caller."""
    if not can_open(caller, page):
        raise AppError("SDCRS_FORBIDDEN", reason="this page is for other roles")


def can_open(caller: Caller, page: Page) -> bool:
    """Whether the caller may open the page."""
    return not caller.roles.isdisjoint(PAGES[page])


def can_act_on(caller: Caller, page: Page) -> bool:
    """Whether the caller may do something there, and not only look."""
    return not caller.roles.isdisjoint(PAGE_ACTORS[page])


def check_tenant(caller: Caller, tenant_id: str) -> None:
    """Raise SDCRS_TENANT_OUT_OF_SCOPE for a tenant that the caller's area does not hold."""
    if tenant_id not in caller.scope:
        raise AppError("SDCRS_TENANT_OUT_OF_SCOPE", tenantId=tenant_id)


def sight(caller: Caller) -> Sight:
    """Teachers read their own reports, officers those assigned to them, the others all of their area."""
    if caller.has(*SEES_ALL_REPORTS):
        return Sight(all=True, reporter_id=None, officer_id=None)
    return Sight(
        all=False,
        reporter_id=caller.account_id if caller.has("TEACHER") else None,
        officer_id=caller.account_id if caller.has("MC_OFFICER") else None,
    )


def sees_reporters(caller: Caller) -> bool:
    """Whether the caller learns who reported: verifiers, admins and the auditor do; officers and supervisors do not."""
    return caller.has(*SEES_REPORTERS)
