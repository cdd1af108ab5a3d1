-- The identity flow: from a registration packet to a credential that the authentication side holds. The schemas are those of
-- the participants; the four tables and the statuses have the names that the field knows them by. Persons' values stand here
-- sealed only; numbers (UIN, VID, handle) as a salted keyed hash beside the sealed number.

CREATE SCHEMA regprc;
CREATE SCHEMA idrepo;
CREATE SCHEMA credential;
CREATE SCHEMA datashare;
CREATE SCHEMA websub;
CREATE SCHEMA ida;

ALTER TABLE packet.log DROP CONSTRAINT log_subject_kind_check,
    ADD CONSTRAINT log_subject_kind_check
        CHECK (subject_kind IN ('REPORT', 'PAYOUT', 'FILE', 'SESSION', 'REGISTRATION', 'SUBSCRIPTION'));

-- Step 1: what a registration client has announced --------------------------------------------------------------------------

CREATE TABLE regprc.registration_list (
    id                 uuid        PRIMARY KEY,
    tenant_id          text        NOT NULL,
    state_id           text        NOT NULL,
    reg_id             text        NOT NULL CHECK (reg_id ~ '^[0-9]{29}$'),
    process            text        NOT NULL CHECK (process IN ('NEW', 'UPDATE', 'LOST', 'CORRECTION')),
    source             text        NOT NULL CHECK (length(source) BETWEEN 1 AND 64),
    schema_version     text        NOT NULL CHECK (length(schema_version) BETWEEN 1 AND 16),
    lang_code          text        CHECK (lang_code ~ '^[a-z]{3}$'),
    supervisor_status  text        NOT NULL CHECK (supervisor_status IN ('APPROVED', 'REJECTED')),
    supervisor_comment text        CHECK (length(supervisor_comment) <= 512),
    upload_number      int         NOT NULL DEFAULT 1 CHECK (upload_number BETWEEN 1 AND 11),  -- 1, and ten times RESEND
    synced_by          uuid        NOT NULL,
    synced_at          timestamptz NOT NULL,
    uploaded_at        timestamptz,          -- the upload of this announcement was taken
    UNIQUE (state_id, reg_id)
);
CREATE INDEX registration_list_recent ON regprc.registration_list (tenant_id, synced_at);
CREATE INDEX registration_list_open ON regprc.registration_list (tenant_id, synced_at) WHERE uploaded_at IS NULL;

CREATE TABLE regprc.registration_list_component (
    list_id     uuid   NOT NULL REFERENCES regprc.registration_list,
    name        text   NOT NULL CHECK (name ~ '^[a-z][a-z0-9_]{0,31}$'),
    tenant_id   text   NOT NULL,
    size_bytes  int    NOT NULL CHECK (size_bytes > 0),
    sha256      bytea  NOT NULL CHECK (length(sha256) = 32),
    PRIMARY KEY (list_id, name)
);

-- Step 2: the registration on its way through the stages ----------------------------------------------------------------------

