-- Seals of the audit: one row for each deed, in the order in which a follower read them, each bound to the one before it.

CREATE TABLE audit.seal (
    state_id   text        NOT NULL,
    number     bigint      NOT NULL CHECK (number >= 1),  -- without gaps, from 1 in each state
    event_id   uuid        NOT NULL UNIQUE,
    hash       bytea       NOT NULL CHECK (length(hash) = 32),  -- keyed, of the hash before and the row
    key_id     text        NOT NULL,
    sealed_at  timestamptz NOT NULL,
    PRIMARY KEY (state_id, number)
);
