"""Every error that a person or a client can meet: one stable code, one sentence that says what to do.

The tree is flat on purpose: code that must react to a case compares `error.code`. Where several errors are true at
once, the checks run in the order of the groups below: who you are, what you may do, your standing, your limits, the
body, the state of the thing. A retired code is never used again.
"""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class ErrorSpec:
    """A registered error: HTTP status, the sentence shown (with `{param}` places) and the names of its params."""

    status: int
    message: str
    params: tuple[str, ...] = ()


REGISTRY: dict[str, ErrorSpec] = {
    # who you are
    "SDCRS_NOT_SIGNED_IN": ErrorSpec(401, "Sign in first: the session is missing, ended or was revoked."),
    "SDCRS_BAD_CREDENTIALS": ErrorSpec(401, "User name or password is wrong."),
    "SDCRS_TOO_MANY_REQUESTS": ErrorSpec(
        429, "More than {perMinute} requests in a minute. Wait {retryAfterSeconds} seconds.", ("perMinute", "retryAfterSeconds")
    ),
    "SDCRS_SIGN_IN_THROTTLED": ErrorSpec(429, "Too many failed sign-ins. Wait {retryAfterSeconds} seconds.", ("retryAfterSeconds",)),
    "SDCRS_SSO_REQUIRED": ErrorSpec(403, "Teachers sign in with the state's account, not with a password of ours."),
    "SDCRS_SSO_OFF": ErrorSpec(404, "No identity provider is set up here. Sign in with user name and password."),
    "SDCRS_SSO_REDIRECT_URI": ErrorSpec(400, "Nobody may be sent to this redirect_uri. The operator lists those that are allowed."),
    "SDCRS_SSO_STATE": ErrorSpec(400, "This sign-in was not begun here, took too long or was used already. Begin again."),
    "SDCRS_SSO_REFUSED": ErrorSpec(401, "The identity provider's answer is not accepted: {reason}. Begin again.", ("reason",)),
    "SDCRS_SSO_AWAY": ErrorSpec(503, "The identity provider does not answer ({why}). Try again shortly.", ("why",)),
    "SDCRS_SSO_NO_ACCOUNT": ErrorSpec(403, "The state's account opens no account here: {reason}.", ("reason",)),
    "SDCRS_AUTH_THROTTLED": ErrorSpec(
        429, "Too many attempts at this number or by you. Wait {retryAfterSeconds} seconds.", ("retryAfterSeconds",)
    ),
    "SDCRS_ACCOUNT_INACTIVE": ErrorSpec(403, "This account is not active. Ask your administrator."),
    "SDCRS_BAD_ORIGIN": ErrorSpec(403, "The request came from another site. Open the console itself and try again."),
    # what you may do
    "SDCRS_FORBIDDEN": ErrorSpec(403, "Your role may not do this: {reason}", ("reason",)),
    "SDCRS_TENANT_OUT_OF_SCOPE": ErrorSpec(403, "Tenant {tenantId} is outside your area.", ("tenantId",)),
    # standing and limits
    "SDCRS_TEACHER_SUSPENDED": ErrorSpec(
        403, "New reports are blocked for this account. Contact the helpdesk {helpdesk}.", ("suspendedUntil", "reason", "helpdesk")
    ),
    "SDCRS_DAILY_LIMIT_EXCEEDED": ErrorSpec(
        400,
        "The daily limit of {dailyLimit} reports is reached. Try again after midnight.",
        ("dailyLimit", "submittedToday", "nextAvailableTime"),
    ),
    # the body
    "SDCRS_INVALID_JSON": ErrorSpec(400, "The body is not valid JSON: {detail}", ("detail",)),
    "SDCRS_INVALID_REQUEST": ErrorSpec(400, "{field}: {detail}", ("field", "detail")),
    "SDCRS_BODY_TOO_LARGE": ErrorSpec(413, "The body is larger than {maxBytes} bytes.", ("maxBytes",)),
    "SDCRS_EVIDENCE_MISSING": ErrorSpec(400, "A report needs a photo of the dog and a selfie; {missing} is missing.", ("missing",)),
    "SDCRS_UNKNOWN_FILE": ErrorSpec(400, "File {fileStoreId} does not exist or is not yours. Upload it first.", ("fileStoreId",)),
    "SDCRS_UNKNOWN_SERVICE_TYPE": ErrorSpec(400, "Report type {serviceType} does not exist. Use one of {known}.", ("serviceType", "known")),
    "SDCRS_FILE_TOO_LARGE": ErrorSpec(413, "The file is larger than {maxMegabytes} MB.", ("maxMegabytes",)),
    "SDCRS_FILE_FORMAT": ErrorSpec(415, "{fileName} is {format}; only JPEG and PNG are taken. {advice}", ("fileName", "format", "advice")),
    "SDCRS_FILE_NOT_AN_IMAGE": ErrorSpec(400, "{fileName} is not a JPEG or PNG photo that can be read: {detail}", ("fileName", "detail")),
    "SDCRS_STATEMENT_UNREADABLE": ErrorSpec(
        400, "{fileName}, line {line}, column {column}: {detail}.", ("fileName", "line", "column", "detail")
    ),
    "SDCRS_UNKNOWN_REASON": ErrorSpec(
        400, "Reason {reason} does not exist or is not for this action. Use one of {known}.", ("reason", "known")
    ),
    "SDCRS_FACT_MISSING": ErrorSpec(400, "{action} needs {field}.", ("action", "field")),
    "SDCRS_UNKNOWN_OFFICER": ErrorSpec(400, "{officer} is not an active officer of this tenant.", ("officer",)),
    "SDCRS_INVALID_VPA": ErrorSpec(400, "The UPI address is not valid: {detail}", ("detail",)),
    "SDCRS_INVALID_MASTER_DATA": ErrorSpec(422, "{file}: {field}: {detail}", ("file", "field", "detail")),
    "SDCRS_INVALID_RULE": ErrorSpec(400, "{field}: {detail}", ("field", "detail")),
    "SDCRS_PROCESS_NOT_TAKEN": ErrorSpec(400, "Process {process} is not taken here. Use one of {known}.", ("process", "known")),
    "SDCRS_COMPONENT_MISSING": ErrorSpec(400, "Component {component} was announced and is not in the upload.", ("component",)),
    "SDCRS_COMPONENT_NOT_ANNOUNCED": ErrorSpec(400, "Component {component} is in the upload and was not announced.", ("component",)),
    "SDCRS_SIDECAR_MISSING": ErrorSpec(400, "Component {component} comes without its JSON file.", ("component",)),
    "SDCRS_SIDECAR_UNREADABLE": ErrorSpec(400, "The JSON file of component {component} cannot be read.", ("component",)),
    "SDCRS_PACKET_SIZE_DIFFERS": ErrorSpec(
        400, "Component {component} has {sent} bytes, announced were {announced}.", ("component", "announced", "sent")
    ),
    "SDCRS_PACKET_HASH_DIFFERS": ErrorSpec(
        400, "The SHA-256 of component {component} is {sent}, announced was {announced}.", ("component", "announced", "sent")
    ),
    "SDCRS_PACKET_TOO_LARGE": ErrorSpec(413, "Component {component} is larger than {maxBytes} bytes.", ("component", "maxBytes")),
    "SDCRS_PACKET_NOT_A_ZIP": ErrorSpec(400, "Component {component} cannot be read as a zip archive: {detail}.", ("component", "detail")),
    "SDCRS_PACKET_ZIP_BOMB": ErrorSpec(413, "Component {component} unpacks to more than is taken: {detail}.", ("component", "detail")),
    "SDCRS_PACKET_TOO_MANY_ENTRIES": ErrorSpec(
        413, "Component {component} holds more than {maxEntries} files.", ("component", "maxEntries")
    ),
    "SDCRS_PACKET_PATH_TRAVERSAL": ErrorSpec(400, "Component {component} holds an entry whose path leads out of it.", ("component",)),
    "SDCRS_PACKET_NOT_A_FILE": ErrorSpec(400, "Component {component} holds a link or a folder; only files are taken.", ("component",)),
    "SDCRS_PACKET_ENTRY_NAME": ErrorSpec(
        400, "Component {component} holds an entry whose name is more than letters, digits, dots and dashes.", ("component",)
    ),
    "SDCRS_PACKET_ENCRYPTED": ErrorSpec(
        400, "Entry {entry} of component {component} is encrypted; send it in clear over the secured connection.", ("component", "entry")
    ),
    "SDCRS_PACKET_DUPLICATE_ENTRY": ErrorSpec(400, "Component {component} holds {entry} twice.", ("component", "entry")),
    "SDCRS_PACKET_CONTENT": ErrorSpec(400, "Component {component} is not a packet's: {detail}.", ("component", "detail")),
    "SDCRS_CREDENTIAL_REFUSED": ErrorSpec(409, "No credential is issued: {reason}.", ("reason",)),
    "SDCRS_CREDENTIAL_SIGNATURE": ErrorSpec(409, "The credential is not signed by this installation, or was altered."),
    "SDCRS_CREDENTIAL_PARTNER": ErrorSpec(409, "The credential is not encrypted for this partner, or was altered."),
    "SDCRS_CREDENTIAL_MISMATCH": ErrorSpec(409, "The credential is another than the event says."),
    # the state of the thing
    "SDCRS_NOT_SYNCED": ErrorSpec(404, "Registration {registrationId} was not announced. Sync it before the upload.", ("registrationId",)),
    "SDCRS_NOT_APPROVED": ErrorSpec(409, "The supervisor has not approved registration {registrationId}.", ("registrationId",)),
    "SDCRS_ALREADY_UPLOADED": ErrorSpec(409, "Registration {registrationId} was uploaded already.", ("registrationId",)),
    "SDCRS_REREGISTER": ErrorSpec(
        409, "Registration {registrationId} was sent again {maxResends} times. Register the person anew.", ("registrationId", "maxResends")
    ),
    "SDCRS_REGISTRATION_TAKEN": ErrorSpec(409, "Registration id {registrationId} is in use already.", ("registrationId",)),
    "SDCRS_REGISTRATION_STATE": ErrorSpec(409, "{action} is not possible while the registration is {state}.", ("action", "state")),
    "SDCRS_VERIFICATION_DECIDED": ErrorSpec(409, "This pair of registrations was decided already: {status}.", ("status",)),
    "SDCRS_NOT_FOUND": ErrorSpec(404, "{kind} {id} was not found in your area.", ("kind", "id")),
    "SDCRS_UNKNOWN_PATH": ErrorSpec(404, "{path} does not exist here.", ("path",)),
    "SDCRS_METHOD_NOT_ALLOWED": ErrorSpec(405, "{method} is not allowed for {path}.", ("method", "path")),
    "SDCRS_ACTION_NOT_ALLOWED": ErrorSpec(409, "{action} is not possible while the report is {state}.", ("action", "state")),
    "SDCRS_ROLE_NOT_ALLOWED": ErrorSpec(403, "{action} is not for your role.", ("action",)),
    "SDCRS_STALE_VERSION": ErrorSpec(
        409, "Somebody changed this report meanwhile (version {current}, yours {sent}). Reload it.", ("current", "sent", "state", "changes")
    ),
    "SDCRS_CLAIMED_BY_OTHER": ErrorSpec(409, "Another person is working on this report until {until}.", ("until",)),
    "SDCRS_NOT_YOUR_REPORT": ErrorSpec(403, "This report is not assigned to you."),
    "SDCRS_IDEMPOTENCY_CONFLICT": ErrorSpec(409, "The same Idempotency-Key was used with another body. Use a new key."),
    "SDCRS_RETRIES_EXHAUSTED": ErrorSpec(409, "All {maxRetries} retries are used. Resolve this payout manually.", ("maxRetries",)),
    "SDCRS_PAYOUT_UNRESOLVED": ErrorSpec(409, "The provider has not answered for certain yet; a new attempt could pay twice."),
    "SDCRS_PAYOUT_FROZEN": ErrorSpec(409, "Payouts to this teacher are frozen until {until}.", ("until",)),
    "SDCRS_INVALID_UIN": ErrorSpec(400, "This is no UIN: ten digits, the last of them a check digit."),
    "SDCRS_UIN_OF_ANOTHER": ErrorSpec(409, "This UIN is entered for another teacher already."),
    "SDCRS_PAYEE_NOT_VERIFIED": ErrorSpec(
        409,
        "Payouts wait until the teacher is a verified payee. See the identity flow, or settle it outside the rules with a second admin.",
    ),
    "SDCRS_MONTHLY_CAP_REACHED": ErrorSpec(
        409, "The teacher's monthly cap of Rs.{capRupees} is used up. It can be paid from {payableFrom} on.", ("capRupees", "payableFrom")
    ),
    "SDCRS_APPROVAL_PENDING": ErrorSpec(409, "A settlement by hand waits for a second admin. Approve or reject that first."),
    "SDCRS_NOTHING_TO_APPROVE": ErrorSpec(409, "No settlement by hand waits for approval here."),
    "SDCRS_SELF_APPROVAL": ErrorSpec(403, "A second admin must approve; you requested this yourself."),
    "SDCRS_ALREADY_CONFIRMED": ErrorSpec(409, "This report was confirmed as a fraud already, or waits for a second admin."),
    "SDCRS_PENALTY_OVER": ErrorSpec(409, "This penalty is over already."),
    "SDCRS_APPEAL_CLOSED": ErrorSpec(409, "An appeal is not possible: {reason}.", ("reason",)),
    "SDCRS_FLAG_NOT_POSSIBLE": ErrorSpec(409, "{action} is not possible while the flag is {state}.", ("action", "state")),
    "SDCRS_RULE_CHANGED": ErrorSpec(
        409,
        "Rule {ruleId} changed since this draft was begun (rules version {base}, now {current}). Begin again.",
        ("ruleId", "base", "current"),
    ),
    "SDCRS_DRAFT_CHANGED": ErrorSpec(
        409, "This draft changed meanwhile (version {current}, yours {sent}). Open it again.", ("current", "sent")
    ),
    "SDCRS_DRAFT_DECIDED": ErrorSpec(409, "{action} is not possible: the draft is {state}.", ("action", "state")),
    "SDCRS_DRAFT_NOT_TRIED": ErrorSpec(409, "Try the draft on the last reports before it is submitted."),
    "SDCRS_LINK_EXPIRED": ErrorSpec(403, "This link has expired or was altered. Open the report again."),
    "SDCRS_CREDENTIAL_STATE": ErrorSpec(409, "{action} is not possible while the credential request is {state}.", ("action", "state")),
    "SDCRS_AUTH_UNKNOWN": ErrorSpec(404, "No credential of this number is held in your area."),
    "SDCRS_AUTH_EXPIRED": ErrorSpec(409, "This number has expired. Ask for another one."),
    "SDCRS_AUTH_USED_UP": ErrorSpec(409, "This number was used as often as it may be. Ask for another one."),
    "SDCRS_SHARE_EXPIRED": ErrorSpec(410, "The share has expired. A new credential must be issued."),
    "SDCRS_SHARE_USED_UP": ErrorSpec(410, "The share was downloaded as often as it may be. A new credential must be issued."),
    "SDCRS_SHARE_DAMAGED": ErrorSpec(410, "The shared bytes are not what was shared. A new credential must be issued."),
    "SDCRS_CALLBACK_NOT_ALLOWED": ErrorSpec(403, "Nothing is delivered to this callback. The operator lists those that are allowed."),
    "SDCRS_TOO_MANY_SUBSCRIPTIONS": ErrorSpec(409, "The topic {topic} has as many subscriptions as it may have.", ("topic",)),
    "SDCRS_BAD_SIGNATURE": ErrorSpec(401, "The webhook signature does not match."),
    # the machine
    "SDCRS_BUSY": ErrorSpec(503, "The service is busy. Try again in {retryAfterSeconds} seconds.", ("retryAfterSeconds",)),
    "SDCRS_TRIAL_TOO_SLOW": ErrorSpec(
        503,
        "The draft is kept but could not be tried in {seconds} seconds. Let the rule look at a shorter time or a smaller circle.",
        ("seconds",),
    ),
    "SDCRS_PHOTO_NOT_EXAMINED": ErrorSpec(
        503, "{fileName} could not be examined: {detail}. Send it again; if that does not help, take a new one.", ("fileName", "detail")
    ),
    "SDCRS_PARTICIPANT_AWAY": ErrorSpec(503, "A participant of the identity flow does not answer ({why}). Ask the same again.", ("why",)),
    "SDCRS_PROVIDER_AWAY": ErrorSpec(503, "The payment provider does not answer ({why}). Try again shortly.", ("why",)),
    "SDCRS_DATABASE_DOWN": ErrorSpec(503, "The database cannot be reached. Try again shortly."),
    "SDCRS_DATABASE_NOT_STARTED": ErrorSpec(500, "The embedded database does not start: {detail}", ("detail",)),
    "SDCRS_STARTING": ErrorSpec(503, "The service is starting: {step}. This page looks again by itself.", ("step",)),
    "SDCRS_PORT_BUSY": ErrorSpec(500, "Port {port} is in use. Stop the other program or set {setting}.", ("port", "setting")),
    "SDCRS_BAD_SETTING": ErrorSpec(500, "{setting}: {detail}", ("setting", "detail")),
    "SDCRS_UNSAFE_SETTINGS": ErrorSpec(500, "Production does not start so: {why}.", ("settings", "why")),
    "SDCRS_NOT_MIGRATED": ErrorSpec(
        500, "The database has version {found}, this code needs {needed}. Run python -m pipeline migrate.", ("found", "needed")
    ),
    "SDCRS_BACKUP_FAILED": ErrorSpec(500, "The backup was not written: {detail}", ("detail",)),
    "SDCRS_RESTORE_FAILED": ErrorSpec(500, "Nothing was restored: {detail}", ("detail",)),
    "SDCRS_DECRYPT_FAILED": ErrorSpec(500, "A stored value cannot be decrypted: wrong key or altered data."),
    "SDCRS_INTERNAL": ErrorSpec(500, "Something went wrong here. Tell the helpdesk the reference {reference}.", ("reference",)),
}


class AppError(Exception):
    """A registered error with its params. `code` is stable; `message` is the sentence for a person.

    Raises KeyError when the code is not registered or a declared param is missing: that is a fault in our own code.
    """

    def __init__(self, code: str, **params: Any) -> None:
        spec = REGISTRY[code]
        missing = set(spec.params) - set(params)
        if missing:
            raise KeyError(f"{code} needs {sorted(missing)}")
        self.code = code
        self.status = spec.status
        self.params = params
        self.message = spec.message.format(**params)
        super().__init__(f"{code}: {self.message}")