CREATE TABLE regprc.registration (
    id                     uuid        PRIMARY KEY REFERENCES regprc.registration_list,  -- one id from the announcement on
    tenant_id              text        NOT NULL,
    state_id               text        NOT NULL,
    reg_id                 text        NOT NULL,
    process                text        NOT NULL,
    source                 text        NOT NULL,
    schema_version         text        NOT NULL,
    upload_number          int         NOT NULL CHECK (upload_number BETWEEN 1 AND 11),
    status_code            text        NOT NULL CHECK (status_code IN ('PROCESSING', 'PROCESSED', 'PAUSED', 'RESUMABLE', 'REPROCESS',
                                           'PAUSED_FOR_ADDITIONAL_INFO', 'FAILED', 'REJECTED', 'REPROCESS_FAILED')),
    sub_status_code        text        CHECK (length(sub_status_code) <= 64),  -- a code of the stages' registry
    status_comment         text        CHECK (length(status_comment) <= 512),  -- no personal value
    stage                  text        NOT NULL,  -- the stage to be run next, or the one that it ended in
    latest_trn_type_code   text,
    latest_trn_status_code text        CHECK (latest_trn_status_code IN ('SUCCESS', 'FAILED', 'IN_PROGRESS', 'ERROR', 'REPROCESS',
                                           'PROCESSED', 'REJECTED', 'PROCESSING', 'REPROCESS_FAILED')),
    latest_trn_at          timestamptz,
    attempts               int         NOT NULL DEFAULT 0 CHECK (attempts >= 0),  -- of the present stage, in a row
    next_attempt_at        timestamptz NOT NULL,
    resume_at              timestamptz,          -- PAUSED: when the default action is applied; NULL: waits for a person
    default_resume_action  text        CHECK (default_resume_action IN ('RESUME_PROCESSING', 'RESUME_FROM_BEGINNING', 'STOP_PROCESSING')),
    pause_rule             text        CHECK (length(pause_rule) <= 64),
    pause_immunity         text[]      NOT NULL DEFAULT '{}',  -- rules that paused it once and no longer do
    identity_id            uuid,
    received_by            uuid        NOT NULL,
    received_at            timestamptz NOT NULL,
    processed_at           timestamptz,
    modified_at            timestamptz NOT NULL,
    UNIQUE (state_id, reg_id),
    CHECK ((status_code = 'PROCESSED') = (processed_at IS NOT NULL)),
    CHECK (status_code <> 'PAUSED' OR pause_rule IS NOT NULL),
    CHECK (resume_at IS NULL OR default_resume_action IS NOT NULL)
);
CREATE INDEX registration_due ON regprc.registration (next_attempt_at, id) WHERE status_code IN ('PROCESSING', 'RESUMABLE', 'REPROCESS');
CREATE INDEX registration_paused ON regprc.registration (resume_at) WHERE resume_at IS NOT NULL;
CREATE INDEX registration_by_status ON regprc.registration (tenant_id, status_code, received_at);
CREATE INDEX registration_processed ON regprc.registration (processed_at) WHERE status_code = 'PROCESSED';
CREATE INDEX registration_by_identity ON regprc.registration (identity_id) WHERE identity_id IS NOT NULL;

CREATE TABLE regprc.registration_transaction (
    id               uuid        PRIMARY KEY,
    tenant_id        text        NOT NULL,
    registration_id  uuid        NOT NULL REFERENCES regprc.registration,
    upload_number    int         NOT NULL,
    trn_type_code    text        NOT NULL,  -- the stage, or what a person or the calendar did (PAUSE, RESUME, …)
    status_code      text        NOT NULL CHECK (status_code IN ('SUCCESS', 'FAILED', 'IN_PROGRESS', 'ERROR', 'REPROCESS',
                                     'PROCESSED', 'REJECTED', 'PROCESSING', 'REPROCESS_FAILED')),
    sub_status_code  text        CHECK (length(sub_status_code) <= 64),
    status_comment   text        CHECK (length(status_comment) <= 512),
    attempt          int         NOT NULL CHECK (attempt > 0),
    details          jsonb       NOT NULL DEFAULT '{}',  -- measured values and codes, no personal value
    actor_id         uuid,                  -- NULL: the job
    reason           text        CHECK (length(reason) BETWEEN 3 AND 500),  -- why a person did it, in their words
    started_at       timestamptz NOT NULL,
    ended_at         timestamptz NOT NULL
);
CREATE INDEX registration_transaction_of ON regprc.registration_transaction (registration_id, id);
CREATE INDEX registration_transaction_failed ON regprc.registration_transaction (tenant_id, ended_at)
    WHERE status_code IN ('FAILED', 'ERROR', 'REJECTED', 'REPROCESS', 'REPROCESS_FAILED');

CREATE TABLE regprc.component (
    id               uuid        PRIMARY KEY,  -- also the file's id in the filestore
    tenant_id        text        NOT NULL,
    registration_id  uuid        NOT NULL REFERENCES regprc.registration,
    upload_number    int         NOT NULL,
    name             text        NOT NULL,
    size_bytes       int         NOT NULL CHECK (size_bytes > 0),
    sha256           bytea       NOT NULL CHECK (length(sha256) = 32),
    sidecar          jsonb       NOT NULL,  -- the known keys of its JSON file, as texts
    verified         text        CHECK (verified IN ('VERIFIED', 'MISMATCH')),  -- NULL: not looked at yet
    mismatch         text        CHECK (length(mismatch) <= 512),  -- what differs, with both values
    stored_at        timestamptz NOT NULL,
    UNIQUE (registration_id, upload_number, name),
    CHECK ((verified = 'MISMATCH') = (mismatch IS NOT NULL))
);

