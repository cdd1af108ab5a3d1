-- The foundation: one schema per room. States and kinds are text with CHECK, never enums: under row-level security an
-- enum comparison is not leakproof and loses its index. Tables with tenant_id get their policies in sql/always/.

CREATE SCHEMA access;
CREATE SCHEMA vault;
CREATE SCHEMA audit;
CREATE SCHEMA packet;
CREATE SCHEMA jobs;
CREATE SCHEMA sdcrs;
CREATE SCHEMA fraud;
CREATE SCHEMA payout;
CREATE SCHEMA analytics;

-- Master data ---------------------------------------------------------------------------------------------------------

CREATE TABLE masterdata.document (
    tenant_id     text        NOT NULL,  -- a tenant, a state, or 'common'
    module        text        NOT NULL,
    master        text        NOT NULL,
    version       int         NOT NULL CHECK (version > 0),
    content       jsonb       NOT NULL,
    checksum      text        NOT NULL,
    published_at  timestamptz NOT NULL,
    published_by  text        NOT NULL,
    PRIMARY KEY (tenant_id, module, master, version)
);

-- Accounts and sessions -----------------------------------------------------------------------------------------------

CREATE TABLE access.account (
    id             uuid        PRIMARY KEY,
    tenant_id      text        NOT NULL,  -- home tenant; the scope is this tenant and all below it
    state_id       text        NOT NULL,
    username       text        NOT NULL CHECK (username = btrim(username) AND length(username) BETWEEN 2 AND 64),
    password_hash  text,                  -- argon2id; NULL: signs in elsewhere, or not at all
    roles          text[]      NOT NULL CHECK (
        cardinality(roles) > 0 AND roles <@ ARRAY['TEACHER', 'VERIFIER', 'SENIOR_VERIFIER', 'MC_OFFICER', 'MC_SUPERVISOR',
                                                  'DISTRICT_ADMIN', 'STATE_ADMIN', 'AUDITOR']),
    wards          text[]      NOT NULL DEFAULT '{}',  -- an officer's wards
    on_duty        boolean     NOT NULL DEFAULT true,
    max_load       int         NOT NULL DEFAULT 10 CHECK (max_load BETWEEN 0 AND 100),
    school_code    text,                  -- a teacher's school
    school_name    text,
    locale         text        NOT NULL DEFAULT 'en_IN' CHECK (locale IN ('en_IN', 'hi_IN')),
    active         boolean     NOT NULL DEFAULT true,
    demo           boolean     NOT NULL DEFAULT false,  -- made by the demo, and labelled so
    standing       text        NOT NULL DEFAULT 'GOOD' CHECK (standing IN ('GOOD', 'WARNING', 'COOLDOWN', 'SUSPENSION', 'BAN')),
    standing_until timestamptz,           -- NULL with COOLDOWN or SUSPENSION never happens; NULL with BAN: for ever
    standing_reason text,
    lifetime_reports int       NOT NULL DEFAULT 0 CHECK (lifetime_reports >= 0),
    created_at     timestamptz NOT NULL,
    UNIQUE (state_id, username),
    CHECK (standing IN ('GOOD', 'WARNING', 'BAN') OR standing_until IS NOT NULL),
    CHECK (standing = 'GOOD' OR standing_reason IS NOT NULL)
);
CREATE INDEX account_by_username ON access.account (username);
CREATE INDEX account_officers ON access.account (tenant_id) WHERE roles @> ARRAY['MC_OFFICER'] AND active;

CREATE TABLE access.session (
    id               uuid        PRIMARY KEY,
    tenant_id        text        NOT NULL,
    account_id       uuid        NOT NULL REFERENCES access.account,
    token_hash       bytea       NOT NULL UNIQUE,  -- SHA-256 of the opaque token; the token itself is never stored
    refresh_hash     bytea       UNIQUE,
    kind             text        NOT NULL CHECK (kind IN ('CONSOLE', 'API')),
    roles            text[]      NOT NULL,
    scope            text[]      NOT NULL CHECK (cardinality(scope) > 0),
    created_at       timestamptz NOT NULL,
    last_seen_at     timestamptz NOT NULL,
    idle_expires_at  timestamptz NOT NULL,
    expires_at       timestamptz NOT NULL CHECK (expires_at > created_at),
    revoked_at       timestamptz,
    revoked_reason   text,
    CHECK ((revoked_at IS NULL) = (revoked_reason IS NULL))
);
CREATE INDEX session_by_account ON access.session (account_id) WHERE revoked_at IS NULL;

-- Failed sign-ins by a keyed hash of user name or address: no person can be read out of it.
CREATE TABLE access.sign_in_throttle (
    subject       bytea       PRIMARY KEY,
    failures      int         NOT NULL CHECK (failures >= 0),
    window_starts_at timestamptz NOT NULL,
    locked_until  timestamptz
);

-- Persons: every field encrypted in the application, found by a keyed hash per state ----------------------------------

