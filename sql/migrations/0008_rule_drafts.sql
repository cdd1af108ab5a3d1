-- Changes of fraud rules on their way: written by one admin, tried on what was evaluated, activated or rejected by another. An activated
-- draft is a new version of the state's FraudRules document; the drafts of a rule are its story.

CREATE TABLE fraud.rule_draft (
    id                uuid        PRIMARY KEY,
    tenant_id         text        NOT NULL,  -- the state whose rules it changes
    rule_id           text        NOT NULL CHECK (length(rule_id) BETWEEN 1 AND 40),
    state             text        NOT NULL CHECK (state IN ('DRAFT', 'SUBMITTED', 'ACTIVATED', 'REJECTED', 'WITHDRAWN')),
    version           int         NOT NULL CHECK (version > 0),  -- of this row
    content           jsonb       NOT NULL CHECK (jsonb_typeof(content) = 'object'),  -- the rule as it shall be
    base              jsonb       CHECK (jsonb_typeof(base) = 'object'),  -- as it was when the draft was begun; NULL: there was none
    base_version      int         NOT NULL CHECK (base_version > 0),      -- of the rules' document then
    reason            text        NOT NULL CHECK (length(reason) BETWEEN 1 AND 500),
    trial             jsonb       CHECK (jsonb_typeof(trial) = 'object'),  -- what this content would have done; NULL: not tried since it was written
    tried_at          timestamptz,
    created_at        timestamptz NOT NULL,
    created_by        uuid        NOT NULL,
    modified_at       timestamptz NOT NULL,
    submitted_at      timestamptz,
    decided_at        timestamptz,
    decided_by        uuid,
    decision_comment  text        CHECK (length(decision_comment) BETWEEN 1 AND 500),
    published_version int         CHECK (published_version > 0),  -- of the rules' document that has it
    CHECK (base IS NULL OR base <> content),
    CHECK ((trial IS NULL) = (tried_at IS NULL)),
    CHECK ((decided_at IS NULL) = (decided_by IS NULL)),
    CHECK ((state IN ('DRAFT', 'SUBMITTED')) = (decided_at IS NULL)),
    CHECK (state <> 'DRAFT' OR submitted_at IS NULL),
    CHECK (state NOT IN ('SUBMITTED', 'ACTIVATED', 'REJECTED') OR (submitted_at IS NOT NULL AND trial IS NOT NULL)),
    CHECK (state NOT IN ('ACTIVATED', 'REJECTED') OR decided_by <> created_by),
    CHECK (state <> 'WITHDRAWN' OR decided_by = created_by),
    CHECK (state <> 'REJECTED' OR decision_comment IS NOT NULL),
    CHECK ((state = 'ACTIVATED') = (published_version IS NOT NULL))
);
CREATE INDEX rule_draft_by_time ON fraud.rule_draft (tenant_id, modified_at);
CREATE INDEX rule_draft_by_rule ON fraud.rule_draft (tenant_id, rule_id, modified_at);