-- Demographic duplicates: what candidates are found by, and what was said of a pair
CREATE TABLE regprc.demographic_key (
    registration_id  uuid   NOT NULL REFERENCES regprc.registration,
    kind             text   NOT NULL CHECK (kind IN ('PHONETIC_NAME_BIRTH_YEAR', 'PHONE', 'BIRTH_DATE_GENDER')),
    tenant_id        text   NOT NULL,
    state_id         text   NOT NULL,
    key_hash         bytea  NOT NULL,
    PRIMARY KEY (registration_id, kind)
);
CREATE INDEX demographic_key_found ON regprc.demographic_key (state_id, kind, key_hash);

-- What two registrations are compared by, so that no packet is opened for it
CREATE TABLE regprc.demographic (
    id                   uuid  PRIMARY KEY REFERENCES regprc.registration,
    tenant_id            text  NOT NULL,
    state_id             text  NOT NULL,
    demographics_sealed  text  NOT NULL CHECK (demographics_sealed LIKE 'v1:%')
);

CREATE TABLE regprc.manual_verification (
    id               uuid        PRIMARY KEY,
    tenant_id        text        NOT NULL,
    registration_id  uuid        NOT NULL REFERENCES regprc.registration,
    candidate_id     uuid        NOT NULL REFERENCES regprc.registration,
    score            int         NOT NULL CHECK (score BETWEEN 0 AND 100),
    explanation      jsonb       NOT NULL DEFAULT '{}',  -- how the score came about: how alike each field is, and no value
    status_code      text        NOT NULL CHECK (status_code IN ('PENDING', 'UNIQUE', 'DUPLICATE')),
    decided_by       uuid,
    decided_at       timestamptz,
    reason           text        CHECK (length(reason) BETWEEN 3 AND 500),
    created_at       timestamptz NOT NULL,
    UNIQUE (registration_id, candidate_id),
    CHECK ((status_code = 'PENDING') = (decided_at IS NULL)),
    CHECK ((decided_at IS NULL) = (decided_by IS NULL))
);
CREATE INDEX manual_verification_open ON regprc.manual_verification (tenant_id, created_at) WHERE status_code = 'PENDING';

-- The identity repository -----------------------------------------------------------------------------------------------------

-- Salts of the numbers' hashes, made at first use: a number's bucket chooses its salt
CREATE TABLE idrepo.salt (
    bucket  int    PRIMARY KEY CHECK (bucket BETWEEN 0 AND 999),
    salt    bytea  NOT NULL CHECK (length(salt) = 16)
);

CREATE TABLE idrepo.identity (
    id                   uuid        PRIMARY KEY,
    tenant_id            text        NOT NULL,
    state_id             text        NOT NULL,
    registration_id      uuid        NOT NULL UNIQUE REFERENCES regprc.registration,
    status_code          text        NOT NULL CHECK (status_code IN ('ACTIVATED', 'BLOCKED', 'DEACTIVATED')),
    demographics_sealed  text        NOT NULL CHECK (demographics_sealed LIKE 'v1:%'),
    biometrics_file_id   uuid,       -- the component whose biometrics are passed on unopened
    created_at           timestamptz NOT NULL,
    modified_at          timestamptz NOT NULL
);
ALTER TABLE regprc.registration ADD FOREIGN KEY (identity_id) REFERENCES idrepo.identity;