CREATE TABLE vault.person_field (
    person_id   uuid        NOT NULL,
    field       text        NOT NULL CHECK (field IN ('name', 'phone', 'email', 'vpa', 'bank_account', 'ifsc')),
    tenant_id   text        NOT NULL,
    state_id    text        NOT NULL,
    sealed      text        NOT NULL CHECK (sealed LIKE 'v1:%'),  -- v1:key:nonce:ciphertext
    lookup      bytea       NOT NULL,
    key_id      text        NOT NULL,
    written_at  timestamptz NOT NULL,
    PRIMARY KEY (person_id, field)
);
CREATE INDEX person_field_lookup ON vault.person_field (state_id, field, lookup);

-- What people do besides changing a report's state --------------------------------------------------------------------

CREATE TABLE audit.event (
    id            uuid        NOT NULL,
    tenant_id     text        NOT NULL,
    actor_id      uuid,                   -- NULL: nobody signed in (a failed sign-in)
    actor_role    text,
    action        text        NOT NULL,
    subject_kind  text        NOT NULL,
    subject_id    text,
    purpose       text,
    details       jsonb       NOT NULL DEFAULT '{}',
    occurred_at   timestamptz NOT NULL,
    recorded_at   timestamptz NOT NULL DEFAULT now(),
    xid           xid8        NOT NULL DEFAULT pg_current_xact_id(),
    PRIMARY KEY (id, recorded_at)
) PARTITION BY RANGE (recorded_at);
CREATE INDEX event_by_subject ON audit.event (subject_kind, subject_id);
CREATE INDEX event_by_tenant ON audit.event (tenant_id, recorded_at);
CREATE INDEX event_new ON audit.event (xid, id);

-- The packet log: the record of every message, and the outbox ----------------------------------------------------------

CREATE TABLE packet.log (
    id             uuid        NOT NULL,
    tenant_id      text        NOT NULL,
    subject_kind   text        NOT NULL CHECK (subject_kind IN ('REPORT', 'PAYOUT', 'FILE', 'SESSION', 'REGISTRATION')),
    subject_id     uuid        NOT NULL,
    packet         text        NOT NULL,  -- catalogue id such as 02/07
    version        int         NOT NULL,
    sender         text        NOT NULL,
    receiver       text        NOT NULL,
    topic          text,                  -- topic or endpoint
    key            text,
    correlation_id uuid,
    causation_id   uuid,                  -- the history row or packet that caused this one
    occurred_at    timestamptz NOT NULL,
    body           jsonb,                 -- only where the packet crosses our border; no personal value
    sealed         text,                  -- what must be byte-exact, encrypted
    recorded_at    timestamptz NOT NULL DEFAULT now(),
    xid            xid8        NOT NULL DEFAULT pg_current_xact_id(),
    PRIMARY KEY (id, recorded_at)
) PARTITION BY RANGE (recorded_at);
CREATE INDEX log_by_subject ON packet.log (subject_id);
CREATE INDEX log_new ON packet.log (xid, id);

-- Jobs: failures of every room in one table ------------------------------------------------------------------------------

CREATE TABLE jobs.failure (
    job              text        NOT NULL,
    subject          uuid        NOT NULL,
    attempts         int         NOT NULL CHECK (attempts > 0),
    error            text        NOT NULL,
    failed_at        timestamptz NOT NULL,
    next_attempt_at  timestamptz NOT NULL,
    dead_at          timestamptz,         -- set: given up, waits for a person
    PRIMARY KEY (job, subject)
);
CREATE INDEX failure_dead ON jobs.failure (dead_at) WHERE dead_at IS NOT NULL;

CREATE TABLE jobs.heartbeat (
    worker_id  text        PRIMARY KEY,
    seen_at    timestamptz NOT NULL,
    doing      text        NOT NULL
);

-- How far a follower has read, written in the transaction of its effect
CREATE TABLE jobs.follower (
    name     text  PRIMARY KEY,
    last_xid xid8  NOT NULL DEFAULT '0',
    last_id  uuid  NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000'
);

-- When a periodic job last ran
CREATE TABLE jobs.schedule (
    name         text        PRIMARY KEY,
    last_run_at  timestamptz NOT NULL
);

-- Files ---------------------------------------------------------------------------------------------------------------

CREATE TABLE sdcrs.file (
    id            uuid        PRIMARY KEY,
    tenant_id     text        NOT NULL,
    owner_id      uuid        NOT NULL,   -- the account that uploaded it
    module        text        NOT NULL,
    tag           text,
    file_name     text        NOT NULL CHECK (length(file_name) BETWEEN 1 AND 255),
    content_type  text        NOT NULL CHECK (content_type IN ('image/jpeg', 'image/png')),
    size_bytes    int         NOT NULL CHECK (size_bytes > 0),
    width_px      int         NOT NULL CHECK (width_px > 0),
    height_px     int         NOT NULL CHECK (height_px > 0),
    sha256        bytea       NOT NULL CHECK (length(sha256) = 32),
    phash         bigint      NOT NULL,   -- 64 bits, signed two's complement
    exif_latitude   double precision CHECK (exif_latitude BETWEEN -90 AND 90),
    exif_longitude  double precision CHECK (exif_longitude BETWEEN -180 AND 180),
    exif_gps_at     timestamptz,          -- GPSDateStamp and GPSTimeStamp, UTC
    exif_taken_at   timestamp,            -- DateTimeOriginal as written
    exif_offset_min int CHECK (exif_offset_min BETWEEN -840 AND 840),  -- its offset from UTC in minutes; NULL: not written
    exif_device     text,
    exif_software   text,
    exif_present    boolean     NOT NULL,
    uploaded_at   timestamptz NOT NULL,
    erased_at     timestamptz,
    CHECK ((exif_latitude IS NULL) = (exif_longitude IS NULL))
);
CREATE INDEX file_by_owner ON sdcrs.file (owner_id, uploaded_at);

