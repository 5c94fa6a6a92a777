-- Who exists: tenants, people, teams, and the numbered event log of each tenant.
-- Shape only; who may see what stands in policies/.

CREATE SCHEMA app;

CREATE TABLE tenants (
    tenant_id           uuid PRIMARY KEY,
    slug                text NOT NULL CONSTRAINT tenants_slug_key UNIQUE
                        CONSTRAINT tenants_slug_check CHECK (slug ~ '^[a-z0-9](-?[a-z0-9]){1,62}$'),
    name                text NOT NULL,
    status              text NOT NULL DEFAULT 'ACTIVE'
                        CONSTRAINT tenants_status_check CHECK (status IN ('ACTIVE', 'SUSPENDED', 'DELETING')),
    base_currency       text NOT NULL CONSTRAINT tenants_base_currency_check CHECK (base_currency ~ '^[A-Z]{3}$'),
    time_zone           text NOT NULL DEFAULT 'UTC',
    locale              text NOT NULL DEFAULT 'en',
    fiscal_year_start   smallint NOT NULL DEFAULT 1
                        CONSTRAINT tenants_fiscal_year_start_check CHECK (fiscal_year_start BETWEEN 1 AND 12),
    lost_reason_required boolean NOT NULL DEFAULT true,
    warmness_threshold  smallint NOT NULL DEFAULT 60
                        CONSTRAINT tenants_warmness_threshold_check CHECK (warmness_threshold BETWEEN 0 AND 100),
    created_at          timestamptz NOT NULL,
    updated_at          timestamptz NOT NULL,
    version             integer NOT NULL DEFAULT 1
);

-- One identity across tenants. Reachable by the system login only; inside a tenant people are memberships.
CREATE TABLE users (
    user_id             uuid PRIMARY KEY,
    email               text NOT NULL,
    email_normalized    text NOT NULL CONSTRAINT users_email_key UNIQUE,
    name                text NOT NULL,
    active              boolean NOT NULL DEFAULT true,
    last_login_at       timestamptz,
    created_at          timestamptz NOT NULL
);

-- `path` is the place in the tree: segments made of ids, each closed by a dot, so that a prefix is a subtree.
CREATE TABLE teams (
    tenant_id           uuid NOT NULL REFERENCES tenants ON DELETE CASCADE,
    team_id             uuid NOT NULL,
    name                text NOT NULL,
    parent_team_id      uuid,
    path                text COLLATE "C" NOT NULL CONSTRAINT teams_path_check CHECK (path ~ '^([0-9a-f]{12}\.)+$'),
    created_at          timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, team_id),
    CONSTRAINT teams_path_key UNIQUE (tenant_id, path),
    CONSTRAINT teams_parent_fkey FOREIGN KEY (tenant_id, parent_team_id) REFERENCES teams ON DELETE RESTRICT
);
CREATE INDEX teams_parent_idx ON teams (tenant_id, parent_team_id);

-- A person in a tenant. Name, address and team path are copies, so that a record's owner is one indexed read.
CREATE TABLE memberships (
    tenant_id           uuid NOT NULL REFERENCES tenants ON DELETE CASCADE,
    user_id             uuid NOT NULL REFERENCES users ON DELETE RESTRICT,
    email               text NOT NULL,
    name                text NOT NULL,
    name_normalized     text COLLATE "C" NOT NULL,
    role                text NOT NULL
                        CONSTRAINT memberships_role_check CHECK (role IN ('ADMIN', 'MANAGER', 'SALES_REP', 'ANALYST', 'VIEWER')),
    team_id             uuid,
    team_path           text COLLATE "C",
    status              text NOT NULL DEFAULT 'ACTIVE'
                        CONSTRAINT memberships_status_check CHECK (status IN ('INVITED', 'ACTIVE', 'SUSPENDED')),
    last_seen_at        timestamptz,
    created_at          timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, user_id),
    CONSTRAINT memberships_team_check CHECK ((team_id IS NULL) = (team_path IS NULL)),
    CONSTRAINT memberships_team_fkey FOREIGN KEY (tenant_id, team_id) REFERENCES teams ON DELETE RESTRICT
);
-- The tenants of a person; also what the foreign key to users is checked by.
CREATE INDEX memberships_user_idx ON memberships (user_id, tenant_id);
CREATE INDEX memberships_team_idx ON memberships (tenant_id, team_id);
CREATE INDEX memberships_name_idx ON memberships (tenant_id, name_normalized, user_id);
CREATE INDEX memberships_created_idx ON memberships (tenant_id, created_at, user_id);

-- The last event number of a tenant. Taken as the last statement before COMMIT, so the row lock lasts one flush;
-- the free space keeps its updates on the page.
CREATE TABLE tenant_seq (
    tenant_id           uuid PRIMARY KEY REFERENCES tenants ON DELETE CASCADE,
    last_seq            bigint NOT NULL DEFAULT 0,
    epoch               uuid NOT NULL
) WITH (fillfactor = 50);

-- What happened, in commit order, without holes within a tenant. `visible_*` say who could see the record
-- before and after, because a row that is gone cannot be asked any more.
CREATE TABLE events (
    tenant_id           uuid NOT NULL REFERENCES tenants ON DELETE CASCADE,
    seq                 bigint NOT NULL,
    kind                text NOT NULL,
    entity              text NOT NULL,
    entity_id           uuid NOT NULL,
    version             integer NOT NULL,
    changed             text[] NOT NULL DEFAULT '{}',
    before              jsonb,
    after               jsonb,
    visible_before      text,
    visible_after       text,
    actor               text NOT NULL,
    request_id          text NOT NULL,
    occurred_at         timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, seq)
);
