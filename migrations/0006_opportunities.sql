-- Opportunities: deals, the people on them, and where they stood when.
CREATE TABLE opportunities (
    tenant_id           uuid NOT NULL REFERENCES tenants ON DELETE CASCADE,
    opportunity_id      uuid NOT NULL,
    name                text NOT NULL,
    name_normalized     text COLLATE "C" NOT NULL,
    pipeline_id         uuid NOT NULL,
    stage_id            uuid NOT NULL,
    stage_entered_at    timestamptz NOT NULL,
    status              text NOT NULL CONSTRAINT opportunities_status_check CHECK (status IN ('OPEN', 'WON', 'LOST')),
    board_position      text COLLATE "C" NOT NULL,
    amount_minor        bigint CONSTRAINT opportunities_amount_minor_check CHECK (amount_minor >= 0),
    amount_currency     text CONSTRAINT opportunities_amount_currency_check CHECK (amount_currency ~ '^[A-Z]{3}$'),
    probability         smallint NOT NULL CONSTRAINT opportunities_probability_check CHECK (probability BETWEEN 0 AND 100),
    probability_manual  boolean NOT NULL DEFAULT false,
    weighted_minor      bigint GENERATED ALWAYS AS (amount_minor / 100 * probability + amount_minor % 100 * probability / 100) STORED,
    forecast_category   text NOT NULL DEFAULT 'PIPELINE' CONSTRAINT opportunities_forecast_category_check
                        CHECK (forecast_category IN ('PIPELINE', 'BEST_CASE', 'COMMIT', 'CLOSED', 'OMITTED')),
    expected_close_on   date,
    won_at              timestamptz,
    lost_at             timestamptz,
    lost_reason         text,
    lost_note           text,
    source              text COLLATE "C",
    company_id          uuid,
    primary_contact_id  uuid,
    next_action_at      timestamptz,
    next_action_kind    text CONSTRAINT opportunities_next_action_kind_check
                        CHECK (next_action_kind IN ('CALL', 'EMAIL', 'SMS', 'MEETING', 'NOTE', 'TASK')),
    next_action_details text,
    next_action_owner_id uuid,
    last_activity_at    timestamptz,
    owner_id            uuid,
    team_path           text COLLATE "C",
    shared_with         text NOT NULL DEFAULT '' CONSTRAINT opportunities_shared_with_check
                        CHECK (shared_with ~ '^(u:[0-9a-f-]{36}\|)*$'),
    tags                text[] NOT NULL DEFAULT '{}',
    visible_to          text NOT NULL GENERATED ALWAYS AS (
                            '|' || coalesce(team_path || '|', '') || coalesce('u:' || owner_id::text || '|', '') || shared_with
                        ) STORED,
    archived_at         timestamptz,
    created_at          timestamptz NOT NULL,
    created_by          text NOT NULL,
    updated_at          timestamptz NOT NULL,
    updated_by          text NOT NULL,
    version             integer NOT NULL DEFAULT 1,
    PRIMARY KEY (tenant_id, opportunity_id),
    CONSTRAINT opportunities_amount_check CHECK ((amount_minor IS NULL) = (amount_currency IS NULL)),
    CONSTRAINT opportunities_closed_check CHECK ((status = 'WON') = (won_at IS NOT NULL) AND (status = 'LOST') = (lost_at IS NOT NULL)),
    CONSTRAINT opportunities_next_action_check CHECK ((next_action_at IS NULL) = (next_action_kind IS NULL)),
    CONSTRAINT opportunities_stage_fkey FOREIGN KEY (tenant_id, pipeline_id, stage_id)
        REFERENCES stages (tenant_id, pipeline_id, stage_id) ON DELETE RESTRICT,
    CONSTRAINT opportunities_company_fkey FOREIGN KEY (tenant_id, company_id) REFERENCES companies ON DELETE RESTRICT,
    CONSTRAINT opportunities_primary_contact_fkey FOREIGN KEY (tenant_id, primary_contact_id) REFERENCES contacts ON DELETE RESTRICT,
    CONSTRAINT opportunities_owner_fkey FOREIGN KEY (tenant_id, owner_id) REFERENCES memberships ON DELETE RESTRICT,
    CONSTRAINT opportunities_next_action_owner_fkey FOREIGN KEY (tenant_id, next_action_owner_id) REFERENCES memberships ON DELETE RESTRICT
);
CREATE INDEX opportunities_created_idx ON opportunities (tenant_id, created_at, opportunity_id);
CREATE INDEX opportunities_updated_idx ON opportunities (tenant_id, updated_at, opportunity_id);
CREATE INDEX opportunities_name_idx ON opportunities (tenant_id, name_normalized, opportunity_id);
CREATE INDEX opportunities_amount_idx ON opportunities (tenant_id, (CASE WHEN amount_minor IS NULL THEN -1 ELSE amount_minor END), opportunity_id);
CREATE INDEX opportunities_expected_close_idx ON opportunities (tenant_id, (CASE WHEN expected_close_on IS NULL THEN 'infinity'::date ELSE expected_close_on END), opportunity_id);
CREATE INDEX opportunities_status_idx ON opportunities (tenant_id, status, created_at, opportunity_id);
CREATE INDEX opportunities_board_idx ON opportunities (tenant_id, stage_id, board_position, opportunity_id);
CREATE INDEX opportunities_pipeline_idx ON opportunities (tenant_id, pipeline_id, created_at, opportunity_id);
CREATE INDEX opportunities_company_idx ON opportunities (tenant_id, company_id, created_at, opportunity_id);
CREATE INDEX opportunities_primary_contact_idx ON opportunities (tenant_id, primary_contact_id, created_at, opportunity_id);
CREATE INDEX opportunities_stage_entered_idx ON opportunities (tenant_id, stage_entered_at);
CREATE INDEX opportunities_last_activity_idx ON opportunities (tenant_id, last_activity_at) WHERE last_activity_at IS NOT NULL;
CREATE INDEX opportunities_won_idx ON opportunities (tenant_id, won_at) WHERE won_at IS NOT NULL;
CREATE INDEX opportunities_lost_idx ON opportunities (tenant_id, lost_at) WHERE lost_at IS NOT NULL;
CREATE INDEX opportunities_source_idx ON opportunities (tenant_id, source, created_at, opportunity_id);
CREATE INDEX opportunities_owner_idx ON opportunities (tenant_id, owner_id, created_at, opportunity_id);
-- The due list: only deals that wait for somebody are in these indexes.
CREATE INDEX opportunities_due_idx ON opportunities (tenant_id, next_action_at, opportunity_id)
    WHERE next_action_at IS NOT NULL AND archived_at IS NULL;
