-- How people prove who they are, beyond any tenant: passwords, sessions, second factors, outside identities, keys.
-- Only the system login reaches these tables; none of them refers to a table of tenants.

ALTER TABLE users
    ADD COLUMN password_hash       text,
    ADD COLUMN password_changed_at timestamptz,
    ADD COLUMN email_verified_at   timestamptz,
    -- Encrypted. An app that is being set up is not in use before a first code of it was shown; until then the one
    -- before it goes on.
    ADD COLUMN totp_secret         bytea,
    ADD COLUMN totp_pending        bytea,
    ADD COLUMN totp_confirmed_at   timestamptz,
    -- The last time step a code was taken for: no code works twice (RFC 6238, section 5.2).
    ADD COLUMN totp_last_step      bigint NOT NULL DEFAULT 0;

CREATE TABLE recovery_codes (
    user_id             uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    code_hash           bytea NOT NULL,
    used_at             timestamptz,
    PRIMARY KEY (user_id, code_hash)
);

-- One signed-in device: the family of its refresh tokens.
CREATE TABLE sessions (
    session_id          uuid PRIMARY KEY,
    user_id             uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    -- The tenant that its access tokens are for at the moment.
    tenant_id           uuid NOT NULL,
    second_factor       boolean NOT NULL DEFAULT false,
    -- The outside provider it came through, if it did.
    provider            text,
    address             text,
    user_agent          text,
    created_at          timestamptz NOT NULL,
    last_used_at        timestamptz NOT NULL,
    expires_at          timestamptz NOT NULL,
    ended_at            timestamptz,
    ended_because       text
);
CREATE INDEX sessions_user_idx ON sessions (user_id, created_at);

-- Each is used once. An older generation that comes back is theft, but for the one before the last, whose answer may
-- have got lost on the way.
CREATE TABLE refresh_tokens (
    token_hash          bytea PRIMARY KEY,
    session_id          uuid NOT NULL REFERENCES sessions ON DELETE CASCADE,
    generation          integer NOT NULL,
    -- The generation that it was got with.
    parent              integer NOT NULL,
    issued_at           timestamptz NOT NULL,
    used_at             timestamptz,
    CONSTRAINT refresh_tokens_generation_key UNIQUE (session_id, generation)
);

-- Secrets that work once, for a while: mailed links, the step between password and second factor, sign-ins at a provider.
CREATE TABLE one_time_tokens (
    token_hash          bytea PRIMARY KEY,
    purpose             text NOT NULL
                        CONSTRAINT one_time_tokens_purpose_check
                        CHECK (purpose IN ('REGISTER', 'VERIFY_EMAIL', 'RESET_PASSWORD', 'SECOND_FACTOR', 'PROVIDER_SIGN_IN')),
    user_id             uuid REFERENCES users ON DELETE CASCADE,
    data                jsonb NOT NULL DEFAULT '{}',
    attempts            integer NOT NULL DEFAULT 0,
    created_at          timestamptz NOT NULL,
    expires_at          timestamptz NOT NULL,
    used_at             timestamptz
);
CREATE INDEX one_time_tokens_user_idx ON one_time_tokens (user_id, purpose);
CREATE INDEX one_time_tokens_expires_idx ON one_time_tokens (expires_at);

-- Whom other issuers call by another name (OpenID Connect Core 1.0, section 5.7: iss and sub together).
CREATE TABLE identities (
    issuer              text NOT NULL,
    subject             text NOT NULL,
    user_id             uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    email               text NOT NULL,
    linked_at           timestamptz NOT NULL,
    PRIMARY KEY (issuer, subject)
);
CREATE INDEX identities_user_idx ON identities (user_id);

-- What access tokens are signed with; the private half is encrypted.
CREATE TABLE signing_keys (
    kid                 text PRIMARY KEY,
    public_key          bytea NOT NULL,
    private_key         bytea NOT NULL,
    created_at          timestamptz NOT NULL,
    -- Other servers know the key by then.
    signs_from          timestamptz NOT NULL,
    -- No token that it signed is still good then.
    checks_until        timestamptz
);

-- Whose rights changed lately. Every server reads along several times a second and forgets what it knew of them.
-- Unset columns mean everybody: a tenant without a user is all of its members.
CREATE TABLE access_changes (
    change_id           uuid PRIMARY KEY,
    tenant_id           uuid,
    user_id             uuid,
    session_id          uuid,
    changed_at          timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX access_changes_changed_idx ON access_changes (changed_at);
