-- Penalties of teachers with what led to them, and the life of a fraud flag.

-- What counts towards a penalty: a rejection that the reasons of the master data count, or a fraud that two admins confirmed.
CREATE TABLE fraud.strike (
    id             uuid        PRIMARY KEY,  -- of the history row that rejected, or of the confirmation
    number         bigint      GENERATED ALWAYS AS IDENTITY,  -- in order of arrival, for those of one moment
    tenant_id      text        NOT NULL,     -- the teacher's home
    account_id     uuid        NOT NULL REFERENCES access.account,
    report_id      uuid        NOT NULL REFERENCES sdcrs.report,
    kind           text        NOT NULL CHECK (kind IN ('REJECTION', 'FRAUD')),
    reason         text        NOT NULL,     -- code of the rejection; FRAUD: CONFIRMED
    report_version int,                      -- of the report once rejected
    happened_at    timestamptz NOT NULL,
    taken_back_at  timestamptz,              -- the report left its rejection again: it counts no more, and never did
    forgiven_at    timestamptz, forgiven_by uuid,  -- a penalty was lifted with all that led to it: it counts no further
    CHECK ((kind = 'REJECTION') = (report_version IS NOT NULL)),
    CHECK ((forgiven_at IS NULL) = (forgiven_by IS NULL))
);
CREATE INDEX strike_by_account ON fraud.strike (account_id, happened_at);
CREATE INDEX strike_by_report ON fraud.strike (report_id);

-- A fraud that one admin says a report is, and a second one approves or refuses.
CREATE TABLE fraud.confirmation (
    id            uuid        PRIMARY KEY,
    tenant_id     text        NOT NULL,
    account_id    uuid        NOT NULL REFERENCES access.account,
    report_id     uuid        NOT NULL REFERENCES sdcrs.report,
    status        text        NOT NULL CHECK (status IN ('REQUESTED', 'APPROVED', 'REFUSED')),
    comment       text        NOT NULL CHECK (length(comment) BETWEEN 1 AND 1000),
    requested_at  timestamptz NOT NULL, requested_by uuid NOT NULL,
    decided_at    timestamptz, decided_by uuid,
    decision_comment text     CHECK (length(decision_comment) <= 1000),
    CHECK ((decided_at IS NULL) = (decided_by IS NULL)),
    CHECK ((status = 'REQUESTED') = (decided_at IS NULL)),
    CHECK (status <> 'APPROVED' OR decided_by <> requested_by)
);
CREATE UNIQUE INDEX confirmation_once ON fraud.confirmation (report_id) WHERE status IN ('REQUESTED', 'APPROVED');
CREATE INDEX confirmation_waiting ON fraud.confirmation (tenant_id, requested_at) WHERE status = 'REQUESTED';

-- One penalty for each strike: the severest step that was due when it happened.
CREATE TABLE fraud.penalty (
    id             uuid        PRIMARY KEY,
    tenant_id      text        NOT NULL,
    account_id     uuid        NOT NULL REFERENCES access.account,
    code           text        NOT NULL CHECK (code IN ('WARNING', 'COOLDOWN', 'SUSPENSION', 'BAN')),
    level          int         NOT NULL CHECK (level > 0),
    cause_id       uuid        NOT NULL REFERENCES fraud.strike,
    report_id      uuid        NOT NULL REFERENCES sdcrs.report,  -- of the cause
    strikes        uuid[]      NOT NULL CHECK (cardinality(strikes) > 0),  -- what counted, the cause included
    reason         text        NOT NULL,
    penalties_version int      NOT NULL,     -- of FRAUD-DETECTION.ApplicantPenalties
    starts_at      timestamptz NOT NULL,
    until          timestamptz,              -- NULL: for ever
    status         text        NOT NULL CHECK (status IN ('ACTIVE', 'EXPIRED', 'LIFTED')),
    lift_requested_at timestamptz, lift_requested_by uuid,  -- of a ban: a second admin must approve
    lift_forgives  boolean,                  -- with all that led to it
    lift_reason    text        CHECK (length(lift_reason) BETWEEN 1 AND 1000),
    lifted_at      timestamptz, lifted_by uuid,
    appeal_role    text,                     -- who hears an appeal; NULL: there is none
    appeal_until   timestamptz,              -- NULL: as long as the penalty lasts
    appealed_at    timestamptz, appealed_by uuid,
    appeal_text    text        CHECK (length(appeal_text) BETWEEN 1 AND 1000),
    appeal_decided_at timestamptz, appeal_decided_by uuid,
    appeal_granted boolean,
    appeal_comment text        CHECK (length(appeal_comment) BETWEEN 1 AND 1000),
    created_at     timestamptz NOT NULL,
    modified_at    timestamptz NOT NULL,
    UNIQUE (cause_id, code),
    CHECK ((code = 'BAN') = (until IS NULL)),
    CHECK ((lift_requested_at IS NULL) = (lift_requested_by IS NULL)),
    CHECK ((lift_requested_at IS NULL AND lifted_at IS NULL) = (lift_reason IS NULL)),
    CHECK ((lifted_at IS NULL) = (lifted_by IS NULL)),
    CHECK ((status = 'LIFTED') = (lifted_at IS NOT NULL)),
    CHECK ((appealed_at IS NULL) = (appealed_by IS NULL)),
    CHECK ((appealed_at IS NULL) = (appeal_text IS NULL)),
    CHECK (appealed_at IS NULL OR appeal_role IS NOT NULL),
    CHECK ((appeal_decided_at IS NULL) = (appeal_decided_by IS NULL)),
    CHECK ((appeal_decided_at IS NULL) = (appeal_granted IS NULL)),
    CHECK ((appeal_decided_at IS NULL) = (appeal_comment IS NULL)),
    CHECK (appeal_decided_at IS NULL OR appealed_at IS NOT NULL)
);
CREATE INDEX penalty_by_account ON fraud.penalty (account_id, starts_at);
CREATE INDEX penalty_by_report ON fraud.penalty (report_id);
CREATE INDEX penalty_to_end ON fraud.penalty (until) WHERE status = 'ACTIVE';
CREATE INDEX penalty_active ON fraud.penalty (tenant_id, level, starts_at) WHERE status = 'ACTIVE';
CREATE INDEX penalty_appealed ON fraud.penalty (tenant_id, appealed_at) WHERE appealed_at IS NOT NULL AND appeal_decided_at IS NULL;
CREATE INDEX penalty_lift_waiting ON fraud.penalty (tenant_id, lift_requested_at) WHERE lift_requested_at IS NOT NULL AND lifted_at IS NULL;

