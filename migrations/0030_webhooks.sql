-- What follows from events after they are committed, and the first that does: webhooks, the log sent to other servers.

-- How far each consumer of the event log has come. It moves this in the transaction that writes what follows, so that a
-- crash anywhere means the same events once more, and nothing twice.
CREATE TABLE event_consumers (
    tenant_id           uuid NOT NULL REFERENCES tenants ON DELETE CASCADE,
    -- The kind of its jobs.
    kind                text NOT NULL,
    -- What of the tenant follows the log, for example an endpoint.
    instance            uuid NOT NULL,
    seq                 bigint NOT NULL,
    PRIMARY KEY (tenant_id, kind, instance)
);

-- Where events are sent to.
CREATE TABLE webhook_endpoints (
    tenant_id           uuid NOT NULL REFERENCES tenants ON DELETE CASCADE,
    webhook_endpoint_id uuid NOT NULL,
    name                text NOT NULL,
    name_normalized     text COLLATE "C" NOT NULL,
    url                 text NOT NULL,
    -- What is sent: [{"document": …, "variables": …, "kinds": […]}, …], each a subscription.
    subscriptions       jsonb NOT NULL,
    api_version         text NOT NULL,
    skips_own           boolean NOT NULL DEFAULT false,
    -- Whose rights decide what is sent: who chose the address and the subscriptions.
    runs_as             text NOT NULL,
    enabled             boolean NOT NULL DEFAULT true,
    disabled_reason     text
                        CONSTRAINT webhook_endpoints_reason_check
                        CHECK (disabled_reason IN ('BY_HAND', 'GONE', 'FAILING', 'OWNER_GONE', 'UNREADABLE', 'LOG_LOST')),
    disabled_at         timestamptz,
    -- Sealed by the servers' encryption key; the one before the last signs too for a while.
    secret              bytea NOT NULL,
    hint                text NOT NULL,
    previous_secret     bytea,
    previous_until      timestamptz,
    created_at          timestamptz NOT NULL,
    created_by          text NOT NULL,
    version             integer NOT NULL DEFAULT 1,
    PRIMARY KEY (tenant_id, webhook_endpoint_id),
    CONSTRAINT webhook_endpoints_disabled_check
        CHECK (enabled = (disabled_reason IS NULL) AND enabled = (disabled_at IS NULL)),
    CONSTRAINT webhook_endpoints_previous_check CHECK ((previous_secret IS NULL) = (previous_until IS NULL))
);
CREATE INDEX webhook_endpoints_created_idx ON webhook_endpoints (tenant_id, created_at, webhook_endpoint_id);
CREATE INDEX webhook_endpoints_name_idx ON webhook_endpoints (tenant_id, name_normalized, webhook_endpoint_id);

-- How an endpoint answers, which changes with every attempt and is no change of the endpoint.
CREATE TABLE webhook_endpoint_health (
    tenant_id           uuid NOT NULL,
    webhook_endpoint_id uuid NOT NULL,
    -- Since when nothing has arrived there, and how often in a row.
    failing_since       timestamptz,
    failures            integer NOT NULL DEFAULT 0,
    -- Nothing is sent before.
    rests_until         timestamptz,
    delivered_at        timestamptz,
    -- Why the last attempt failed.
    error_code          text,
    PRIMARY KEY (tenant_id, webhook_endpoint_id),
    CONSTRAINT webhook_endpoint_health_fkey
        FOREIGN KEY (tenant_id, webhook_endpoint_id) REFERENCES webhook_endpoints ON DELETE CASCADE
);

-- What is or was sent to an endpoint. The id follows from the endpoint and the event, so that what is worked out once more
-- is the same delivery.
CREATE TABLE webhook_deliveries (
    tenant_id           uuid NOT NULL,
    webhook_delivery_id uuid NOT NULL,
    webhook_endpoint_id uuid NOT NULL,
    -- The number of the event, and what happened to which record; nothing for a ping.
    seq                 bigint,
    change              text,
    entity              text,
    entity_id           uuid,
    status              text NOT NULL DEFAULT 'PENDING'
                        CONSTRAINT webhook_deliveries_status_check CHECK (status IN ('PENDING', 'DELIVERED', 'FAILED', 'CANCELLED')),
    attempts            integer NOT NULL DEFAULT 0,
    -- How many of them since it was last asked for.
    tries               integer NOT NULL DEFAULT 0,
    -- While it is pending: from when on it is to be sent.
    due_at              timestamptz,
    body                text NOT NULL,
    -- With whose rights that was worked out: nobody else's address is sent it.
    runs_as             text NOT NULL,
    -- Of the last attempt.
    response_status     integer,
    error_code          text,
    created_at          timestamptz NOT NULL,
    ended_at            timestamptz,
    PRIMARY KEY (tenant_id, webhook_delivery_id),
    CONSTRAINT webhook_deliveries_due_check CHECK ((due_at IS NULL) = (status <> 'PENDING')),
    CONSTRAINT webhook_deliveries_ended_check CHECK ((ended_at IS NULL) = (status = 'PENDING')),
    CONSTRAINT webhook_deliveries_endpoint_fkey
        FOREIGN KEY (tenant_id, webhook_endpoint_id) REFERENCES webhook_endpoints ON DELETE CASCADE
);
CREATE INDEX webhook_deliveries_pending_idx ON webhook_deliveries (tenant_id, webhook_endpoint_id, seq)
    WHERE due_at IS NOT NULL;
CREATE INDEX webhook_deliveries_waiting_idx ON webhook_deliveries (tenant_id, webhook_endpoint_id, entity_id, seq)
    WHERE due_at IS NOT NULL;
CREATE INDEX webhook_deliveries_created_idx ON webhook_deliveries (tenant_id, created_at, webhook_delivery_id);
CREATE INDEX webhook_deliveries_endpoint_idx
    ON webhook_deliveries (tenant_id, webhook_endpoint_id, created_at, webhook_delivery_id);
-- Those that have ended are forgotten after some days, of all tenants at once.
CREATE INDEX webhook_deliveries_ended_idx ON webhook_deliveries (ended_at) WHERE ended_at IS NOT NULL;

-- Each time that something was sent: noted before it is sent, and again when it is known what became of it. An attempt
-- that a server died in stays without an end.
CREATE TABLE webhook_attempts (
    tenant_id           uuid NOT NULL,
    webhook_delivery_id uuid NOT NULL,
    attempt             integer NOT NULL,
    started_at          timestamptz NOT NULL,
    outcome             text NOT NULL DEFAULT 'SENDING'
                        CONSTRAINT webhook_attempts_outcome_check CHECK (outcome IN ('SENDING', 'DELIVERED', 'REFUSED', 'UNREACHED')),
    response_status     integer,
    error_code          text,
    took_ms             integer,
    -- The begin of what was answered.
    response            text,
    PRIMARY KEY (tenant_id, webhook_delivery_id, attempt),
    CONSTRAINT webhook_attempts_delivery_fkey
        FOREIGN KEY (tenant_id, webhook_delivery_id) REFERENCES webhook_deliveries ON DELETE CASCADE
);
