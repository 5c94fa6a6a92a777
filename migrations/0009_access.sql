-- What a tenant admin runs: settings, roles of their own, invitations, keys for programs.

ALTER TABLE tenants
    ADD COLUMN second_factor_required boolean NOT NULL DEFAULT false,
    -- The outside provider that everybody has to sign in through, by its key in the server's configuration.
    ADD COLUMN required_provider   text,
    ADD COLUMN suspended_because   text,
    ADD COLUMN delete_after        timestamptz,
    ADD COLUMN quota_members       integer NOT NULL DEFAULT 1000
               CONSTRAINT tenants_quota_members_check CHECK (quota_members >= 1),
    ADD COLUMN quota_teams         integer NOT NULL DEFAULT 200
               CONSTRAINT tenants_quota_teams_check CHECK (quota_teams >= 0),
    ADD COLUMN quota_roles         integer NOT NULL DEFAULT 50
               CONSTRAINT tenants_quota_roles_check CHECK (quota_roles >= 0),
    ADD COLUMN quota_api_keys      integer NOT NULL DEFAULT 100
               CONSTRAINT tenants_quota_api_keys_check CHECK (quota_api_keys >= 0),
    ADD CONSTRAINT tenants_delete_after_check CHECK ((status = 'DELETING') = (delete_after IS NOT NULL));

-- A role of the tenant's own: permissions such as 'opportunities:write:own', and the sensitive fields it does not show.
CREATE TABLE roles (
    tenant_id           uuid NOT NULL REFERENCES tenants ON DELETE CASCADE,
    role_id             uuid NOT NULL,
    name                text NOT NULL,
    name_normalized     text COLLATE "C" NOT NULL,
    description         text,
    permissions         text[] NOT NULL,
    masks               text[] NOT NULL DEFAULT '{}',
    created_at          timestamptz NOT NULL,
    created_by          text NOT NULL,
    updated_at          timestamptz NOT NULL,
    updated_by          text NOT NULL,
    version             integer NOT NULL DEFAULT 1,
    PRIMARY KEY (tenant_id, role_id),
    CONSTRAINT roles_name_key UNIQUE (tenant_id, name_normalized)
);

ALTER TABLE teams
    ADD COLUMN updated_at          timestamptz,
    ADD COLUMN version             integer NOT NULL DEFAULT 1;

ALTER TABLE memberships
    ADD COLUMN role_id             uuid,
    ADD COLUMN title               text,
    ADD COLUMN invited_by          text,
    -- Who takes over the records of somebody who leaves.
    ADD COLUMN successor_id        uuid,
    -- The person's records are being moved to their place in the tree of teams, or to the successor.
    ADD COLUMN moving             boolean NOT NULL DEFAULT false,
    ADD COLUMN updated_at          timestamptz,
    ADD COLUMN version             integer NOT NULL DEFAULT 1,
    DROP CONSTRAINT memberships_role_check,
    ADD CONSTRAINT memberships_role_check
        CHECK (role IN ('ADMIN', 'MANAGER', 'SALES_REP', 'ANALYST', 'VIEWER', 'CUSTOM')),
    ADD CONSTRAINT memberships_custom_role_check CHECK ((role = 'CUSTOM') = (role_id IS NOT NULL)),
    ADD CONSTRAINT memberships_role_fkey FOREIGN KEY (tenant_id, role_id) REFERENCES roles ON DELETE RESTRICT,
    DROP CONSTRAINT memberships_status_check,
    ADD CONSTRAINT memberships_status_check CHECK (status IN ('ACTIVE', 'SUSPENDED', 'LEAVING')),
    ADD CONSTRAINT memberships_successor_check CHECK ((status = 'LEAVING') = (successor_id IS NOT NULL)),
    ADD CONSTRAINT memberships_successor_fkey FOREIGN KEY (tenant_id, successor_id) REFERENCES memberships ON DELETE RESTRICT;
CREATE INDEX memberships_role_idx ON memberships (tenant_id, role_id) WHERE role_id IS NOT NULL;
CREATE INDEX memberships_successor_idx ON memberships (tenant_id, successor_id) WHERE successor_id IS NOT NULL;
CREATE INDEX memberships_placing_idx ON memberships (tenant_id, user_id) WHERE moving;

