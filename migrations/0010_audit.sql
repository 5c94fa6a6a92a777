-- Who did what, and who tried to: append-only, and chained so that a missing or changed row shows.

-- The chain's head beside the event counter, which every writer of a tenant locks anyway.
ALTER TABLE tenant_seq
    ADD COLUMN last_audit          bigint NOT NULL DEFAULT 0,
    ADD COLUMN audit_hash          bytea NOT NULL DEFAULT '',
    -- Whether the tenant may be changed. Every write ends with this row, so a suspension counts from its commit on,
    -- whatever servers remember of the tenant.
    ADD COLUMN open                boolean NOT NULL DEFAULT true;

CREATE TABLE audit_log (
    tenant_id           uuid NOT NULL REFERENCES tenants ON DELETE CASCADE,
    seq                 bigint NOT NULL,
    audit_id            uuid NOT NULL,
    occurred_at         timestamptz NOT NULL,
    -- user:<uuid>, apiKey:<uuid>, import:<source>, system:<what>, or anonymous.
    actor               text COLLATE "C" NOT NULL,
    -- For example opportunity.updated, session.refused, access.foreign_id.
    action              text COLLATE "C" NOT NULL,
    entity              text COLLATE "C",
    entity_id           uuid,
    -- A JSON object of field to [before, after]. Text and not jsonb, because the hash is over these very bytes.
    changes             text NOT NULL,
    address             text,
    user_agent          text,
    request_id          text NOT NULL,
    -- sha256(hash before || digest of all rows that were written together); the same in all of these.
    hash                bytea NOT NULL,
    PRIMARY KEY (tenant_id, seq)
);
CREATE INDEX audit_log_actor_idx ON audit_log (tenant_id, actor, seq);
CREATE INDEX audit_log_action_idx ON audit_log (tenant_id, action, seq);
CREATE INDEX audit_log_entity_idx ON audit_log (tenant_id, entity, seq);
CREATE INDEX audit_log_entity_id_idx ON audit_log (tenant_id, entity_id, seq);
CREATE INDEX audit_log_occurred_idx ON audit_log (tenant_id, occurred_at, audit_id);