CREATE TABLE idrepo.identifier (
    id                 uuid        PRIMARY KEY,
    tenant_id          text        NOT NULL,
    state_id           text        NOT NULL,
    identity_id        uuid        NOT NULL REFERENCES idrepo.identity,
    kind               text        NOT NULL CHECK (kind IN ('UIN', 'VID', 'HANDLE')),
    id_hash            text        NOT NULL CHECK (id_hash ~ '^[0-9A-F]{64}$'),
    id_sealed          text        NOT NULL CHECK (id_sealed LIKE 'v1:%'),
    status_code        text        NOT NULL CHECK (status_code IN ('ACTIVE', 'REVOKED', 'EXPIRED')),
    expires_at         timestamptz,          -- NULL: as long as the identity
    transaction_limit  int         CHECK (transaction_limit > 0),  -- NULL: none
    created_at         timestamptz NOT NULL,
    UNIQUE (state_id, id_hash)
);
CREATE INDEX identifier_of ON idrepo.identifier (identity_id);
CREATE UNIQUE INDEX identifier_one_uin ON idrepo.identifier (identity_id) WHERE kind = 'UIN';

-- Step 3: one row per number and partner
CREATE TABLE idrepo.credential_request_status (
    individual_id_hash     text        NOT NULL,
    partner_id             text        NOT NULL CHECK (length(partner_id) BETWEEN 1 AND 64),
    id                     uuid        NOT NULL UNIQUE,
    tenant_id              text        NOT NULL,
    state_id               text        NOT NULL,
    identifier_id          uuid        NOT NULL REFERENCES idrepo.identifier,
    registration_id        uuid        NOT NULL REFERENCES regprc.registration,
    status                 text        NOT NULL CHECK (status IN ('NEW', 'REQUESTED', 'FAILED', 'DELETED', 'INVALID')),
    request_id             uuid,       -- chosen before the generator is called, so that a repeated call is the same request
    token_id               text        NOT NULL,  -- how the partner knows the person: the same for every number, another for every partner
    id_transaction_limit   int,
    id_expiry_timestamp    timestamptz,
    status_comment         text        CHECK (length(status_comment) <= 512),
    attempts               int         NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    next_attempt_at        timestamptz NOT NULL,
    dead_at                timestamptz,          -- given up: waits for a person
    cr_dtimes              timestamptz NOT NULL,
    upd_dtimes             timestamptz NOT NULL,
    PRIMARY KEY (individual_id_hash, partner_id),
    CHECK (status <> 'REQUESTED' OR request_id IS NOT NULL)
);
CREATE INDEX credential_request_status_due ON idrepo.credential_request_status (next_attempt_at, id)
    WHERE status IN ('NEW', 'FAILED') AND dead_at IS NULL;
CREATE INDEX credential_request_status_dead ON idrepo.credential_request_status (upd_dtimes) WHERE status = 'FAILED' AND dead_at IS NOT NULL;
CREATE INDEX credential_request_status_asked ON idrepo.credential_request_status (upd_dtimes) WHERE status = 'REQUESTED';
CREATE INDEX credential_request_status_of ON idrepo.credential_request_status (registration_id);
CREATE INDEX credential_request_status_request ON idrepo.credential_request_status (request_id) WHERE request_id IS NOT NULL;

-- Steps 3 and 4: the generator's requests, and each issuance of one -----------------------------------------------------------

CREATE TABLE credential.credential_transaction (
    id                uuid        PRIMARY KEY,  -- the request id
    tenant_id         text        NOT NULL,
    state_id          text        NOT NULL,
    registration_id   uuid        NOT NULL,     -- what all messages about it are about
    partner_id        text        NOT NULL,
    individual_id_hash text       NOT NULL,
    request_sealed    text        NOT NULL CHECK (request_sealed LIKE 'v1:%'),  -- the request as it came, with the number in clear
    status_code       text        NOT NULL CHECK (status_code IN ('NEW', 'ISSUED', 'FAILED', 'RETRY', 'CANCELLED', 'STORED')),
    status_comment    text        CHECK (length(status_comment) <= 512),
    credential_id     uuid,       -- of the newest issuance
    data_share_url    text        CHECK (length(data_share_url) <= 500),
    issuance_date     timestamptz,
    signature         text,       -- detached JWS over the shared credential
    trn_retry_count   int         NOT NULL DEFAULT 0 CHECK (trn_retry_count >= 0),
    issuances         int         NOT NULL DEFAULT 0 CHECK (issuances >= 0),
    next_attempt_at   timestamptz NOT NULL,
    dead_at           timestamptz,
    stored_at         timestamptz,
    cr_dtimes         timestamptz NOT NULL,
    upd_dtimes        timestamptz NOT NULL,
    CHECK (status_code NOT IN ('ISSUED', 'STORED') OR credential_id IS NOT NULL),
    CHECK ((status_code = 'STORED') = (stored_at IS NOT NULL))
);
CREATE INDEX credential_transaction_due ON credential.credential_transaction (next_attempt_at, id)
    WHERE status_code IN ('NEW', 'FAILED', 'RETRY') AND dead_at IS NULL;