-- Reports -------------------------------------------------------------------------------------------------------------

CREATE TABLE sdcrs.report (
    id                uuid        PRIMARY KEY,
    tenant_id         text        NOT NULL,
    state_id          text        NOT NULL,
    report_number     text        NOT NULL UNIQUE CHECK (report_number ~ '^DR-[A-Z]+-[0-9]{4}-[0-9]{6,}$'),
    tracking_id       text        NOT NULL UNIQUE CHECK (length(tracking_id) = 8),
    tracking_token    text        NOT NULL UNIQUE,  -- 128 random bits, for the public link
    service_type      text        NOT NULL,
    description       text        NOT NULL CHECK (length(description) BETWEEN 1 AND 512),
    status            text        NOT NULL CHECK (status IN (
        'PENDING_VALIDATION', 'AUTO_REJECTED', 'PENDING_VERIFICATION', 'REJECTED', 'DUPLICATE', 'VERIFIED', 'ASSIGNED',
        'IN_PROGRESS', 'CAPTURED', 'UNABLE_TO_LOCATE', 'PAYOUT_PENDING', 'PAYOUT_FAILED', 'RESOLVED', 'CLOSED')),
    version           int         NOT NULL DEFAULT 1 CHECK (version > 0),
    reporter_id       uuid        NOT NULL REFERENCES access.account,
    -- place
    latitude          double precision NOT NULL CHECK (latitude BETWEEN -90 AND 90),
    longitude         double precision NOT NULL CHECK (longitude BETWEEN -180 AND 180),
    address           text, landmark text, locality text, locality_code text, ward text, ward_code text,
    district          text, district_code text, city text, pincode text,
    gps_latitude      double precision CHECK (gps_latitude BETWEEN -90 AND 90),
    gps_longitude     double precision CHECK (gps_longitude BETWEEN -180 AND 180),
    gps_accuracy_m    double precision CHECK (gps_accuracy_m >= 0),
    gps_at            timestamptz,
    gps_result        text CHECK (gps_result IN ('MATCH', 'MISMATCH', 'NOT_AVAILABLE')),
    device_id         text CHECK (length(device_id) <= 128),
    dog_count         int  CHECK (dog_count BETWEEN 0 AND 1000),
    is_aggressive     boolean,
    -- auto-validation
    validated_at      timestamptz,
    fraud_score       int  CHECK (fraud_score BETWEEN 0 AND 100),
    risk_level        text CHECK (risk_level IN ('LOW', 'MEDIUM', 'HIGH', 'CRITICAL')),
    recommendation    text CHECK (recommendation IN ('APPROVE', 'MANUAL_REVIEW', 'AUTO_REJECT')),
    -- verification
    queue             text NOT NULL DEFAULT 'STANDARD' CHECK (queue IN ('STANDARD', 'SENIOR')),
    awaiting_teacher_at timestamptz,      -- sent back; the state's clock stands still from here
    paused_s          int  NOT NULL DEFAULT 0 CHECK (paused_s >= 0),
    verified_at       timestamptz, verified_by uuid, verification_remarks text,
    rejected_at       timestamptz, rejected_by uuid, rejection_reason text, rejection_remarks text,
    duplicate_of      uuid REFERENCES sdcrs.report,
    -- assignment and field visit
    assigned_officer_id uuid REFERENCES access.account,
    assigned_at       timestamptz, assigned_by uuid,
    visit_started_at  timestamptz, visit_started_by uuid,
    visit_latitude    double precision, visit_longitude double precision,
    visit_completed_at timestamptz, visit_completed_by uuid,
    completed_latitude double precision, completed_longitude double precision,
    captured_at       timestamptz,
    resolution_type   text, resolution_remarks text,
    unable_reason     text,
    -- payout, as the report's own answers tell it; the payout room keeps the truth
    payout_eligible   boolean,
    payout_status     text CHECK (payout_status IN ('INITIATED', 'SUCCESS', 'FAILED', 'RETRY_INITIATED', 'MANUAL_PAYOUT', 'SKIPPED_CAP_REACHED')),
    payout_amount_paise bigint CHECK (payout_amount_paise >= 0),
    payout_initiated_at timestamptz,
    payout_completed_at timestamptz,
    payout_failure_reason text,
    utr               text,
    retry_count       int  NOT NULL DEFAULT 0 CHECK (retry_count BETWEEN 0 AND 3),
    resolved_at       timestamptz,
    rating            int  CHECK (rating BETWEEN 1 AND 5),
    -- work in hand
    claimed_by        uuid, claimed_until timestamptz,
    state_entered_at  timestamptz NOT NULL,
    sla_due_at        timestamptz NOT NULL,  -- creation plus the type's slaHours
    created_at        timestamptz NOT NULL,
    modified_at       timestamptz NOT NULL,
    modified_by       uuid        NOT NULL,
    workflow_version  int         NOT NULL,
    CHECK ((gps_latitude IS NULL) = (gps_longitude IS NULL)),
    CHECK ((visit_latitude IS NULL) = (visit_longitude IS NULL)),
    CHECK ((completed_latitude IS NULL) = (completed_longitude IS NULL)),
    CHECK ((verified_at IS NULL) = (verified_by IS NULL)),
    CHECK ((rejected_at IS NULL) = (rejected_by IS NULL)),
    CHECK ((assigned_at IS NULL) = (assigned_by IS NULL)),
    CHECK ((assigned_at IS NULL) = (assigned_officer_id IS NULL)),
    CHECK ((visit_started_at IS NULL) = (visit_started_by IS NULL)),
    CHECK ((visit_completed_at IS NULL) = (visit_completed_by IS NULL)),
    CHECK ((claimed_by IS NULL) = (claimed_until IS NULL)),
    CONSTRAINT report_rejection_has_reason CHECK (status NOT IN ('AUTO_REJECTED', 'REJECTED', 'DUPLICATE') OR (rejected_at IS NOT NULL AND rejection_reason IS NOT NULL)),
    CONSTRAINT report_verified CHECK (status NOT IN ('VERIFIED', 'ASSIGNED', 'IN_PROGRESS', 'CAPTURED', 'UNABLE_TO_LOCATE', 'PAYOUT_PENDING', 'PAYOUT_FAILED', 'RESOLVED', 'CLOSED') OR verified_at IS NOT NULL),
    CONSTRAINT report_assigned CHECK (status NOT IN ('ASSIGNED', 'IN_PROGRESS', 'CAPTURED', 'UNABLE_TO_LOCATE', 'PAYOUT_PENDING', 'PAYOUT_FAILED', 'RESOLVED', 'CLOSED') OR assigned_at IS NOT NULL),
    CONSTRAINT report_visited CHECK (status NOT IN ('CAPTURED', 'UNABLE_TO_LOCATE', 'PAYOUT_PENDING', 'PAYOUT_FAILED', 'RESOLVED', 'CLOSED') OR (visit_started_at IS NOT NULL AND visit_completed_at IS NOT NULL AND resolution_type IS NOT NULL)),
    CONSTRAINT report_captured CHECK (status NOT IN ('CAPTURED', 'PAYOUT_PENDING', 'PAYOUT_FAILED', 'RESOLVED', 'CLOSED') OR captured_at IS NOT NULL),
    CONSTRAINT report_paid CHECK (payout_status IS DISTINCT FROM 'SUCCESS' OR payout_completed_at IS NOT NULL),
    CONSTRAINT report_resolved CHECK (status NOT IN ('RESOLVED', 'CLOSED') OR resolved_at IS NOT NULL)
);
CREATE INDEX report_queue ON sdcrs.report (tenant_id, status, created_at, id);
CREATE INDEX report_recent ON sdcrs.report (tenant_id, created_at);
CREATE INDEX report_by_reporter ON sdcrs.report (reporter_id, created_at);
CREATE INDEX report_by_officer ON sdcrs.report (assigned_officer_id, status) WHERE assigned_officer_id IS NOT NULL;
CREATE INDEX report_to_validate ON sdcrs.report (created_at, id) WHERE status = 'PENDING_VALIDATION';
CREATE INDEX report_to_pay ON sdcrs.report (captured_at, id) WHERE status = 'CAPTURED';

