"""Everything recorded about one report, read once, from which each of its packets is shown to one reader.

What the reader may not know is not read: officers and supervisors get no person of the reporter and no selfie.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, RowMapping, text

from pipeline.access.caller import Caller
from pipeline.errors import AppError
from pipeline.masterdata.master import MasterData
from pipeline.notifications.follower import message_text
from pipeline.packets.catalogue import get
from pipeline.packets.personal import with_personal
from pipeline.packets.render import render
from pipeline.packets.render.facts import RecordedFacts, Row, View, view_of
from pipeline.runtime import Runtime
from pipeline.vault.persons import mask_phone, mask_vpa

MAX_PACKETS = 500  # a report has about thirty; retries and webhooks add some
PERSON_FIELDS = ("name", "phone", "vpa")

_REPORT = text("""
    SELECT r.*, o.report_number AS duplicate_of_number FROM sdcrs.report r LEFT JOIN sdcrs.report o ON o.id = r.duplicate_of
    WHERE r.id = :id
""")
_HEADERS = text("""
    SELECT p.id, p.packet, p.version, p.sender, p.receiver, p.topic, p.key, p.occurred_at, p.recorded_at, p.correlation_id, p.causation_id,
           p.body, p.subject_kind
    FROM packet.log p
    WHERE p.subject_id = :id OR (p.subject_kind = 'FILE' AND p.subject_id IN
          (SELECT e.file_id FROM sdcrs.evidence e WHERE e.report_id = :id AND (:selfies OR e.evidence_type <> 'REPORTER_SELFIE')))
    ORDER BY p.occurred_at, p.id LIMIT :limit
""")
_EVIDENCE = text("""
    SELECT e.*, f.exif_latitude, f.exif_longitude, f.exif_gps_at, f.exif_taken_at, f.exif_device, f.exif_present, f.width_px, f.height_px
    FROM sdcrs.evidence e JOIN sdcrs.file f ON f.id = e.file_id
    WHERE e.report_id = :id AND (:selfies OR e.evidence_type <> 'REPORTER_SELFIE') ORDER BY e.created_at, e.evidence_type LIMIT 20
""")
_FILES = text("""
    SELECT f.* FROM sdcrs.evidence e JOIN sdcrs.file f ON f.id = e.file_id
    WHERE e.report_id = :id AND (:selfies OR e.evidence_type <> 'REPORTER_SELFIE') ORDER BY f.uploaded_at, e.evidence_type LIMIT 20
""")
_HISTORY = text("SELECT * FROM sdcrs.report_history WHERE report_id = :id ORDER BY version LIMIT 200")
_CHECKS = text("SELECT * FROM fraud.check_result WHERE report_id = :id ORDER BY position")
_RULES = text("SELECT * FROM fraud.rule_result WHERE report_id = :id ORDER BY outcome, rule_id LIMIT 200")
_EVALUATED = text("SELECT evaluated_at, rules_looked_at FROM fraud.evaluation WHERE report_id = :id ORDER BY number DESC LIMIT 1")
_PAYOUT = text("SELECT * FROM payout.payout WHERE report_id = :id")
_ATTEMPTS = text("""
    SELECT a.*, f.provider_contact_id AS contact_id, f.provider_fund_account_id AS fund_account
    FROM payout.attempt a JOIN payout.payout p ON p.id = a.payout_id JOIN payout.fund_account f ON f.id = a.fund_account_id
    WHERE p.report_id = :id ORDER BY a.number
