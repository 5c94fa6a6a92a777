-- Pipelines and their ordered stages.
CREATE TABLE pipelines (
    tenant_id           uuid NOT NULL REFERENCES tenants ON DELETE CASCADE,
    pipeline_id         uuid NOT NULL,
    name                text NOT NULL,
    position            integer NOT NULL,
    preferred           boolean NOT NULL DEFAULT false,
    archived_at         timestamptz,
    created_at          timestamptz NOT NULL,
    created_by          text NOT NULL,
    updated_at          timestamptz NOT NULL,
    updated_by          text NOT NULL,
    version             integer NOT NULL DEFAULT 1,
    PRIMARY KEY (tenant_id, pipeline_id),
    CONSTRAINT pipelines_name_key UNIQUE (tenant_id, name)
);
-- At most one pipeline is where new deals go by default.
CREATE UNIQUE INDEX pipelines_preferred_key ON pipelines (tenant_id) WHERE preferred;

CREATE TABLE stages (
    tenant_id           uuid NOT NULL REFERENCES tenants ON DELETE CASCADE,
    stage_id            uuid NOT NULL,
    pipeline_id         uuid NOT NULL,
    name                text NOT NULL,
    position            integer NOT NULL,
    kind                text NOT NULL CONSTRAINT stages_kind_check CHECK (kind IN ('OPEN', 'WON', 'LOST')),
    probability         smallint NOT NULL CONSTRAINT stages_probability_check CHECK (probability BETWEEN 0 AND 100),
    rotten_after_days   integer CONSTRAINT stages_rotten_after_days_check CHECK (rotten_after_days > 0),
    PRIMARY KEY (tenant_id, stage_id),
    CONSTRAINT stages_name_key UNIQUE (tenant_id, pipeline_id, name),
    CONSTRAINT stages_in_pipeline_key UNIQUE (tenant_id, pipeline_id, stage_id),
    CONSTRAINT stages_pipeline_fkey FOREIGN KEY (tenant_id, pipeline_id) REFERENCES pipelines ON DELETE CASCADE
);
CREATE INDEX stages_pipeline_idx ON stages (tenant_id, pipeline_id, position);