CREATE TABLE sdcrs.evidence (
    id             uuid        PRIMARY KEY,
    tenant_id      text        NOT NULL,
    report_id      uuid        NOT NULL REFERENCES sdcrs.report,
    evidence_type  text        NOT NULL CHECK (evidence_type IN ('DOG_PHOTO', 'REPORTER_SELFIE', 'CAPTURE_PHOTO')),
    file_id        uuid        NOT NULL REFERENCES sdcrs.file,
    file_name      text        NOT NULL,
    mime_type      text        NOT NULL,
    file_size      int         NOT NULL,
    sha256         bytea       NOT NULL,
    phash          bigint      NOT NULL,
    band0 int NOT NULL, band1 int NOT NULL, band2 int NOT NULL, band3 int NOT NULL,  -- the hash's four 16-bit parts
    claimed_hash   text CHECK (length(claimed_hash) <= 64),
    claimed_at     timestamptz,           -- capture time as the client says
    captured_at    timestamptz,           -- capture time as judged: EXIF first, then the claim
    latitude       double precision,      -- as the client says
    longitude      double precision,
    device_info    text CHECK (length(device_info) <= 128),
    device_id      text CHECK (length(device_id) <= 128),
    uploaded_at    timestamptz NOT NULL,
    uploaded_by    uuid        NOT NULL,
    created_at     timestamptz NOT NULL
);
CREATE INDEX evidence_by_report ON sdcrs.evidence (report_id);
CREATE INDEX evidence_sha256 ON sdcrs.evidence (tenant_id, sha256) WHERE evidence_type = 'DOG_PHOTO';
CREATE INDEX evidence_band0 ON sdcrs.evidence (tenant_id, band0, created_at) WHERE evidence_type = 'DOG_PHOTO';
CREATE INDEX evidence_band1 ON sdcrs.evidence (tenant_id, band1, created_at) WHERE evidence_type = 'DOG_PHOTO';
CREATE INDEX evidence_band2 ON sdcrs.evidence (tenant_id, band2, created_at) WHERE evidence_type = 'DOG_PHOTO';
CREATE INDEX evidence_band3 ON sdcrs.evidence (tenant_id, band3, created_at) WHERE evidence_type = 'DOG_PHOTO';

