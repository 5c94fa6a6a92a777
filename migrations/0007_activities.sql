-- Activities: what was done or is planned, and the records it is about.
CREATE TABLE activities (
    tenant_id           uuid NOT NULL REFERENCES tenants ON DELETE CASCADE,
    activity_id         uuid NOT NULL,
    kind                text NOT NULL CONSTRAINT activities_kind_check CHECK (kind IN ('CALL', 'EMAIL', 'SMS', 'MEETING', 'NOTE', 'TASK')),
    subject             text NOT NULL,
    body                text,
    direction           text CONSTRAINT activities_direction_check CHECK (direction IN ('INBOUND', 'OUTBOUND')),
    status              text NOT NULL CONSTRAINT activities_status_check CHECK (status IN ('PLANNED', 'DONE', 'CANCELED')),
    due_at              timestamptz,
    start_at            timestamptz,
    end_at              timestamptz,
    done_at             timestamptz,
    outcome             text,
    -- When it happened or is to happen; what timelines are sorted by.
    occurred_at         timestamptz NOT NULL,
    owner_id            uuid,
    team_path           text COLLATE "C",
    -- Who sees the records it is about, without the leading bar.
    targets_visible_to  text NOT NULL DEFAULT '',
    visible_to          text NOT NULL GENERATED ALWAYS AS (
                            '|' || coalesce(team_path || '|', '') || coalesce('u:' || owner_id::text || '|', '') || targets_visible_to
                        ) STORED,
    archived_at         timestamptz,
    created_at          timestamptz NOT NULL,
    created_by          text NOT NULL,
    updated_at          timestamptz NOT NULL,
    updated_by          text NOT NULL,
    version             integer NOT NULL DEFAULT 1,
    PRIMARY KEY (tenant_id, activity_id),
    CONSTRAINT activities_done_check CHECK ((status = 'DONE') = (done_at IS NOT NULL)),
    CONSTRAINT activities_times_check CHECK (end_at >= start_at),
    CONSTRAINT activities_owner_fkey FOREIGN KEY (tenant_id, owner_id) REFERENCES memberships ON DELETE RESTRICT
);
CREATE INDEX activities_created_idx ON activities (tenant_id, created_at, activity_id);
CREATE INDEX activities_updated_idx ON activities (tenant_id, updated_at, activity_id);
CREATE INDEX activities_occurred_idx ON activities (tenant_id, occurred_at, activity_id);
CREATE INDEX activities_due_idx ON activities (tenant_id, (CASE WHEN due_at IS NULL THEN 'infinity'::timestamptz ELSE due_at END), activity_id);
CREATE INDEX activities_done_idx ON activities (tenant_id, done_at) WHERE done_at IS NOT NULL;
CREATE INDEX activities_kind_idx ON activities (tenant_id, kind, occurred_at, activity_id);
CREATE INDEX activities_status_idx ON activities (tenant_id, status, occurred_at, activity_id);
CREATE INDEX activities_owner_idx ON activities (tenant_id, owner_id, occurred_at, activity_id);

-- Which records an activity is about: exactly one column is set, so that each kind has a real foreign key.
-- `occurred_at` is the activity's, so that the latest of a record are one index range.
CREATE TABLE activity_targets (
    tenant_id           uuid NOT NULL REFERENCES tenants ON DELETE CASCADE,
    activity_id         uuid NOT NULL,
    company_id          uuid,
    contact_id          uuid,
    lead_id             uuid,
    opportunity_id      uuid,
    target_id           uuid NOT NULL GENERATED ALWAYS AS (coalesce(company_id, contact_id, lead_id, opportunity_id)) STORED,
    occurred_at         timestamptz NOT NULL,
    -- Who sees the record, without the leading bar: what the activity's `targets_visible_to` is put together from.
    target_visible_to   text NOT NULL,
    -- Who sees the activity.
    visible_to          text NOT NULL,
    PRIMARY KEY (tenant_id, activity_id, target_id),
    CONSTRAINT activity_targets_one_check CHECK (num_nonnulls(company_id, contact_id, lead_id, opportunity_id) = 1),
    CONSTRAINT activity_targets_activity_fkey FOREIGN KEY (tenant_id, activity_id) REFERENCES activities ON DELETE CASCADE,
    CONSTRAINT activity_targets_company_fkey FOREIGN KEY (tenant_id, company_id) REFERENCES companies ON DELETE CASCADE,
    CONSTRAINT activity_targets_contact_fkey FOREIGN KEY (tenant_id, contact_id) REFERENCES contacts ON DELETE CASCADE,
    CONSTRAINT activity_targets_lead_fkey FOREIGN KEY (tenant_id, lead_id) REFERENCES leads ON DELETE CASCADE,
    CONSTRAINT activity_targets_opportunity_fkey FOREIGN KEY (tenant_id, opportunity_id) REFERENCES opportunities ON DELETE CASCADE
);
CREATE INDEX activity_targets_company_idx ON activity_targets (tenant_id, company_id, occurred_at, activity_id) WHERE company_id IS NOT NULL;
CREATE INDEX activity_targets_contact_idx ON activity_targets (tenant_id, contact_id, occurred_at, activity_id) WHERE contact_id IS NOT NULL;
CREATE INDEX activity_targets_lead_idx ON activity_targets (tenant_id, lead_id, occurred_at, activity_id) WHERE lead_id IS NOT NULL;
CREATE INDEX activity_targets_opportunity_idx ON activity_targets (tenant_id, opportunity_id, occurred_at, activity_id) WHERE opportunity_id IS NOT NULL;
