-- Reconciliation over three sources, from the provider or from a statement file; what is done about an exception, with history.

ALTER TABLE payout.reconciliation_run
    ADD COLUMN source          text   NOT NULL DEFAULT 'PROVIDER' CHECK (source IN ('PROVIDER', 'FILE')),
    ADD COLUMN file_name       text   CHECK (length(file_name) <= 100),
    ADD COLUMN lines           int    CHECK (lines >= 0),  -- of the account statement; NULL: none was compared
    ADD COLUMN opening_paise   bigint,                     -- the statement's running balance; NULL: it states none
    ADD COLUMN credited_paise  bigint,
    ADD COLUMN debited_paise   bigint,
    ADD COLUMN closing_paise   bigint,
    ADD COLUMN settling_s      int    NOT NULL DEFAULT 1800 CHECK (settling_s >= 0),
    ADD COLUMN tolerance_paise bigint NOT NULL DEFAULT 0 CHECK (tolerance_paise >= 0),
    ADD CHECK ((source = 'FILE') = (file_name IS NOT NULL)),
    ADD CHECK ((opening_paise IS NULL) = (closing_paise IS NULL));

ALTER TABLE payout.reconciliation_item DROP CONSTRAINT reconciliation_item_kind_check;
ALTER TABLE payout.reconciliation_item
    ADD CONSTRAINT reconciliation_item_kind_check CHECK (kind IN (
        'MATCHED', 'IN_FLIGHT', 'STATUS_MISMATCH', 'AMOUNT_MISMATCH', 'BENEFICIARY_MISMATCH', 'MISSING_AT_PROVIDER', 'MISSING_IN_LEDGER',
        'DUPLICATE_AT_PROVIDER', 'REVERSED_AFTER_SETTLED', 'UTR_REUSED', 'STUCK', 'BALANCE_BROKEN')),
    ADD COLUMN attempt_id  uuid REFERENCES payout.attempt,
    ADD COLUMN line_id     text,                           -- of the account statement
    ADD COLUMN fingerprint text NOT NULL DEFAULT '',       -- the same in a later run as long as both values are the same
    ADD COLUMN status      text NOT NULL DEFAULT 'OPEN' CHECK (status IN ('OPEN', 'FIXED', 'ACKNOWLEDGED'));

-- A later run finds what has been acknowledged before, and does not ask again
CREATE INDEX reconciliation_item_known ON payout.reconciliation_item (tenant_id, fingerprint) WHERE status = 'ACKNOWLEDGED';

-- What was done about an exception, by whom and why. Only added to.
CREATE TABLE payout.reconciliation_step (
    id         uuid        PRIMARY KEY,
    tenant_id  text        NOT NULL,
    item_id    uuid        NOT NULL REFERENCES payout.reconciliation_item,
    step       text        NOT NULL CHECK (step IN ('FIX', 'ACKNOWLEDGE')),
    outcome    text        NOT NULL CHECK (outcome IN ('FIXED', 'RESUMED', 'HELD', 'UNCHANGED', 'ACKNOWLEDGED')),
    comment    text        NOT NULL CHECK (length(comment) BETWEEN 1 AND 1000),  -- a person's reason, or what the provider answered
    done_at    timestamptz NOT NULL,
    done_by    uuid        NOT NULL
);
CREATE INDEX reconciliation_step_by_item ON payout.reconciliation_step (item_id, done_at);