-- The history of states is the audit of state changes.
CREATE TABLE sdcrs.report_history (
    id               uuid        NOT NULL,
    tenant_id        text        NOT NULL,
    report_id        uuid        NOT NULL,
    version          int         NOT NULL,  -- the report's version after the change
    action           text        NOT NULL,
    from_state       text,                  -- NULL: it did not exist
    to_state         text        NOT NULL,
    actor_id         uuid        NOT NULL,
    actor_role       text        NOT NULL,
    comment          text CHECK (length(comment) <= 1000),
    facts            jsonb       NOT NULL DEFAULT '{}',  -- what the change recorded; no personal value
    correlation_id   uuid,
    workflow_version int         NOT NULL,
    occurred_at      timestamptz NOT NULL,
    recorded_at      timestamptz NOT NULL DEFAULT now(),
    xid              xid8        NOT NULL DEFAULT pg_current_xact_id(),
    PRIMARY KEY (id, recorded_at)
) PARTITION BY RANGE (recorded_at);
CREATE INDEX report_history_by_report ON sdcrs.report_history (report_id, version);
CREATE INDEX report_history_new ON sdcrs.report_history (xid, id);

CREATE TABLE sdcrs.validation_check (
    report_id      uuid        NOT NULL REFERENCES sdcrs.report,
    name           text        NOT NULL CHECK (name IN ('GPS_LOCATION', 'TIMESTAMP_FRESHNESS', 'BOUNDARY_CHECK', 'DUPLICATE_IMAGE', 'FRAUD_SCORE')),
    tenant_id      text        NOT NULL,
    position       int         NOT NULL,
    passed         boolean     NOT NULL,
    measured       double precision,      -- NULL: could not be measured
    limit_value    double precision NOT NULL,
    unit           text        NOT NULL CHECK (unit IN ('m', 'h', 'km', 'similarity', 'score')),
    reason         text        NOT NULL,  -- in words, with both numbers
    details        jsonb       NOT NULL DEFAULT '{}',
    rule_version   int         NOT NULL,
    checked_at     timestamptz NOT NULL,
    PRIMARY KEY (report_id, name)
);

CREATE TABLE fraud.rule_result (
    report_id      uuid        NOT NULL REFERENCES sdcrs.report,
    rule_id        text        NOT NULL,
    tenant_id      text        NOT NULL,
    rule_code      text        NOT NULL,
    category       text        NOT NULL,
    condition_type text        NOT NULL,
    outcome        text        NOT NULL CHECK (outcome IN ('FIRED', 'CLEAR', 'SKIPPED', 'ERROR')),
    score          int         NOT NULL CHECK (score >= 0),
    weight         int         NOT NULL,
    message        text        NOT NULL,
    details        jsonb       NOT NULL DEFAULT '{}',
    rules_version  int         NOT NULL,
    evaluated_at   timestamptz NOT NULL,
    PRIMARY KEY (report_id, rule_id)
);

-- Serial numbers are taken in blocks by a short transaction of its own.
CREATE TABLE sdcrs.number_block (
    state_id    text   NOT NULL,
    year        int    NOT NULL,
    next_serial bigint NOT NULL CHECK (next_serial > 0),
    PRIMARY KEY (state_id, year)
);

-- The daily limit as a counter row: never count-then-insert.
CREATE TABLE sdcrs.daily_count (
    reporter_id  uuid NOT NULL REFERENCES access.account,
    day          date NOT NULL,           -- the tenant's calendar day
    tenant_id    text NOT NULL,
    reports      int  NOT NULL,
    daily_limit  int  NOT NULL,
    PRIMARY KEY (reporter_id, day),
    CONSTRAINT daily_limit_holds CHECK (reports BETWEEN 0 AND daily_limit)
);