CREATE INDEX credential_transaction_of ON credential.credential_transaction (registration_id);
CREATE INDEX credential_transaction_unanswered ON credential.credential_transaction (next_attempt_at, id)
    WHERE status_code = 'ISSUED' AND dead_at IS NULL;
CREATE INDEX credential_transaction_issued ON credential.credential_transaction (issuance_date) WHERE status_code = 'ISSUED';
CREATE INDEX credential_transaction_dead ON credential.credential_transaction (upd_dtimes) WHERE dead_at IS NOT NULL;
CREATE INDEX credential_transaction_often ON credential.credential_transaction (upd_dtimes)
    WHERE issuances >= 3 AND status_code NOT IN ('STORED', 'CANCELLED');

CREATE TABLE credential.issuance (
    id              uuid        PRIMARY KEY,  -- the credential id
    tenant_id       text        NOT NULL,
    request_id      uuid        NOT NULL REFERENCES credential.credential_transaction,
    number          int         NOT NULL CHECK (number > 0),
    share_id        uuid        NOT NULL,
    event_id        uuid        NOT NULL UNIQUE,
    status_code     text        NOT NULL CHECK (status_code IN ('BEGUN', 'ISSUED', 'STORED', 'FAILED')),
    status_comment  text        CHECK (length(status_comment) <= 512),
    published       int         NOT NULL DEFAULT 0 CHECK (published >= 0),  -- how often its event went out
    begun_at        timestamptz NOT NULL,
    ended_at        timestamptz,
    UNIQUE (request_id, number)
);

-- Data share: encrypted for one partner, for a time and a number of uses
CREATE TABLE datashare.share (
    id             uuid        PRIMARY KEY,  -- also the file's id in the filestore
    tenant_id      text        NOT NULL,
    policy_id      text        NOT NULL,
    subscriber_id  text        NOT NULL,
    key_hash       bytea       NOT NULL UNIQUE,  -- of the random part of its URL
    sha256         bytea       NOT NULL,
    size_bytes     int         NOT NULL CHECK (size_bytes > 0),
    signature      text        NOT NULL,
    expires_at     timestamptz NOT NULL,
    uses_allowed   int         NOT NULL CHECK (uses_allowed > 0),
    uses           int         NOT NULL DEFAULT 0 CHECK (uses BETWEEN 0 AND uses_allowed),
    created_at     timestamptz NOT NULL,
    erased_at      timestamptz
);
CREATE INDEX share_expired ON datashare.share (expires_at) WHERE erased_at IS NULL;

-- The hub ---------------------------------------------------------------------------------------------------------------------

CREATE TABLE websub.subscription (
    id              uuid        PRIMARY KEY,
    topic           text        NOT NULL CHECK (length(topic) BETWEEN 1 AND 200),
    callback        text        NOT NULL CHECK (length(callback) BETWEEN 8 AND 500),
    secret_sealed   text,       -- NULL: the subscriber asked for no signature
    status_code     text        NOT NULL CHECK (status_code IN ('PENDING', 'ACTIVE', 'DENIED', 'ENDED')),
    lease_s         int         NOT NULL CHECK (lease_s > 0),
    asked_at        timestamptz NOT NULL,
    verified_at     timestamptz,
    expires_at      timestamptz,
    status_comment  text        CHECK (length(status_comment) <= 512),
    attempts        int         NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    next_attempt_at timestamptz,
    -- what is being verified; what holds meanwhile goes on. NULL: nothing is
    wanted                text  CHECK (wanted IN ('SUBSCRIBE', 'UNSUBSCRIBE', 'DENY')),
    wanted_lease_s        int   CHECK (wanted_lease_s > 0),
    wanted_secret_sealed  text,
    UNIQUE (topic, callback),
    CHECK (wanted IS NULL OR next_attempt_at IS NOT NULL),
    CHECK (status_code <> 'ACTIVE' OR (verified_at IS NOT NULL AND expires_at IS NOT NULL))
);