-- A person who was asked to join. The mailed secret names tenant and invitation, so it is found by the key.
CREATE TABLE invitations (
    tenant_id           uuid NOT NULL REFERENCES tenants ON DELETE CASCADE,
    invitation_id       uuid NOT NULL,
    email               text NOT NULL,
    email_normalized    text COLLATE "C" NOT NULL,
    role                text NOT NULL
                        CONSTRAINT invitations_role_check
                        CHECK (role IN ('ADMIN', 'MANAGER', 'SALES_REP', 'ANALYST', 'VIEWER', 'CUSTOM')),
    role_id             uuid,
    team_id             uuid,
    secret_hash         bytea NOT NULL,
    sent_at             timestamptz NOT NULL,
    sent_count          integer NOT NULL DEFAULT 1,
    expires_at          timestamptz NOT NULL,
    accepted_at         timestamptz,
    accepted_by         uuid,
    revoked_at          timestamptz,
    created_at          timestamptz NOT NULL,
    created_by          text NOT NULL,
    version             integer NOT NULL DEFAULT 1,
    PRIMARY KEY (tenant_id, invitation_id),
    CONSTRAINT invitations_custom_role_check CHECK ((role = 'CUSTOM') = (role_id IS NOT NULL)),
    CONSTRAINT invitations_role_fkey FOREIGN KEY (tenant_id, role_id) REFERENCES roles ON DELETE RESTRICT,
    CONSTRAINT invitations_team_fkey FOREIGN KEY (tenant_id, team_id) REFERENCES teams ON DELETE RESTRICT
);
CREATE UNIQUE INDEX invitations_email_key ON invitations (tenant_id, email_normalized)
    WHERE accepted_at IS NULL AND revoked_at IS NULL;
CREATE INDEX invitations_created_idx ON invitations (tenant_id, created_at, invitation_id);
CREATE INDEX invitations_role_idx ON invitations (tenant_id, role_id) WHERE role_id IS NOT NULL;
CREATE INDEX invitations_team_idx ON invitations (tenant_id, team_id) WHERE team_id IS NOT NULL;

-- A key that a program works with. The secret is random, so a plain hash of it is enough.
CREATE TABLE api_keys (
    tenant_id           uuid NOT NULL REFERENCES tenants ON DELETE CASCADE,
    api_key_id          uuid NOT NULL,
    name                text NOT NULL,
    name_normalized     text COLLATE "C" NOT NULL,
    -- What the key begins with, to tell keys apart by.
    hint                text NOT NULL,
    secret_hash         bytea NOT NULL,
    role                text NOT NULL
                        CONSTRAINT api_keys_role_check
                        CHECK (role IN ('ADMIN', 'MANAGER', 'SALES_REP', 'ANALYST', 'VIEWER', 'CUSTOM')),
    role_id             uuid,
    -- Of the role's permissions only these, when set.
    permissions         text[],
    team_id             uuid,
    team_path           text COLLATE "C",
    expires_at          timestamptz,
    -- Until when the key it replaced goes on working is that key's expires_at.
    rotated_from        uuid,
    revoked_at          timestamptz,
    last_used_at        timestamptz,
    last_used_from      text,
    created_at          timestamptz NOT NULL,
    created_by          text NOT NULL,
    version             integer NOT NULL DEFAULT 1,
    PRIMARY KEY (tenant_id, api_key_id),
    CONSTRAINT api_keys_custom_role_check CHECK ((role = 'CUSTOM') = (role_id IS NOT NULL)),
    CONSTRAINT api_keys_team_check CHECK ((team_id IS NULL) = (team_path IS NULL)),
    CONSTRAINT api_keys_role_fkey FOREIGN KEY (tenant_id, role_id) REFERENCES roles ON DELETE RESTRICT,
    CONSTRAINT api_keys_team_fkey FOREIGN KEY (tenant_id, team_id) REFERENCES teams ON DELETE RESTRICT
);
CREATE INDEX api_keys_created_idx ON api_keys (tenant_id, created_at, api_key_id);
CREATE INDEX api_keys_name_idx ON api_keys (tenant_id, name_normalized, api_key_id);
CREATE INDEX api_keys_revoked_idx ON api_keys (tenant_id, revoked_at);
CREATE INDEX api_keys_role_idx ON api_keys (tenant_id, role_id) WHERE role_id IS NOT NULL;
CREATE INDEX api_keys_team_idx ON api_keys (tenant_id, team_id) WHERE team_id IS NOT NULL;
