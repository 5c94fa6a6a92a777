-- What mutations were done under which idempotency keys, for a day. The answer is sealed.
CREATE TABLE idempotency_keys (
    tenant_id           uuid NOT NULL REFERENCES tenants ON DELETE CASCADE,
    author              text NOT NULL,
    key_hash            bytea NOT NULL,
    request_hash        bytea NOT NULL,
    -- The request that runs under the key, and until when at most.
    claim               uuid NOT NULL,
    claimed_until       timestamptz NOT NULL,
    -- Set by the transaction that writes, with the first record it is about.
    written             boolean NOT NULL DEFAULT false,
    entity              text,
    entity_id           uuid,
    answer              bytea,
    claimed_at          timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, author, key_hash)
);