CREATE TABLE websub.event (
    id            uuid        PRIMARY KEY,
    tenant_id     text        NOT NULL,
    topic         text        NOT NULL,
    content       bytea       NOT NULL,  -- exactly what is delivered and signed; no personal value
    content_type  text        NOT NULL,
    published_at  timestamptz NOT NULL
);

CREATE TABLE websub.delivery (
    id               uuid        PRIMARY KEY,
    event_id         uuid        NOT NULL REFERENCES websub.event,
    subscription_id  uuid        NOT NULL REFERENCES websub.subscription,
    tenant_id        text        NOT NULL,
    status_code      text        NOT NULL CHECK (status_code IN ('NEW', 'DELIVERED', 'FAILED')),
    attempts         int         NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    next_attempt_at  timestamptz NOT NULL,
    dead_at          timestamptz,
    status_comment   text        CHECK (length(status_comment) <= 512),
    delivered_at     timestamptz,
    created_at       timestamptz NOT NULL,
    UNIQUE (event_id, subscription_id),
    CHECK ((status_code = 'DELIVERED') = (delivered_at IS NOT NULL))
);
CREATE INDEX delivery_dead ON websub.delivery (dead_at) WHERE dead_at IS NOT NULL;
CREATE INDEX delivery_due ON websub.delivery (next_attempt_at, id) WHERE status_code IN ('NEW', 'FAILED') AND dead_at IS NULL;

-- Steps 5 and 6: the authentication side ------------------------------------------------------------------------------------------

CREATE TABLE ida.credential_event_store (
    event_id                   uuid        PRIMARY KEY,
    tenant_id                  text        NOT NULL,
    event_topic                text        NOT NULL,
    credential_transaction_id  uuid        NOT NULL,  -- the generator's request id
    credential_id              uuid        NOT NULL,
    registration_id            uuid        NOT NULL,
    publisher                  text        NOT NULL,
    published_on_dtimes        timestamptz NOT NULL,
    event_object               jsonb       NOT NULL,  -- as it came; no personal value
    status_code                text        NOT NULL CHECK (status_code IN ('NEW', 'STORED', 'FAILED', 'FAILED_WITH_MAX_RETRIES',
                                               'FAILED_NON_RECOVERABLE')),
    status_comment             text        CHECK (length(status_comment) <= 512),
    retry_count                int         NOT NULL DEFAULT 0 CHECK (retry_count >= 0),
    deliveries                 int         NOT NULL DEFAULT 1 CHECK (deliveries > 0),  -- how often the hub brought it
    next_attempt_at            timestamptz NOT NULL,
    ended_at                   timestamptz,            -- STORED or given up
    acknowledged_at            timestamptz,            -- CREDENTIAL_STATUS_UPDATE went out, after the commit of the above
    ack_attempts               int         NOT NULL DEFAULT 0 CHECK (ack_attempts >= 0),
    cr_dtimes                  timestamptz NOT NULL,
    upd_dtimes                 timestamptz NOT NULL,
    CHECK ((status_code IN ('STORED', 'FAILED_WITH_MAX_RETRIES', 'FAILED_NON_RECOVERABLE')) = (ended_at IS NOT NULL)),
    CHECK (acknowledged_at IS NULL OR ended_at IS NOT NULL)
);
CREATE INDEX credential_event_store_due ON ida.credential_event_store (next_attempt_at, event_id) WHERE status_code IN ('NEW', 'FAILED');
CREATE INDEX credential_event_store_unsaid ON ida.credential_event_store (next_attempt_at, event_id)
    WHERE ended_at IS NOT NULL AND acknowledged_at IS NULL;
CREATE INDEX credential_event_store_given_up ON ida.credential_event_store (ended_at)
    WHERE status_code IN ('FAILED_WITH_MAX_RETRIES', 'FAILED_NON_RECOVERABLE');