-- Requests already answered, so that a repeated one is answered again and not done again.
CREATE TABLE sdcrs.request_key (
    caller_id   uuid        NOT NULL,
    endpoint    text        NOT NULL,
    key         text        NOT NULL CHECK (length(key) BETWEEN 1 AND 255),
    tenant_id   text        NOT NULL,
    body_hash   bytea       NOT NULL,
    status      int         NOT NULL,
    result      jsonb       NOT NULL,     -- ids and versions from which the answer is drawn again; no personal value
    created_at  timestamptz NOT NULL,
    PRIMARY KEY (caller_id, endpoint, key)
);
CREATE INDEX request_key_age ON sdcrs.request_key (created_at);

CREATE TABLE sdcrs.notification (
    id           uuid        PRIMARY KEY,
    tenant_id    text        NOT NULL,
    report_id    uuid        NOT NULL REFERENCES sdcrs.report,
    history_id   uuid        NOT NULL,    -- the change that it tells of
    recipient_id uuid        NOT NULL,
    template_id  text        NOT NULL,
    locale       text        NOT NULL,
    params       jsonb       NOT NULL,    -- no personal value: phone and VPA are resolved when it is shown or sent
    status       text        NOT NULL CHECK (status IN ('STORED', 'SENT', 'FAILED')),
    created_at   timestamptz NOT NULL,
    sent_at      timestamptz,
    CHECK ((status = 'SENT') = (sent_at IS NOT NULL)),
    UNIQUE (history_id, template_id, recipient_id)
);
CREATE INDEX notification_by_report ON sdcrs.notification (report_id);
CREATE INDEX notification_to_send ON sdcrs.notification (created_at) WHERE status = 'STORED';

-- Payouts: one obligation per report, attempts below it, each with its exact request -------------------------------------

CREATE TABLE payout.fund_account (
    id                 uuid        PRIMARY KEY,
    tenant_id          text        NOT NULL,
    beneficiary_id     uuid        NOT NULL REFERENCES access.account,
    vpa_lookup         bytea       NOT NULL,   -- keyed hash of the VPA
    vpa_sealed         text        NOT NULL,
    provider_contact_id text,
    provider_fund_account_id text UNIQUE,
    created_at         timestamptz NOT NULL,
    UNIQUE (beneficiary_id, vpa_lookup),
    CHECK (provider_fund_account_id IS NULL OR provider_contact_id IS NOT NULL)
);

CREATE TABLE payout.payout (
    id                uuid        PRIMARY KEY,
    tenant_id         text        NOT NULL,
    report_id         uuid        NOT NULL UNIQUE REFERENCES sdcrs.report,
    report_number     text        NOT NULL,
    beneficiary_id    uuid        NOT NULL REFERENCES access.account,
    amount_paise      bigint      NOT NULL CHECK (amount_paise > 0),
    currency          text        NOT NULL CHECK (currency = 'INR'),
    cap_month         date        NOT NULL CHECK (extract(day FROM cap_month) = 1),  -- the month in which the cap was last reserved
    status            text        NOT NULL CHECK (status IN ('INITIATED', 'PROCESSING', 'COMPLETED', 'FAILED', 'REVERSED')),
    retry_count       int         NOT NULL DEFAULT 0 CHECK (retry_count BETWEEN 0 AND 3),  -- also the number of the attempt that counts
    utr               text,
    failure_reason    text,               -- the provider's reason code, or ours
    failure_text      text,
    next_retry_at     timestamptz,        -- automatic retry, only for reasons that the provider marks so
    method            text        CHECK (method IN ('UPI', 'CASH', 'BANK_TRANSFER', 'CHEQUE', 'OTHER')),  -- NULL: UPI through the provider
    manual_reference  text        CHECK (length(manual_reference) BETWEEN 1 AND 64),
    manual_amount_paise bigint    CHECK (manual_amount_paise > 0 AND manual_amount_paise <= amount_paise),
    manual_comment    text        CHECK (length(manual_comment) <= 1000),
    manual_requested_at timestamptz, manual_requested_by uuid,
    manual_approved_at timestamptz, manual_approved_by uuid,  -- where the tenant asks for no approval: the same person at once
    completed_at      timestamptz,
    needs_person      text,               -- why a person must look; NULL: nobody must
    created_at        timestamptz NOT NULL,
    modified_at       timestamptz NOT NULL,
    CHECK ((manual_requested_at IS NULL) = (manual_requested_by IS NULL)),
    CHECK ((manual_requested_at IS NULL) = (manual_reference IS NULL)),
    CHECK ((manual_requested_at IS NULL) = (manual_amount_paise IS NULL)),
    CHECK ((manual_requested_at IS NULL) = (method IS NULL)),
    CHECK ((manual_approved_at IS NULL) = (manual_approved_by IS NULL)),
    CHECK (manual_approved_at IS NULL OR (manual_requested_at IS NOT NULL AND status = 'COMPLETED')),
    CHECK (manual_requested_at IS NULL OR manual_approved_at IS NOT NULL OR status IN ('FAILED', 'REVERSED')),
    CHECK ((status = 'COMPLETED') = (completed_at IS NOT NULL)),
    CHECK (next_retry_at IS NULL OR status IN ('FAILED', 'REVERSED'))
);
CREATE INDEX payout_queue ON payout.payout (tenant_id, status, created_at);
CREATE INDEX payout_recent ON payout.payout (created_at, id);
CREATE INDEX payout_unpaid ON payout.payout (created_at, id) WHERE status <> 'COMPLETED';
CREATE INDEX payout_to_retry ON payout.payout (next_retry_at) WHERE next_retry_at IS NOT NULL;
CREATE INDEX payout_by_beneficiary ON payout.payout (beneficiary_id, created_at);
CREATE INDEX payout_for_person ON payout.payout (tenant_id, modified_at) WHERE needs_person IS NOT NULL;
CREATE INDEX payout_for_approval ON payout.payout (tenant_id, manual_requested_at) WHERE manual_requested_at IS NOT NULL AND manual_approved_at IS NULL;

