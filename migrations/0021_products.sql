-- Products: the catalogue of what a tenant sells. Nobody owns them: whoever sees one sees all.
CREATE TABLE products (
    tenant_id           uuid NOT NULL REFERENCES tenants ON DELETE CASCADE,
    product_id          uuid NOT NULL,
    name                text NOT NULL,
    name_normalized     text COLLATE "C" NOT NULL,
    code                text NOT NULL,
    code_normalized     text COLLATE "C" NOT NULL,
    unit_price_minor    bigint CONSTRAINT products_unit_price_minor_check CHECK (unit_price_minor >= 0),
    unit_price_currency text CONSTRAINT products_unit_price_currency_check CHECK (unit_price_currency ~ '^[A-Z]{3}$'),
    active              boolean NOT NULL DEFAULT true,
    description         text,
    visible_to          text NOT NULL GENERATED ALWAYS AS ('|') STORED,
    archived_at         timestamptz,
    created_at          timestamptz NOT NULL,
    created_by          text NOT NULL,
    updated_at          timestamptz NOT NULL,
    updated_by          text NOT NULL,
    version             integer NOT NULL DEFAULT 1,
    PRIMARY KEY (tenant_id, product_id),
    CONSTRAINT products_code_key UNIQUE (tenant_id, code_normalized),
    CONSTRAINT products_unit_price_check CHECK ((unit_price_minor IS NULL) = (unit_price_currency IS NULL))
);
CREATE INDEX products_created_idx ON products (tenant_id, created_at, product_id);
CREATE INDEX products_updated_idx ON products (tenant_id, updated_at, product_id);
CREATE INDEX products_name_idx ON products (tenant_id, name_normalized, product_id);
CREATE INDEX products_unit_price_idx ON products (tenant_id, (CASE WHEN unit_price_minor IS NULL THEN -1 ELSE unit_price_minor END), product_id);
CREATE INDEX products_active_idx ON products (tenant_id, active, created_at, product_id);