CREATE INDEX credential_event_store_stored ON ida.credential_event_store (ended_at) WHERE status_code = 'STORED';
CREATE INDEX credential_event_store_request ON ida.credential_event_store (credential_transaction_id);
CREATE INDEX credential_event_store_of ON ida.credential_event_store (registration_id);

CREATE TABLE ida.identity_cache (
    id                         text        PRIMARY KEY,  -- the number's hash
    tenant_id                  text        NOT NULL,
    state_id                   text        NOT NULL,
    token_id                   text        NOT NULL,
    demo_data_sealed           text        NOT NULL CHECK (demo_data_sealed LIKE 'v1:%'),
    bio_data                   bytea,      -- opaque: encrypted for the partner, passed on unopened
    credential_transaction_id  uuid        NOT NULL UNIQUE,
    credential_id              uuid        NOT NULL,
    event_id                   uuid        NOT NULL UNIQUE REFERENCES ida.credential_event_store,
    expiry_timestamp           timestamptz,
    transaction_limit          int         CHECK (transaction_limit > 0),
    transactions_used          int         NOT NULL DEFAULT 0 CHECK (transactions_used >= 0),
    cr_dtimes                  timestamptz NOT NULL,
    upd_dtimes                 timestamptz NOT NULL,
    CHECK (transaction_limit IS NULL OR transactions_used <= transaction_limit)
);

-- what is encrypted does not get smaller: trying it costs more than all the rest
ALTER TABLE ida.identity_cache ALTER COLUMN bio_data SET STORAGE EXTERNAL;

CREATE TABLE ida.auth_transaction (
    id               uuid        PRIMARY KEY,
    tenant_id        text        NOT NULL,
    individual_id_hash text      NOT NULL,
    requested_by     uuid        NOT NULL,
    asked            text[]      NOT NULL CHECK (cardinality(asked) > 0),  -- which fields were compared, never their values
    matched          boolean     NOT NULL,
    error_code       text,
    occurred_at      timestamptz NOT NULL
);
CREATE INDEX auth_transaction_by ON ida.auth_transaction (requested_by, occurred_at);
CREATE INDEX auth_transaction_of ON ida.auth_transaction (individual_id_hash, occurred_at);

-- Payees: a teacher whose credential and whose account are in one name ---------------------------------------------------------

-- How it was found out. What was compared is kept, so that it is compared again when the credential or the address is another.
-- UNKNOWN: it was found out once, and what it was found by is there no more.
ALTER TABLE payout.payee
    DROP CONSTRAINT payee_status_check,
    ADD CONSTRAINT payee_status_check CHECK (status IN ('VERIFIED', 'MISMATCH', 'UNKNOWN')),
    ADD COLUMN score          int   CHECK (score BETWEEN 0 AND 100),        -- how well the names agree
    ADD COLUMN credential_id  uuid,                                        -- whose name was compared
    ADD COLUMN vpa_lookup     bytea,                                       -- with the name of the owner of which address
    ADD COLUMN account_name   text  CHECK (account_name IN ('BANK', 'STAFF_REGISTER'));  -- and who told that name

-- The numbers by which a teacher's credential is found: the user name as handle, and a UIN where an admin has entered one
CREATE TABLE payout.payee_number (
    id          uuid        PRIMARY KEY,
    account_id  uuid        NOT NULL REFERENCES access.account,
    tenant_id   text        NOT NULL,
    state_id    text        NOT NULL,
    kind        text        NOT NULL CHECK (kind IN ('HANDLE', 'UIN')),
    id_hash     text        NOT NULL CHECK (id_hash ~ '^[0-9A-F]{64}$'),
    uin_sealed  text        CHECK (uin_sealed LIKE 'v1:%'),
    entered_by  uuid,                    -- NULL: the job
    entered_at  timestamptz NOT NULL,
    UNIQUE (account_id, kind),
    CONSTRAINT payee_number_of_one UNIQUE (state_id, kind, id_hash),
    CHECK ((kind = 'UIN') = (uin_sealed IS NOT NULL)),
    CHECK ((kind = 'UIN') = (entered_by IS NOT NULL))
);
CREATE INDEX payee_number_by_hash ON payout.payee_number (id_hash);