CREATE INDEX opportunities_due_owner_idx ON opportunities (tenant_id, next_action_owner_id, next_action_at, opportunity_id)
    WHERE next_action_at IS NOT NULL AND archived_at IS NULL;

-- All contacts of a deal, the primary one among them.
CREATE TABLE opportunity_contacts (
    tenant_id           uuid NOT NULL REFERENCES tenants ON DELETE CASCADE,
    opportunity_id      uuid NOT NULL,
    contact_id          uuid NOT NULL,
    role                text,
    visible_to          text NOT NULL,
    created_at          timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, opportunity_id, contact_id),
    CONSTRAINT opportunity_contacts_opportunity_fkey FOREIGN KEY (tenant_id, opportunity_id) REFERENCES opportunities ON DELETE CASCADE,
    CONSTRAINT opportunity_contacts_contact_fkey FOREIGN KEY (tenant_id, contact_id) REFERENCES contacts ON DELETE RESTRICT
);
CREATE INDEX opportunity_contacts_contact_idx ON opportunity_contacts (tenant_id, contact_id, opportunity_id);

-- People added to a deal beside its owner; `opportunities.shared_with` lists the same people for the policies.
CREATE TABLE opportunity_users (
    tenant_id           uuid NOT NULL REFERENCES tenants ON DELETE CASCADE,
    opportunity_id      uuid NOT NULL,
    user_id             uuid NOT NULL,
    role                text,
    visible_to          text NOT NULL,
    created_at          timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, opportunity_id, user_id),
    CONSTRAINT opportunity_users_opportunity_fkey FOREIGN KEY (tenant_id, opportunity_id) REFERENCES opportunities ON DELETE CASCADE,
    CONSTRAINT opportunity_users_user_fkey FOREIGN KEY (tenant_id, user_id) REFERENCES memberships ON DELETE RESTRICT
);
CREATE INDEX opportunity_users_user_idx ON opportunity_users (tenant_id, user_id, opportunity_id);

-- Append-only: one row each time a deal enters a stage. `stood_seconds` is how long it stood in the stage it left.
CREATE TABLE opportunity_stage_history (
    tenant_id           uuid NOT NULL REFERENCES tenants ON DELETE CASCADE,
    stage_change_id     uuid NOT NULL,
    opportunity_id      uuid NOT NULL,
    from_stage_id       uuid,
    to_stage_id         uuid NOT NULL,
    from_status         text,
    to_status           text NOT NULL,
    amount_minor        bigint,
    amount_currency     text,
    probability         smallint NOT NULL,
    stood_seconds       bigint,
    changed_at          timestamptz NOT NULL,
    changed_by          text NOT NULL,
    visible_to          text NOT NULL,
    PRIMARY KEY (tenant_id, stage_change_id),
    CONSTRAINT opportunity_stage_history_opportunity_fkey FOREIGN KEY (tenant_id, opportunity_id) REFERENCES opportunities ON DELETE CASCADE,
    CONSTRAINT opportunity_stage_history_from_fkey FOREIGN KEY (tenant_id, from_stage_id) REFERENCES stages ON DELETE RESTRICT,
    CONSTRAINT opportunity_stage_history_to_fkey FOREIGN KEY (tenant_id, to_stage_id) REFERENCES stages ON DELETE RESTRICT
);
CREATE INDEX opportunity_stage_history_opportunity_idx ON opportunity_stage_history (tenant_id, opportunity_id, changed_at, stage_change_id);
CREATE INDEX opportunity_stage_history_from_idx ON opportunity_stage_history (tenant_id, from_stage_id);
CREATE INDEX opportunity_stage_history_to_idx ON opportunity_stage_history (tenant_id, to_stage_id);