-- PREPARED: not sent yet, or for certain not taken. SENDING: a call is under way until lease_until, after that its outcome
-- is unknown. UNKNOWN: sent, and nobody knows; the same bytes go out again under the same key. REVIEW: a person must decide.
CREATE TABLE payout.attempt (
    id                 uuid        PRIMARY KEY,
    tenant_id          text        NOT NULL,
    payout_id          uuid        NOT NULL REFERENCES payout.payout,
    number             int         NOT NULL CHECK (number BETWEEN 0 AND 3),  -- 0: the first; n: retry n
    reference_id       text        NOT NULL UNIQUE CHECK (length(reference_id) <= 40),
    idempotency_key    text        NOT NULL UNIQUE CHECK (idempotency_key ~ '^[A-Za-z0-9_-]{4,36}$'),
    fund_account_id    uuid        REFERENCES payout.fund_account,  -- chosen when the request is written
    request_sealed     text,              -- the exact bytes sent, encrypted; written before the call
    request_hash       bytea,             -- keyed, so that one key is seen to have one body
    phase              text        NOT NULL CHECK (phase IN ('PREPARED', 'SENDING', 'ACCEPTED', 'REFUSED', 'UNKNOWN', 'REVIEW')),
    lease_until        timestamptz,       -- somebody works on it until then
    sends              int         NOT NULL DEFAULT 0 CHECK (sends >= 0),
    tries              int         NOT NULL DEFAULT 0 CHECK (tries >= 0),  -- calls in a row without a certain answer
    next_send_at       timestamptz NOT NULL,
    next_poll_at       timestamptz,       -- NULL: nothing more to learn by asking
    polls              int         NOT NULL DEFAULT 0 CHECK (polls >= 0),
    provider_payout_id text        UNIQUE,
    provider_status    text,
    provider_rank      int         NOT NULL DEFAULT 0,
    reason             text,              -- the provider's reason code at present, or ours
    reason_text        text,
    last_error         text,              -- why the last call gave no certain answer
    utr                text,
    fees_paise         bigint      NOT NULL DEFAULT 0,  -- tax included
    tax_paise          bigint      NOT NULL DEFAULT 0,
    created_at         timestamptz NOT NULL,
    first_sent_at      timestamptz,
    accepted_at        timestamptz,
    modified_at        timestamptz NOT NULL,
    UNIQUE (payout_id, number),
    CHECK ((request_sealed IS NULL) = (request_hash IS NULL)),
    CHECK (request_sealed IS NULL OR fund_account_id IS NOT NULL),
    CHECK (phase NOT IN ('SENDING', 'UNKNOWN', 'ACCEPTED') OR (request_sealed IS NOT NULL AND first_sent_at IS NOT NULL)),
    CHECK (phase <> 'SENDING' OR lease_until IS NOT NULL),
    CHECK (phase <> 'ACCEPTED' OR (provider_payout_id IS NOT NULL AND accepted_at IS NOT NULL)),
    CHECK ((provider_payout_id IS NULL) = (provider_status IS NULL))
);
CREATE INDEX attempt_to_send ON payout.attempt (next_send_at) WHERE phase IN ('PREPARED', 'SENDING', 'UNKNOWN');
CREATE INDEX attempt_to_poll ON payout.attempt (next_poll_at) WHERE next_poll_at IS NOT NULL;
CREATE INDEX attempt_recent ON payout.attempt (first_sent_at);
CREATE INDEX attempt_unresolved ON payout.attempt (tenant_id, phase) WHERE phase IN ('UNKNOWN', 'REVIEW');
CREATE INDEX attempt_queued ON payout.attempt (tenant_id) WHERE provider_status = 'queued';

-- The monthly cap as a counter row with CHECK, taken in teacher order.
CREATE TABLE payout.monthly_cap (
    beneficiary_id  uuid   NOT NULL REFERENCES access.account,
    month           date   NOT NULL CHECK (extract(day FROM month) = 1),  -- of the tenant's calendar
    tenant_id       text   NOT NULL,
    reserved_paise  bigint NOT NULL,
    cap_paise       bigint NOT NULL,
    PRIMARY KEY (beneficiary_id, month),
    CONSTRAINT monthly_cap_holds CHECK (reserved_paise BETWEEN 0 AND cap_paise)
);