-- What people are to be told; the worker makes messages of it, since it alone sees the admins of every level.
CREATE TABLE fraud.notice (
    id          uuid        PRIMARY KEY,
    tenant_id   text        NOT NULL,
    account_id  uuid        NOT NULL REFERENCES access.account,  -- the teacher
    report_id   uuid        NOT NULL REFERENCES sdcrs.report,
    penalty_id  uuid        REFERENCES fraud.penalty,  -- NULL: about a confirmation that waits
    kind        text        NOT NULL CHECK (kind IN ('IMPOSED', 'ENDED', 'LIFTED', 'APPEALED', 'APPEAL_REFUSED', 'SECOND_ADMIN')),
    comment     text        CHECK (length(comment) <= 1000),
    asked_by    uuid,                     -- needs no telling
    created_at  timestamptz NOT NULL,
    told_at     timestamptz,
    CHECK (penalty_id IS NOT NULL OR kind = 'SECOND_ADMIN')
);
CREATE INDEX notice_to_tell ON fraud.notice (created_at, id) WHERE told_at IS NULL;
CREATE INDEX account_admins ON access.account (tenant_id) WHERE active AND roles && ARRAY['DISTRICT_ADMIN', 'STATE_ADMIN'];
CREATE INDEX account_standing_ends ON access.account (standing_until) WHERE standing_until IS NOT NULL;

-- One flag for each fired rule that is worth a person's look.
CREATE TABLE fraud.flag (
    id            uuid        PRIMARY KEY,
    tenant_id     text        NOT NULL,
    report_id     uuid        NOT NULL REFERENCES sdcrs.report,
    account_id    uuid        NOT NULL REFERENCES access.account,  -- who reported
    rule_id       text        NOT NULL,
    rule_code     text        NOT NULL,
    category      text        NOT NULL,
    severity      text        NOT NULL CHECK (severity IN ('LOW', 'MEDIUM', 'HIGH', 'CRITICAL')),
    score         double precision NOT NULL CHECK (score BETWEEN 0 AND 100),  -- what it added to the report's
    message       text        NOT NULL,
    rules_version int         NOT NULL,
    status        text        NOT NULL CHECK (status IN ('OPEN', 'UNDER_REVIEW', 'ESCALATED', 'RESOLVED')),
    escalated_to  text        CHECK (escalated_to IN ('SENIOR_VERIFIER', 'DISTRICT_ADMIN', 'STATE_ADMIN')),  -- and roles above it
    taken_at      timestamptz, taken_by uuid,
    resolution    text        CHECK (resolution IN ('TRUE_POSITIVE', 'FALSE_POSITIVE', 'INCONCLUSIVE', 'DUPLICATE_FLAG')),
    resolved_at   timestamptz, resolved_by uuid,
    by_decision   boolean     NOT NULL DEFAULT false,  -- followed from what a person decided about the report
    comment       text        CHECK (length(comment) <= 1000),
    raised_at     timestamptz NOT NULL,
    modified_at   timestamptz NOT NULL,
    UNIQUE (report_id, rule_id),
    CHECK ((taken_at IS NULL) = (taken_by IS NULL)),
    CHECK ((resolved_at IS NULL) = (resolved_by IS NULL)),
    CHECK ((status = 'RESOLVED') = (resolution IS NOT NULL)),
    CHECK ((status = 'RESOLVED') = (resolved_at IS NOT NULL)),
    CHECK (status <> 'UNDER_REVIEW' OR taken_at IS NOT NULL),
    CHECK (status <> 'ESCALATED' OR escalated_to IS NOT NULL)
);
CREATE INDEX flag_queue ON fraud.flag (tenant_id, score DESC, raised_at) WHERE status <> 'RESOLVED';
CREATE INDEX flag_by_rule ON fraud.flag (tenant_id, rule_id, raised_at);
CREATE INDEX flag_by_account ON fraud.flag (account_id, raised_at);

-- The newest pairs that nobody has decided, for the graph of who reports what others report
CREATE INDEX pair_recent ON fraud.pair (tenant_id, found_at) WHERE decision IS NULL;
