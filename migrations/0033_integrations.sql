-- Accounts at services elsewhere that records are kept in step with, and how that went.

CREATE TABLE integrations (
    tenant_id           uuid NOT NULL REFERENCES tenants,
    integration_id      uuid NOT NULL,
    provider            text COLLATE "C" NOT NULL,
    name                text NOT NULL,
    name_normalized     text COLLATE "C" NOT NULL,
    -- Whose it is, where it is a person's and not the tenant's.
    user_id             uuid,
    visible_to          text COLLATE "C" NOT NULL,
    status              text NOT NULL CHECK (status IN (
        'CONNECTING', 'ACTIVE', 'PAUSED', 'REAUTHORIZATION_NEEDED', 'DISCONNECTED')),
    status_since        timestamptz NOT NULL,
    -- Why it needs to be authorised again.
    status_reason       text,
    -- What the account is at the service.
    external_account    text,
    external_name       text,
    sync_every_minutes  integer NOT NULL CHECK (sync_every_minutes BETWEEN 5 AND 1440),
    -- Whose rights decide what it reads and writes.
    runs_as             text NOT NULL,
    -- What it authenticates with, and what an authorisation that was begun is finished with; sealed.
    credentials         bytea,
    authorization_hash  bytea,
    authorization_sealed bytea,
    authorization_ends_at timestamptz,
    -- Who refreshes the credentials, and until when; each who begins counts.
    refresh_until       timestamptz,
    refresh_fence       bigint NOT NULL DEFAULT 0,
    -- The last event that was pushed when it was paused.
    pushed_seq          bigint,
    created_at          timestamptz NOT NULL,
    created_by          text NOT NULL,
    updated_at          timestamptz NOT NULL,
    updated_by          text NOT NULL,
    version             integer NOT NULL DEFAULT 1,
    PRIMARY KEY (tenant_id, integration_id)
);
CREATE INDEX integrations_created_idx ON integrations (tenant_id, created_at, integration_id);
CREATE INDEX integrations_name_idx ON integrations (tenant_id, name_normalized, integration_id);

-- What of an account is kept in step, kind by kind, and how far that is.
CREATE TABLE integration_streams (
    tenant_id           uuid NOT NULL REFERENCES tenants,
    integration_id      uuid NOT NULL,
    kind                text COLLATE "C" NOT NULL,
    visible_to          text COLLATE "C" NOT NULL,
    -- The service's own words for how far it is; of a run that goes on, how far that one is.
    cursor              text CHECK (octet_length(cursor) <= 4096),
    -- Who works on it now: each attempt counts, and none writes after the next one has begun.
    fence               bigint NOT NULL DEFAULT 0,
    sync_run_id         uuid,
    -- What the next run is to be.
    next_mode           text CHECK (next_mode IN ('FULL', 'INCREMENTAL')),
    next_trigger        text,
    next_may_remove     boolean NOT NULL DEFAULT false,
    next_at             timestamptz,
    synced_at           timestamptz,
    fully_synced_at     timestamptz,
    failing_since       timestamptz,
    failures            integer NOT NULL DEFAULT 0,
    error_code          text,
    error_message       text,
    PRIMARY KEY (tenant_id, integration_id, kind),
    FOREIGN KEY (tenant_id, integration_id) REFERENCES integrations
);

-- Each time that a kind was brought in step.
CREATE TABLE sync_runs (
    tenant_id           uuid NOT NULL REFERENCES tenants,
    sync_run_id         uuid NOT NULL,
    integration_id      uuid NOT NULL,
    kind                text COLLATE "C" NOT NULL,
    visible_to          text COLLATE "C" NOT NULL,
    mode                text NOT NULL CHECK (mode IN ('FULL', 'INCREMENTAL')),
    trigger             text NOT NULL CHECK (trigger IN ('CONNECTED', 'SCHEDULE', 'REQUEST', 'WEBHOOK', 'RETRY')),
    status              text NOT NULL CHECK (status IN ('RUNNING', 'SUCCEEDED', 'FAILED', 'CANCELLED')),
    may_remove          boolean NOT NULL,
    cursor_before       text,
    cursor_after        text,
    read_count          bigint NOT NULL DEFAULT 0,
    created_count       bigint NOT NULL DEFAULT 0,
    updated_count       bigint NOT NULL DEFAULT 0,
    unchanged_count     bigint NOT NULL DEFAULT 0,
    removed_count       bigint NOT NULL DEFAULT 0,
    skipped_count       bigint NOT NULL DEFAULT 0,
    failed_count        bigint NOT NULL DEFAULT 0,
    -- What was wrong with single records, the first hundred.
    problems            jsonb NOT NULL DEFAULT '[]',
    error_code          text,
    error_message       text,
    next_attempt_at     timestamptz,
    started_at          timestamptz NOT NULL,
    ended_at            timestamptz,
    PRIMARY KEY (tenant_id, sync_run_id),
    FOREIGN KEY (tenant_id, integration_id) REFERENCES integrations
);
CREATE INDEX sync_runs_started_idx ON sync_runs (tenant_id, started_at, sync_run_id);
CREATE INDEX sync_runs_integration_idx ON sync_runs (tenant_id, integration_id, started_at, sync_run_id);

-- Which record here is which one there.
CREATE TABLE external_links (
    tenant_id           uuid NOT NULL REFERENCES tenants,
    integration_id      uuid NOT NULL,
    kind                text COLLATE "C" NOT NULL,
    external_id         text COLLATE "C" NOT NULL CHECK (octet_length(external_id) <= 200),
    record_id           uuid NOT NULL,
    visible_to          text COLLATE "C" NOT NULL,
    -- Whether the record came about through it.
    is_created          boolean NOT NULL,
    -- Of the fields that both sides have: what it was when they last agreed.
    hash                bytea NOT NULL,
    external_updated_at timestamptz,
    pulled_at           timestamptz,
    -- The run that it was read in last. Not the time of that: runs go on at servers whose clocks differ.
    seen_in             uuid,
    pushed_at           timestamptz,
    created_at          timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, integration_id, kind, external_id),
    CONSTRAINT external_links_record_key UNIQUE (tenant_id, integration_id, kind, record_id),
    FOREIGN KEY (tenant_id, integration_id) REFERENCES integrations
);
CREATE INDEX external_links_record_idx ON external_links (tenant_id, record_id);