-- What was reserved under the cap, paid out, given back. Of a teacher's month, RESERVE less RELEASE and REVERSE is what the
-- counter above holds; of a payout, no entry comes twice for one attempt (no attempt: settled by hand).
CREATE TABLE payout.ledger (
    id              uuid        PRIMARY KEY,
    tenant_id       text        NOT NULL,
    payout_id       uuid        NOT NULL REFERENCES payout.payout,
    beneficiary_id  uuid        NOT NULL REFERENCES access.account,
    month           date        NOT NULL CHECK (extract(day FROM month) = 1),
    entry           text        NOT NULL CHECK (entry IN ('RESERVE', 'SETTLE', 'RELEASE', 'REVERSE')),
    amount_paise    bigint      NOT NULL CHECK (amount_paise > 0),
    attempt_id      uuid        REFERENCES payout.attempt,
    occurred_at     timestamptz NOT NULL
);
CREATE INDEX ledger_by_payout ON payout.ledger (payout_id);
CREATE INDEX ledger_by_month ON payout.ledger (beneficiary_id, month);
CREATE UNIQUE INDEX ledger_once ON payout.ledger (attempt_id, entry) WHERE attempt_id IS NOT NULL;
CREATE UNIQUE INDEX ledger_once_by_hand ON payout.ledger (payout_id, entry) WHERE attempt_id IS NULL;
-- A reservation ends once: paid or given back
CREATE UNIQUE INDEX ledger_ends_once ON payout.ledger (attempt_id) WHERE entry IN ('SETTLE', 'RELEASE');

-- Webhook events: stored first, processed after. They arrive before we know the tenant, so the table has none.
CREATE TABLE payout.webhook_event (
    id               uuid        PRIMARY KEY,
    event_id         text        NOT NULL UNIQUE CHECK (length(event_id) BETWEEN 1 AND 128),
    event            text        NOT NULL,
    provider_payout_id text,
    reference_id     text,
    provider_status  text,
    sealed           text        NOT NULL,   -- the raw bytes, encrypted
    received_at      timestamptz NOT NULL,
    next_look_at     timestamptz NOT NULL,   -- an event about a payout that we do not know yet is looked at again
    processed_at     timestamptz,
    outcome          text CHECK (outcome IN ('APPLIED', 'LATE', 'MISMATCH', 'UNKNOWN_PAYOUT', 'IGNORED', 'UNREADABLE')),
    attempt_id       uuid        REFERENCES payout.attempt,  -- the one it was about
    CHECK ((processed_at IS NULL) = (outcome IS NULL))
);
CREATE INDEX webhook_event_new ON payout.webhook_event (next_look_at) WHERE processed_at IS NULL;
CREATE INDEX webhook_event_by_attempt ON payout.webhook_event (attempt_id) WHERE attempt_id IS NOT NULL;

-- How the provider is at present, one row for the installation: whether we pause, and what the account held when we last asked.
CREATE TABLE payout.provider (
    only_row        boolean     PRIMARY KEY DEFAULT true CHECK (only_row),
    paused_until    timestamptz,
    pause_reason    text,
    pauses          int         NOT NULL DEFAULT 0 CHECK (pauses >= 0),  -- in a row
    balance_paise   bigint,
    balance_read_at timestamptz,
    CHECK ((paused_until IS NULL) = (pause_reason IS NULL)),
    CHECK ((balance_paise IS NULL) = (balance_read_at IS NULL))
);

CREATE TABLE payout.reconciliation_run (
    id            uuid        PRIMARY KEY,
    tenant_id     text        NOT NULL,   -- where it was asked for; it covers this tenant and all below
    window_starts_at timestamptz NOT NULL,
    window_ends_at   timestamptz NOT NULL CHECK (window_ends_at > window_starts_at),
    ours          int         NOT NULL,
    theirs        int         NOT NULL,
    matched       int         NOT NULL,
    in_flight     int         NOT NULL,
    exceptions    int         NOT NULL,
    run_at        timestamptz NOT NULL,
    run_by        uuid        NOT NULL
);
CREATE INDEX reconciliation_run_recent ON payout.reconciliation_run (tenant_id, run_at);

-- Everything that did not simply match.
CREATE TABLE payout.reconciliation_item (
    id            uuid        PRIMARY KEY,
    tenant_id     text        NOT NULL,
    run_id        uuid        NOT NULL REFERENCES payout.reconciliation_run,
    kind          text        NOT NULL CHECK (kind IN (
        'MATCHED', 'IN_FLIGHT', 'STATUS_MISMATCH', 'AMOUNT_MISMATCH', 'BENEFICIARY_MISMATCH', 'MISSING_AT_PROVIDER', 'MISSING_IN_LEDGER',
        'DUPLICATE_AT_PROVIDER', 'REVERSED_AFTER_SETTLED', 'UTR_REUSED', 'STUCK')),
    payout_id     uuid        REFERENCES payout.payout,
    report_number text,
    reference_id  text,
    provider_payout_id text,
    field         text,
    ours          text,
    theirs        text,
    age_s         bigint,
    next_step     text        NOT NULL
);
CREATE INDEX reconciliation_item_by_run ON payout.reconciliation_item (run_id, kind);