""")
_NOTIFICATIONS = text("SELECT * FROM sdcrs.notification WHERE report_id = :id ORDER BY created_at LIMIT 100")
_ACCOUNTS = text("SELECT id, username, roles, school_code, school_name FROM access.account WHERE id = ANY (:ids)")


@dataclass(frozen=True)
class Dossier:
    """One report's records as one reader may see them. `headers` are the packets in the order in which they happened."""

    report: RowMapping
    headers: Sequence[RowMapping]
    evidence: Sequence[RowMapping]
    files: Sequence[RowMapping]
    history: Sequence[RowMapping]
    checks: Sequence[RowMapping]
    rules: Sequence[RowMapping]
    evaluation: Row
    payout: RowMapping | None
    attempts: Sequence[RowMapping]
    notifications: Sequence[RowMapping]
    persons: Mapping[str, Mapping[str, Any]]
    view: View
    public_url: str
    md: MasterData

    def body(self, header: RowMapping) -> tuple[dict[str, Any], bool]:
        """A packet's body, and whether it was rendered: True when only its header is recorded, False when it was stored.

        A message is stored as template and params, and is always drawn as its reader got it.
        """
        if header["body"] is not None and get(header["packet"]).room != "notifications":
            return with_personal(dict(header["body"]), self._person), False
        return render(header["packet"], self.facts(header)), True

    def facts(self, header: RowMapping) -> RecordedFacts:
        """What this packet is rendered from: the change that caused it, the attempt or message that it is about."""
        tenant = self.md.tenant(self.report["tenant_id"])
        return RecordedFacts(
            report=self.report,
            evidence=self.evidence,
            history=next((h for h in self.history if h["id"] == header["causation_id"]), {}),
            timeline=self.history,
            checks=self.checks,
            fraud={**self.evaluation, "rules": self.rules} if self.evaluation else {},
            payout=self.payout or {},
            attempt=self._attempt(header),
            notification=self._notification(header),
            persons=self.persons,
            tenant={"id": tenant.id, "name": tenant.name, "timezone": tenant.timezone.key},
            files=self.files,
            options={"public_url": self.public_url},
            view=self.view,
        )

    def message(self, notification: RowMapping) -> str:
        """A message as its recipient reads it; what this reader may not know of him is a dash."""
        recipient = self.persons.get(str(notification["recipient_id"]), {})
        resolved = {"trackingUrl": f"{self.public_url}/track/{self.report['tracking_id']}", "vpa": recipient.get("vpa") or ""}
        return message_text(self.md, notification["template_id"], notification["locale"], notification["params"], resolved)

    def _person(self, person_id: str, field: str) -> str | None:
        value = self.persons.get(person_id, {}).get(field)
        return None if value is None else str(value)

    def _attempt(self, header: RowMapping) -> Row:
        named = [a for a in self.attempts if header["key"] in (a["reference_id"], str(a["id"]), a["provider_payout_id"])]
        before = [a for a in self.attempts if a["created_at"] <= header["occurred_at"]]
        found = named or before[-1:]
        return found[0] if found else {}

    def _notification(self, header: RowMapping) -> Row:
        found = next((n for n in self.notifications if str(n["id"]) == header["key"]), None)
        return {} if found is None else {**found, "message": self.message(found)}


def load_dossier(conn: Connection, rt: Runtime, caller: Caller, report_id: UUID, public_url: str, view: View | None = None) -> Dossier:
    """Read the dossier inside the caller's transaction. Raises SDCRS_NOT_FOUND outside the caller's area.

    `view` narrows or, for our own replay, widens what the roles allow.
    """
    md = rt.masterdata.current()
    report = conn.execute(_REPORT, {"id": report_id}).mappings().one_or_none()
    if report is None:
        raise AppError("SDCRS_NOT_FOUND", kind="Report", id=str(report_id))
    owner = report["reporter_id"] == caller.account_id
    seen = view or view_of(caller.roles, owner=owner)
    if seen is View.PUBLIC:
        raise AppError("SDCRS_NOT_FOUND", kind="Report", id=str(report_id))
    params = {"id": report_id, "selfies": seen is not View.FIELD, "limit": MAX_PACKETS}

    def read(statement: Any) -> list[RowMapping]:
        return list(conn.execute(statement, params).mappings())

    history, notifications = read(_HISTORY), read(_NOTIFICATIONS)
    if seen is View.FIELD:
        notifications = [n for n in notifications if n["recipient_id"] != report["reporter_id"]]
    ids = (
        {h["actor_id"] for h in history}
        | {n["recipient_id"] for n in notifications}
        | {report["reporter_id"], report["assigned_officer_id"]}
    )
    if seen is View.FIELD:
        ids -= {report["reporter_id"]}
    payouts = [] if seen is View.FIELD else read(_PAYOUT)
    return Dossier(
        report=report,
        headers=read(_HEADERS),
        evidence=read(_EVIDENCE),
        files=read(_FILES),
        history=history,
        checks=read(_CHECKS) if seen is View.REVIEW else [],
        rules=read(_RULES) if seen is View.REVIEW else [],
        evaluation=next(iter(read(_EVALUATED)), {}) if seen is View.REVIEW else {},
        payout=payouts[0] if payouts else None,
        attempts=[] if seen is View.FIELD else read(_ATTEMPTS),
        notifications=notifications,
        persons=_persons(conn, rt, caller, [i for i in ids if i is not None]),
        view=seen,
        public_url=public_url,
        md=md,
    )


def _persons(conn: Connection, rt: Runtime, caller: Caller, ids: Sequence[UUID]) -> dict[str, dict[str, Any]]:
    """Names, with phones and VPAs masked except the reader's own."""
    fields = rt.vault.get(conn, ids, PERSON_FIELDS)
    persons: dict[str, dict[str, Any]] = {}
    for account in conn.execute(_ACCOUNTS, {"ids": list(ids)}).mappings():
        found = fields.get(account["id"], {})
        own = account["id"] == caller.account_id
        persons[str(account["id"])] = {
            "username": account["username"],
            "roles": list(account["roles"]),
            "school_code": account["school_code"],
            "school_name": account["school_name"],
            "name": found.get("name"),
            "phone": found.get("phone") if own else mask_phone(found.get("phone")),
            "vpa": found.get("vpa") if own else mask_vpa(found.get("vpa")),
        }
    return persons
