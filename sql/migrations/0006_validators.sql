-- Validators outside: what each was asked about a report and said, what is remembered, and who is left alone for a while.

-- One row for each validator that is asked about a report. WAITING: due at next_at. ASKING: a call is under way, at the
-- longest until next_at; after that nothing is known of it, and it is made again. The others are final: what the rules read.
CREATE TABLE fraud.validator_result (
    report_id     uuid        NOT NULL REFERENCES sdcrs.report,
    validator_id  text        NOT NULL,
    tenant_id     text        NOT NULL,
    state         text        NOT NULL CHECK (state IN ('WAITING', 'ASKING', 'ANSWERED', 'SKIPPED', 'MANUAL', 'DEFAULTED')),
    next_at       timestamptz,
    takes         int         NOT NULL DEFAULT 0 CHECK (takes >= 0),     -- how often a worker took it up; tells one lease from the next
    lost          int         NOT NULL DEFAULT 0 CHECK (lost >= 0),      -- calls of which nothing was ever heard: their worker died
    failures      int         NOT NULL DEFAULT 0 CHECK (failures >= 0),  -- calls that ended without a usable answer
    outputs       jsonb       CHECK (jsonb_typeof(outputs) = 'object'),  -- by the names that rules use
    reason        text        CHECK (length(reason) <= 500),             -- why there is no answer, or not yet
    remembered    boolean     NOT NULL DEFAULT false,                    -- the answer to an equal question, asked before
    created_at    timestamptz NOT NULL,
    settled_at    timestamptz,
    read_at       timestamptz,                                           -- when its report was validated
    PRIMARY KEY (report_id, validator_id),
    CHECK ((settled_at IS NULL) = (state IN ('WAITING', 'ASKING'))),
    CHECK ((settled_at IS NULL) = (next_at IS NOT NULL)),
    CHECK ((outputs IS NOT NULL) = (state IN ('ANSWERED', 'DEFAULTED'))),
    CHECK (state NOT IN ('SKIPPED', 'MANUAL', 'DEFAULTED') OR reason IS NOT NULL)
);
CREATE INDEX validator_result_due ON fraud.validator_result (next_at) WHERE settled_at IS NULL;

CREATE INDEX validator_result_unread ON fraud.validator_result (report_id) INCLUDE (settled_at) WHERE read_at IS NULL;

-- Answers by a hash of the question
CREATE TABLE fraud.validator_cache (
    tenant_id    text        NOT NULL,
    validator_id text        NOT NULL,
    question     bytea       NOT NULL CHECK (length(question) = 32),
    outputs      jsonb       NOT NULL CHECK (jsonb_typeof(outputs) = 'object'),
    answered_at  timestamptz NOT NULL,
    expires_at   timestamptz NOT NULL CHECK (expires_at > answered_at),
    PRIMARY KEY (tenant_id, validator_id, question)
);
CREATE INDEX validator_cache_expired ON fraud.validator_cache (expires_at);

-- Circuit breakers, shared by all processes; one that never failed has no row. A service is nobody's tenant.
CREATE TABLE fraud.validator_breaker (
    breaker     text        PRIMARY KEY,  -- validator and host
    failures    int         NOT NULL DEFAULT 0 CHECK (failures >= 0),  -- in a row
    open_until  timestamptz,              -- NULL: closed
    probe_until timestamptz,              -- a probe is under way, at the longest until then
    trouble     text        CHECK (length(trouble) <= 500),            -- the last failure
    changed_at  timestamptz NOT NULL,
    CHECK (probe_until IS NULL OR open_until IS NOT NULL)
);
