-- Companies: the organisations a tenant deals with.
CREATE TABLE companies (
    tenant_id           uuid NOT NULL REFERENCES tenants ON DELETE CASCADE,
    company_id          uuid NOT NULL,
    name                text NOT NULL,
    name_normalized     text COLLATE "C" NOT NULL,
    domain              text COLLATE "C",
    industry            text COLLATE "C",
    employee_count      integer CONSTRAINT companies_employee_count_check CHECK (employee_count >= 0),
    annual_revenue_minor bigint,
    annual_revenue_currency text CONSTRAINT companies_annual_revenue_currency_check CHECK (annual_revenue_currency ~ '^[A-Z]{3}$'),
    founded_year        smallint,
    website             text,
    phone               text,
    address_line        text,
    city                text,
    region              text,
    postal_code         text,
    country             text COLLATE "C",
    description         text,
    parent_company_id   uuid,
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
    PRIMARY KEY (tenant_id, company_id),
    CONSTRAINT companies_annual_revenue_check CHECK ((annual_revenue_minor IS NULL) = (annual_revenue_currency IS NULL)),
    CONSTRAINT companies_parent_check CHECK (parent_company_id <> company_id),
    CONSTRAINT companies_parent_fkey FOREIGN KEY (tenant_id, parent_company_id) REFERENCES companies ON DELETE RESTRICT,
    CONSTRAINT companies_owner_fkey FOREIGN KEY (tenant_id, owner_id) REFERENCES memberships ON DELETE RESTRICT
);
CREATE INDEX companies_created_idx ON companies (tenant_id, created_at, company_id);
CREATE INDEX companies_updated_idx ON companies (tenant_id, updated_at, company_id);
CREATE INDEX companies_name_idx ON companies (tenant_id, name_normalized, company_id);
CREATE INDEX companies_domain_idx ON companies (tenant_id, domain);
CREATE INDEX companies_industry_idx ON companies (tenant_id, industry, created_at, company_id);
CREATE INDEX companies_country_idx ON companies (tenant_id, country, created_at, company_id);
CREATE INDEX companies_employee_count_idx ON companies (tenant_id, employee_count) WHERE employee_count IS NOT NULL;
CREATE INDEX companies_owner_idx ON companies (tenant_id, owner_id, created_at, company_id);
CREATE INDEX companies_parent_idx ON companies (tenant_id, parent_company_id, created_at, company_id);
