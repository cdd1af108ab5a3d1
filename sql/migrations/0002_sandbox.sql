-- The stand-in provider's own books. They belong to another house: no tenant, no reference to our tables, its own clock.
-- All times are the sandbox's time, all amounts integer paise. Rows are never deleted except by the sandbox's reset.

CREATE SCHEMA sandbox;

-- Every payout changes the one account row, so its page keeps room for the new versions.
CREATE TABLE sandbox.account (
    account_number text        PRIMARY KEY,
    balance_paise  bigint      NOT NULL CHECK (balance_paise >= 0),
    opened_at      timestamptz NOT NULL
) WITH (fillfactor = 10);

CREATE TABLE sandbox.contact (
    seq          bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id           text        NOT NULL UNIQUE CHECK (id ~ '^cont_[0-9A-Za-z]{14}$'),
    name         text        NOT NULL CHECK (length(name) BETWEEN 3 AND 50),
    email        text,
    contact      text,
    type         text,
    reference_id text        CHECK (length(reference_id) <= 40),
    notes        jsonb       NOT NULL,
    active       boolean     NOT NULL,
    fingerprint  text        UNIQUE,  -- hash of name, email, contact, type, reference; NULL: changed into the likeness of another
    created_at   timestamptz NOT NULL
);

CREATE TABLE sandbox.fund_account (
    seq        bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id         text        NOT NULL UNIQUE CHECK (id ~ '^fa_[0-9A-Za-z]{14}$'),
    contact_id text        NOT NULL REFERENCES sandbox.contact (id),
    address    text        NOT NULL CHECK (length(address) BETWEEN 3 AND 100),
    active     boolean     NOT NULL,
    created_at timestamptz NOT NULL,
    UNIQUE (contact_id, address)
);

-- No foreign key to the account: it would lock the row that every payout waits for once more.
CREATE TABLE sandbox.payout (
    seq                  bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id                   text        NOT NULL UNIQUE CHECK (id ~ '^pout_[0-9A-Za-z]{14}$'),
    account_number       text        NOT NULL,
    fund_account_id      text        NOT NULL REFERENCES sandbox.fund_account (id),
    amount_paise         bigint      NOT NULL CHECK (amount_paise >= 100),
    fees_paise           bigint      NOT NULL CHECK (fees_paise >= 0),  -- tax included
    tax_paise            bigint      NOT NULL CHECK (tax_paise BETWEEN 0 AND fees_paise),
    mode                 text        NOT NULL,
    purpose              text        NOT NULL,
    reference_id         text        CHECK (length(reference_id) <= 40),
    narration            text        CHECK (length(narration) <= 30),
    notes                jsonb       NOT NULL,
    status               text        NOT NULL CHECK (status IN ('pending', 'scheduled', 'queued', 'processing', 'processed',
                                                                'failed', 'reversed', 'cancelled', 'rejected')),
    reason               text,
    utr                  text        CHECK (utr ~ '^[0-9]{12}$'),
    held_paise           bigint      NOT NULL,  -- what the account is poorer by at present because of this payout
    script               text        NOT NULL,  -- the outcome that the VPA named
    step                 int         NOT NULL CHECK (step >= 0),  -- next step of the script
    due_at               timestamptz,           -- when that step is taken; NULL: not by itself
    first_reply          text        NOT NULL,  -- what the creating request was answered
    created_at           timestamptz NOT NULL,
    changed_at           timestamptz NOT NULL,
    CHECK (held_paise IN (0, amount_paise + fees_paise)),
    CHECK (status NOT IN ('processing', 'processed') OR held_paise > 0),
    CHECK (status NOT IN ('reversed', 'cancelled', 'rejected') OR held_paise = 0)
);
CREATE INDEX payout_by_reference ON sandbox.payout (reference_id);
CREATE INDEX payout_by_fund_account ON sandbox.payout (fund_account_id);
CREATE INDEX payout_due ON sandbox.payout (due_at, seq) WHERE due_at IS NOT NULL;
CREATE INDEX payout_queue ON sandbox.payout (seq) WHERE status = 'queued';

-- One key, one body, one payout: for ever.
CREATE TABLE sandbox.idempotency_key (
    key         text        PRIMARY KEY CHECK (key ~ '^[A-Za-z0-9_ -]{4,36}$'),
    body_sha256 text        NOT NULL CHECK (body_sha256 ~ '^[0-9a-f]{64}$'),
    payout_id   text        NOT NULL UNIQUE REFERENCES sandbox.payout (id) DEFERRABLE INITIALLY DEFERRED,
    replays     int         NOT NULL DEFAULT 0,  -- sent again with the same body
    conflicts   int         NOT NULL DEFAULT 0,  -- sent again with another body, and refused
    created_at  timestamptz NOT NULL
);

