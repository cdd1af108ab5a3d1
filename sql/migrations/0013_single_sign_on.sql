-- Sign-in by the state's identity provider: what is under way, who is who there, and refresh tokens that were used.

-- A sign-in that was begun and has not come back. The row goes with its first use or when it is out of date.
CREATE TABLE access.sign_in_flow (
    state_hash       bytea       PRIMARY KEY CHECK (length(state_hash) = 32),  -- SHA-256 of the state; the state itself is never stored
    kind             text        NOT NULL CHECK (kind IN ('CONSOLE', 'API')),
    redirect_uri     text        NOT NULL CHECK (length(redirect_uri) BETWEEN 1 AND 512),
    sealed           text        NOT NULL CHECK (sealed LIKE 'v1:%'),  -- nonce and PKCE verifier
    cookie_hash      bytea       CHECK (length(cookie_hash) = 32),      -- a browser's cookie; the console's flows have one
    correlation_hash bytea       CHECK (length(correlation_hash) = 32), -- the X-Correlation-Id, where the app sent one
    challenge        text        CHECK (length(challenge) BETWEEN 43 AND 128),  -- S256 of the app's own verifier, where it sent one
    next_path        text,
    begun_at         timestamptz NOT NULL,
    expires_at       timestamptz NOT NULL CHECK (expires_at > begun_at),
    CHECK (kind = 'API' OR cookie_hash IS NOT NULL)
);
CREATE INDEX sign_in_flow_by_end ON access.sign_in_flow (expires_at);

-- Which account a provider's subject is. A subject may be an e-mail address, so only its keyed hash is kept.
CREATE TABLE access.identity (
    issuer       text        NOT NULL CHECK (length(issuer) BETWEEN 1 AND 512),
    subject_hash bytea       NOT NULL CHECK (length(subject_hash) = 32),
    account_id   uuid        NOT NULL REFERENCES access.account,
    tenant_id    text        NOT NULL,
    linked_at    timestamptz NOT NULL,
    PRIMARY KEY (issuer, subject_hash),
    UNIQUE (issuer, account_id)
);
CREATE INDEX identity_by_account ON access.identity (account_id);

-- Refresh tokens that were used: one that comes again was stolen, from us or from its owner.
CREATE TABLE access.refresh_used (
    refresh_hash bytea       PRIMARY KEY CHECK (length(refresh_hash) = 32),
    session_id   uuid        NOT NULL REFERENCES access.session ON DELETE CASCADE,
    tenant_id    text        NOT NULL,
    used_at      timestamptz NOT NULL
);
CREATE INDEX refresh_used_by_session ON access.refresh_used (session_id);

ALTER TABLE access.account ADD COLUMN designation text CHECK (length(designation) BETWEEN 1 AND 64);  -- as the provider says it
