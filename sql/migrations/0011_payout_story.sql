-- Each call for an attempt with its answer, addresses asked after before they are paid, verified payees, and settlements by
-- hand with a file as proof or outside the rules.

-- One row a call that asked for money or for what became of it. A call without a row: whoever made it died with it.
CREATE TABLE payout.call (
    id          uuid        PRIMARY KEY,
    tenant_id   text        NOT NULL,
    attempt_id  uuid        NOT NULL REFERENCES payout.attempt,
    send        int         NOT NULL CHECK (send >= 1),   -- the attempt's send during which it was made
    call        text        NOT NULL CHECK (call IN ('ORDER', 'LOOK_UP')),
    outcome     text        NOT NULL CHECK (outcome IN ('ACCEPTED', 'REFUSED', 'UNKNOWN', 'PAUSED', 'NONE_FOUND', 'AMBIGUOUS')),
    why         text        CHECK (length(why) <= 64),    -- our code for an unknown or paused one
    http_status int,                                      -- NULL: no answer came, or it was read as a payout
    reason      text        CHECK (length(reason) <= 64), -- the provider's code
    field       text        CHECK (length(field) <= 64),  -- the field that the provider names
    description text        CHECK (length(description) <= 500),
    provider_payout_id text,
    provider_status    text,
    called_at   timestamptz NOT NULL,
    took_ms     int         NOT NULL CHECK (took_ms >= 0),
    CHECK ((outcome = 'ACCEPTED') = (provider_payout_id IS NOT NULL)),
    CHECK (outcome NOT IN ('UNKNOWN', 'PAUSED') OR why IS NOT NULL)
);
CREATE INDEX call_by_attempt ON payout.call (attempt_id, called_at);

-- What the provider found when it was asked whether an address can be paid. `completed` alone does not mean that it can.
ALTER TABLE payout.fund_account
    ADD COLUMN validation_id      text UNIQUE,
    ADD COLUMN validation_status  text CHECK (validation_status IN ('created', 'completed', 'failed')),
    ADD COLUMN account_status     text CHECK (account_status IN ('active', 'invalid')),
    ADD COLUMN registered_sealed  text,          -- the name in which the bank has it, encrypted
    ADD COLUMN name_match         int  CHECK (name_match BETWEEN 0 AND 100),
    ADD COLUMN validation_asked_at timestamptz,
    ADD COLUMN validated_at       timestamptz,   -- when the answer was final
    ADD CHECK ((validation_asked_at IS NULL) = (validation_status IS NULL)),
    ADD CHECK (validated_at IS NULL OR validation_status IN ('completed', 'failed'));

-- A provider knows only what it was told itself: whoever changes the paying account tells of contacts and addresses anew.
ALTER TABLE payout.fund_account
    ADD COLUMN provider text,                    -- a mark of the paying account; NULL: from before there was a mark
    DROP CONSTRAINT fund_account_beneficiary_id_vpa_lookup_key,
    ADD CONSTRAINT fund_account_once UNIQUE (beneficiary_id, vpa_lookup, provider);

-- Who is known to be who they say they are. Written by the room that finds it out; no row: nobody has found it out.
CREATE TABLE payout.payee (
    account_id  uuid        PRIMARY KEY REFERENCES access.account,
    tenant_id   text        NOT NULL,
    status      text        NOT NULL CHECK (status IN ('VERIFIED', 'MISMATCH')),
    source      text        NOT NULL CHECK (length(source) BETWEEN 1 AND 64),  -- how that is known
    checked_at  timestamptz NOT NULL
);

-- Outside the rules nobody settles alone, whatever the tenant asks for otherwise.
ALTER TABLE payout.payout
    ADD COLUMN manual_file_id uuid REFERENCES sdcrs.file,
    ADD COLUMN manual_exception text CHECK (length(manual_exception) BETWEEN 10 AND 1000),
    ADD CHECK (manual_requested_at IS NOT NULL OR (manual_file_id IS NULL AND manual_exception IS NULL)),
    ADD CONSTRAINT payout_exception_has_two_admins
        CHECK (manual_exception IS NULL OR manual_approved_by IS NULL OR manual_approved_by <> manual_requested_by);

-- Whose event it is, once that is known: people see the events of their own payouts.
ALTER TABLE payout.webhook_event ADD COLUMN tenant_id text;  -- NULL: it belongs to no attempt of ours
UPDATE payout.webhook_event e SET tenant_id = a.tenant_id FROM payout.attempt a WHERE a.id = e.attempt_id;