-- The statement: each row's balance follows from the row before it.
CREATE TABLE sandbox.transaction (
    seq            bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id             text        NOT NULL UNIQUE CHECK (id ~ '^txn_[0-9A-Za-z]{14}$'),
    account_number text        NOT NULL,
    credit_paise   bigint      NOT NULL CHECK (credit_paise >= 0),
    debit_paise    bigint      NOT NULL CHECK (debit_paise >= 0),
    balance_paise  bigint      NOT NULL CHECK (balance_paise >= 0),
    source_kind    text        NOT NULL CHECK (source_kind IN ('payout', 'reversal', 'bank_transfer', 'external')),
    source_id      text        NOT NULL,
    payout_id      text        REFERENCES sandbox.payout (id),
    created_at     timestamptz NOT NULL,
    CHECK ((credit_paise > 0) <> (debit_paise > 0)),
    CHECK ((source_kind IN ('payout', 'reversal')) = (payout_id IS NOT NULL))
);
CREATE INDEX transaction_by_payout ON sandbox.transaction (payout_id) WHERE payout_id IS NOT NULL;

-- Every change of a payout, and the outbox of webhooks.
CREATE TABLE sandbox.event (
    seq             bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id              text        NOT NULL UNIQUE,
    name            text,        -- NULL: the provider has no webhook for this change
    subject_id      text        NOT NULL,
    old_status      text,
    new_status      text        NOT NULL,
    body            text,        -- the exact bytes that were signed
    signature       text,        -- with the secret of that moment: a retry after a rotation keeps it
    state           text        NOT NULL CHECK (state IN ('pending', 'delivered', 'dropped', 'silent')),
    attempts        int         NOT NULL DEFAULT 0,
    next_attempt_at timestamptz NOT NULL,
    not_before      timestamptz, -- a late webhook waits until then, whatever is forced
    last_result     text,        -- HTTP status or the kind of failure of the last attempt
    created_at      timestamptz NOT NULL,
    delivered_at    timestamptz,
    CHECK ((body IS NULL) = (name IS NULL)),
    CHECK ((body IS NULL) = (signature IS NULL)),
    CHECK (body IS NOT NULL OR state = 'silent')
);
CREATE INDEX event_pending ON sandbox.event (seq) WHERE state = 'pending';
CREATE INDEX event_by_subject ON sandbox.event (subject_id, seq);

CREATE TABLE sandbox.validation (
    seq             bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id              text        NOT NULL UNIQUE CHECK (id ~ '^fav_[0-9A-Za-z]{14}$'),
    fund_account_id text        NOT NULL REFERENCES sandbox.fund_account (id),
    reference_id    text,
    notes           jsonb       NOT NULL,
    status          text        NOT NULL CHECK (status IN ('created', 'completed', 'failed')),
    account_status  text        CHECK (account_status IN ('active', 'invalid')),
    registered_name text,
    due_at          timestamptz,
    created_at      timestamptz NOT NULL,
    CHECK ((status = 'completed') = (account_status IS NOT NULL))
);
CREATE INDEX validation_due ON sandbox.validation (due_at) WHERE due_at IS NOT NULL;

-- Faults waiting to be met, and each one that was.
CREATE TABLE sandbox.fault (
    seq          bigint           GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind         text             NOT NULL,
    operation    text             NOT NULL,
    reference_id text,            -- NULL: whichever request comes
    remaining    int              NOT NULL CHECK (remaining >= 0),
    seconds      double precision NOT NULL CHECK (seconds >= 0),
    created_at   timestamptz      NOT NULL
);

CREATE TABLE sandbox.fault_hit (
    seq             bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    fault_seq       bigint      NOT NULL REFERENCES sandbox.fault (seq),
    kind            text        NOT NULL,
    operation       text        NOT NULL,
    idempotency_key text,
    reference_id    text,
    created_at      timestamptz NOT NULL
);

-- Requests whose reply was lost and whose commit comes later.
CREATE TABLE sandbox.delayed_request (
    seq             bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    idempotency_key text,
    body            bytea       NOT NULL,
    due_at          timestamptz NOT NULL,
    done_at         timestamptz,
    outcome         text,       -- the payout, or why it was refused in the end
    CHECK ((done_at IS NULL) = (outcome IS NULL))
);
CREATE INDEX delayed_request_due ON sandbox.delayed_request (due_at) WHERE done_at IS NULL;

-- Switches and the clock, so that a restart remembers them.
CREATE TABLE sandbox.setting (
    name  text  PRIMARY KEY,
    value jsonb NOT NULL
);
