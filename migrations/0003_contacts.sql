-- Contacts: the people behind the companies, and the ways to reach them.
CREATE TABLE contacts (
    tenant_id           uuid NOT NULL REFERENCES tenants ON DELETE CASCADE,
    contact_id          uuid NOT NULL,
    first_name          text NOT NULL,
    last_name           text NOT NULL,
    name_normalized     text COLLATE "C" NOT NULL,
    job_title           text,
    department          text,
    company_id          uuid,
    reports_to_id       uuid,
    owner_id            uuid,
    team_path           text COLLATE "C",
    warmness_score      smallint NOT NULL DEFAULT 0
                        CONSTRAINT contacts_warmness_score_check CHECK (warmness_score BETWEEN 0 AND 100),
    last_contacted_at   timestamptz,
    email_normalized    text COLLATE "C",
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
    PRIMARY KEY (tenant_id, contact_id),
    CONSTRAINT contacts_reports_to_check CHECK (reports_to_id <> contact_id),
    CONSTRAINT contacts_company_fkey FOREIGN KEY (tenant_id, company_id) REFERENCES companies ON DELETE RESTRICT,
    CONSTRAINT contacts_reports_to_fkey FOREIGN KEY (tenant_id, reports_to_id) REFERENCES contacts ON DELETE RESTRICT,
    CONSTRAINT contacts_owner_fkey FOREIGN KEY (tenant_id, owner_id) REFERENCES memberships ON DELETE RESTRICT
);
CREATE INDEX contacts_created_idx ON contacts (tenant_id, created_at, contact_id);
CREATE INDEX contacts_updated_idx ON contacts (tenant_id, updated_at, contact_id);
CREATE INDEX contacts_name_idx ON contacts (tenant_id, name_normalized, contact_id);
CREATE INDEX contacts_company_idx ON contacts (tenant_id, company_id, created_at, contact_id);
CREATE INDEX contacts_reports_to_idx ON contacts (tenant_id, reports_to_id, created_at, contact_id);
CREATE INDEX contacts_owner_idx ON contacts (tenant_id, owner_id, created_at, contact_id);
CREATE INDEX contacts_email_idx ON contacts (tenant_id, email_normalized);
CREATE INDEX contacts_warmness_idx ON contacts (tenant_id, warmness_score, contact_id);
CREATE INDEX contacts_last_contacted_idx ON contacts (tenant_id, (CASE WHEN last_contacted_at IS NULL THEN '-infinity'::timestamptz ELSE last_contacted_at END), contact_id);
-- "My 500": the warmest first and, among equals, who has waited longest.
CREATE INDEX contacts_priority_idx ON contacts
    (tenant_id, owner_id, warmness_score DESC, (CASE WHEN last_contacted_at IS NULL THEN '-infinity'::timestamptz ELSE last_contacted_at END), contact_id);

-- A child row carries who sees its contact, because a policy may not look elsewhere.
CREATE TABLE contact_methods (
    tenant_id           uuid NOT NULL REFERENCES tenants ON DELETE CASCADE,
    contact_method_id   uuid NOT NULL,
    contact_id          uuid NOT NULL,
    kind                text NOT NULL
                        CONSTRAINT contact_methods_kind_check CHECK (kind IN ('EMAIL', 'PHONE', 'MOBILE', 'FAX', 'URL', 'SOCIAL')),
    value               text NOT NULL,
    value_normalized    text COLLATE "C" NOT NULL,
    label               text,
    preferred           boolean NOT NULL DEFAULT false,
    opted_out_at        timestamptz,
    position            smallint NOT NULL,
    visible_to          text NOT NULL,
    PRIMARY KEY (tenant_id, contact_method_id),
    CONSTRAINT contact_methods_contact_fkey FOREIGN KEY (tenant_id, contact_id) REFERENCES contacts ON DELETE CASCADE
);
CREATE INDEX contact_methods_contact_idx ON contact_methods (tenant_id, contact_id, position);
CREATE INDEX contact_methods_value_idx ON contact_methods (tenant_id, kind, value_normalized);
