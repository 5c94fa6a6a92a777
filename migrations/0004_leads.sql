-- Leads: people who may become business and are not yet contacts.
CREATE TABLE leads (
    tenant_id           uuid NOT NULL REFERENCES tenants ON DELETE CASCADE,
    lead_id             uuid NOT NULL,
    first_name          text NOT NULL,
    last_name           text NOT NULL,
    name_normalized     text COLLATE "C" NOT NULL,
    email               text,
    email_normalized    text COLLATE "C",
    phone               text,
    company_name        text,
    title               text,
    status              text NOT NULL DEFAULT 'NEW'
                        CONSTRAINT leads_status_check CHECK (status IN ('NEW', 'CONTACTED', 'QUALIFIED', 'UNQUALIFIED', 'NURTURING', 'CONVERTED')),
    unqualified_reason  text,
    source              text COLLATE "C",
    notes               text,
    estimated_amount_minor bigint CONSTRAINT leads_estimated_amount_minor_check CHECK (estimated_amount_minor >= 0),
    estimated_amount_currency text CONSTRAINT leads_estimated_amount_currency_check CHECK (estimated_amount_currency ~ '^[A-Z]{3}$'),
    next_action_at      timestamptz,
    next_action_details text,
    last_activity_at    timestamptz,
    owner_id            uuid,
    team_path           text COLLATE "C",
    tags                text[] NOT NULL DEFAULT '{}',
    visible_to          text NOT NULL GENERATED ALWAYS AS (
                            '|' || coalesce(team_path || '|', '') || coalesce('u:' || owner_id::text || '|', '')
                        ) STORED,
    archived_at         timestamptz,
    created_at          timestamptz NOT NULL,
    created_by          text NOT NULL,
    updated_at          timestamptz NOT NULL,
    updated_by          text NOT NULL,
    version             integer NOT NULL DEFAULT 1,
    PRIMARY KEY (tenant_id, lead_id),
    CONSTRAINT leads_estimated_amount_check CHECK ((estimated_amount_minor IS NULL) = (estimated_amount_currency IS NULL)),
    CONSTRAINT leads_owner_fkey FOREIGN KEY (tenant_id, owner_id) REFERENCES memberships ON DELETE RESTRICT
);
CREATE INDEX leads_created_idx ON leads (tenant_id, created_at, lead_id);
CREATE INDEX leads_updated_idx ON leads (tenant_id, updated_at, lead_id);
CREATE INDEX leads_name_idx ON leads (tenant_id, name_normalized, lead_id);
CREATE INDEX leads_email_idx ON leads (tenant_id, email_normalized);
CREATE INDEX leads_status_idx ON leads (tenant_id, status, created_at, lead_id);
CREATE INDEX leads_source_idx ON leads (tenant_id, source, created_at, lead_id);
CREATE INDEX leads_owner_idx ON leads (tenant_id, owner_id, created_at, lead_id);
CREATE INDEX leads_next_action_idx ON leads (tenant_id, (CASE WHEN next_action_at IS NULL THEN 'infinity'::timestamptz ELSE next_action_at END), lead_id);
