-- Work that outlives a request. A job is put into the queue by the transaction that causes it, and done by whichever
-- server is first, inside the tenant.

-- When a job of the tenant is to be looked at next. Whoever puts one into the queue moves it as the last thing before
-- COMMIT; whoever takes some moves it on. A tenant without a row never had a job.
CREATE TABLE job_queues (
    tenant_id           uuid PRIMARY KEY REFERENCES tenants ON DELETE CASCADE,
    due_at              timestamptz NOT NULL
);
CREATE INDEX job_queues_due ON job_queues (due_at);

CREATE TABLE jobs (
    tenant_id           uuid NOT NULL REFERENCES tenants ON DELETE CASCADE,
    job_id              uuid NOT NULL,
    kind                text NOT NULL,
    arguments           jsonb NOT NULL,
    -- No two jobs of a kind that have not ended have the same.
    unique_key          text,
    status              text NOT NULL DEFAULT 'QUEUED'
        CHECK (status IN ('QUEUED', 'RUNNING', 'SUCCEEDED', 'FAILED', 'CANCELLED')),
    -- While it is queued: from when on it is to run. While it runs: until when its worker has it. By the database's clock.
    due_at              timestamptz,
    -- How often it was begun, and how often it was given to a worker: who completes it names the latter, so that a worker
    -- that was thought dead completes nothing.
    attempts            integer NOT NULL DEFAULT 0,
    fence               bigint NOT NULL DEFAULT 0,
    author              text NOT NULL,
    visible_to          text NOT NULL,
    request_id          text NOT NULL,
    trace_parent        text,
    -- Not begun after this.
    gives_up_at         timestamptz,
    schedule_id         uuid,
    planned_for         timestamptz,
    progress_done       bigint,
    progress_total      bigint,
    progress_message    text,
    cancel_requested_at timestamptz,
    result              jsonb,
    error_code          text,
    error_message       text,
    created_at          timestamptz NOT NULL,
    started_at          timestamptz,
    ended_at            timestamptz,
    PRIMARY KEY (tenant_id, job_id),
    CHECK ((due_at IS NULL) = (status IN ('SUCCEEDED', 'FAILED', 'CANCELLED'))),
    CHECK ((due_at IS NULL) = (ended_at IS NOT NULL))
);
CREATE INDEX jobs_due ON jobs (tenant_id, due_at) WHERE due_at IS NOT NULL;
CREATE UNIQUE INDEX jobs_unique_key ON jobs (tenant_id, kind, unique_key) WHERE due_at IS NOT NULL AND unique_key IS NOT NULL;
CREATE INDEX jobs_created ON jobs (tenant_id, created_at, job_id);
-- Those that have ended are forgotten after some days, of all tenants at once.
CREATE INDEX jobs_ended ON jobs (ended_at) WHERE ended_at IS NOT NULL;

-- What happens again and again: the time of each occurrence is a job's.
CREATE TABLE job_schedules (
    tenant_id           uuid NOT NULL REFERENCES tenants ON DELETE CASCADE,
    schedule_id         uuid NOT NULL,
    -- What it is for; a tenant has one of the name.
    name                text NOT NULL,
    kind                text NOT NULL,
    arguments           jsonb NOT NULL,
    -- A cron expression, in the time zone by its IANA name.
    cron                text NOT NULL,
    time_zone           text NOT NULL,
    missed              text NOT NULL CHECK (missed IN ('SKIP', 'ONCE', 'ALL')),
    author              text NOT NULL,
    visible_to          text NOT NULL,
    created_at          timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, schedule_id),
    UNIQUE (tenant_id, name)
);

-- Records that are being reassigned were looked for by every server all the time.
INSERT INTO jobs (tenant_id, job_id, kind, arguments, unique_key, due_at, author, visible_to, request_id, created_at)
SELECT m.tenant_id, gen_random_uuid(), 'members.reassign_records', jsonb_build_object('user', m.user_id),
       replace(m.user_id::text, '-', ''), now(), 'system:members.reassign_records',
       '|u:00000000-0000-0000-0000-000000000000|', 'migration', now()
FROM memberships m WHERE m.moving;
INSERT INTO job_queues (tenant_id, due_at) SELECT DISTINCT j.tenant_id, now() FROM jobs j;
