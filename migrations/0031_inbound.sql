-- What other services send: endpoints that a tenant makes, and the messages that came to them.

CREATE TABLE inbound_endpoints (
    tenant_id           uuid NOT NULL REFERENCES tenants,
    inbound_endpoint_id uuid NOT NULL,
    name                text NOT NULL,
    name_normalized     text COLLATE "C" NOT NULL,
    verification        text NOT NULL CHECK (verification IN ('STANDARD_WEBHOOKS', 'HMAC_SHA256', 'BASIC', 'TWILIO')),
    handler             text NOT NULL,
    -- Where messages go that are handled as what is posted to a form.
    lead_form_id        uuid,
    signature_header    text,
    signature_encoding  text CHECK (signature_encoding IN ('HEX', 'BASE64')),
    message_id_header   text,
    username            text,
    -- What the sender puts before the path, where the signature is of the whole address.
    origin              text,
    enabled             boolean NOT NULL,
    disabled_reason     text,
    rotated_at          timestamptz,
    former_ends_at      timestamptz,
    -- Of the part of the path that is a secret, if a part of it is.
    path_hash           bytea,
    -- What messages are verified with, and what they were verified with before it was rotated; sealed.
    secret              bytea NOT NULL,
    former_secret       bytea,
    created_at          timestamptz NOT NULL,
    created_by          text NOT NULL,
    updated_at          timestamptz NOT NULL,
    updated_by          text NOT NULL,
    version             integer NOT NULL DEFAULT 1,
    PRIMARY KEY (tenant_id, inbound_endpoint_id)
);
CREATE INDEX inbound_endpoints_created_idx ON inbound_endpoints (tenant_id, created_at, inbound_endpoint_id);
CREATE INDEX inbound_endpoints_name_idx ON inbound_endpoints (tenant_id, name_normalized, inbound_endpoint_id);

CREATE TABLE inbound_messages (
    tenant_id           uuid NOT NULL REFERENCES tenants,
    inbound_message_id  uuid NOT NULL,
    inbound_endpoint_id uuid NOT NULL,
    -- The sender's name of it, or what stands for one: no endpoint has two of the same.
    message_id          text COLLATE "C" NOT NULL CHECK (length(message_id) <= 200),
    status              text NOT NULL DEFAULT 'RECEIVED' CHECK (status IN ('RECEIVED', 'PROCESSED', 'IGNORED', 'FAILED')),
    content_type        text,
    headers             jsonb NOT NULL,
    body                bytea NOT NULL CHECK (octet_length(body) <= 262144),
    size                integer NOT NULL,
    error_code          text,
    error_message       text,
    job_id              uuid,
    replays             integer NOT NULL DEFAULT 0,
    received_at         timestamptz NOT NULL,
    processed_at        timestamptz,
    PRIMARY KEY (tenant_id, inbound_message_id),
    CONSTRAINT inbound_messages_message_id_key UNIQUE (tenant_id, inbound_endpoint_id, message_id),
    FOREIGN KEY (tenant_id, inbound_endpoint_id) REFERENCES inbound_endpoints
);
CREATE INDEX inbound_messages_received_idx ON inbound_messages (tenant_id, received_at, inbound_message_id);
CREATE INDEX inbound_messages_endpoint_idx ON inbound_messages (tenant_id, inbound_endpoint_id, received_at, inbound_message_id);

-- Forms on pages of the tenant, and programs of it, by which strangers become leads.
CREATE TABLE lead_forms (
    tenant_id           uuid NOT NULL REFERENCES tenants,
    lead_form_id        uuid NOT NULL,
    name                text NOT NULL,
    name_normalized     text COLLATE "C" NOT NULL,
    enabled             boolean NOT NULL,
    allowed_origins     text[] NOT NULL,
    -- Which posted field goes where.
    mapping             jsonb NOT NULL,
    source              text,
    tags                text[] NOT NULL,
    owner_id            uuid,
    duplicates          text NOT NULL CHECK (duplicates IN ('UPDATE_OPEN', 'CREATE')),
    consent_text        text,
    consent_version     text,
    consent_field       text,
    honeypot            text,
    thanks_url          text,
    captcha_url         text,
    captcha_field       text,
    captcha_secret      bytea,
    created_at          timestamptz NOT NULL,
    created_by          text NOT NULL,
    updated_at          timestamptz NOT NULL,
    updated_by          text NOT NULL,
    version             integer NOT NULL DEFAULT 1,
    PRIMARY KEY (tenant_id, lead_form_id)
);
CREATE INDEX lead_forms_created_idx ON lead_forms (tenant_id, created_at, lead_form_id);
CREATE INDEX lead_forms_name_idx ON lead_forms (tenant_id, name_normalized, lead_form_id);

CREATE TABLE lead_form_submissions (
    tenant_id           uuid NOT NULL REFERENCES tenants,
    lead_form_submission_id uuid NOT NULL,
    lead_form_id        uuid NOT NULL,
    outcome             text NOT NULL CHECK (outcome IN ('CREATED', 'UPDATED', 'SPAM', 'REFUSED')),
    reason_code         text,
    reason_field        text,
    -- No foreign key: what somebody agreed to is known when the lead is gone.
    lead_id             uuid,
    consent_text        text,
    consent_version     text,
    page_url            text,
    -- Without its last part.
    address             text,
    -- What was posted beside the fields that are mapped.
    extra               jsonb NOT NULL,
    submitted_at        timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, lead_form_submission_id),
    FOREIGN KEY (tenant_id, lead_form_id) REFERENCES lead_forms
);
CREATE INDEX lead_form_submissions_submitted_idx ON lead_form_submissions (tenant_id, submitted_at, lead_form_submission_id);
CREATE INDEX lead_form_submissions_form_idx ON lead_form_submissions (tenant_id, lead_form_id, submitted_at, lead_form_submission_id);
CREATE INDEX lead_form_submissions_lead_idx ON lead_form_submissions (tenant_id, lead_id, submitted_at, lead_form_submission_id);
