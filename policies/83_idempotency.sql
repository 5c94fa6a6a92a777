-- Idempotency keys: everybody has their own, in the tenant that they act in. The system forgets those that are old.
CALL app.secure_table('idempotency_keys');
CREATE POLICY idempotency_keys_tenant ON idempotency_keys AS RESTRICTIVE TO dealgraph_app
    USING (tenant_id = app.tenant_id()) WITH CHECK (tenant_id = app.tenant_id());
CREATE POLICY idempotency_keys_own ON idempotency_keys TO dealgraph_app
    USING (author = app.author()) WITH CHECK (author = app.author());
GRANT SELECT, DELETE ON idempotency_keys TO dealgraph_app;
GRANT INSERT (
    tenant_id, author, key_hash, request_hash, claim, claimed_until, claimed_at
) ON idempotency_keys TO dealgraph_app;
GRANT UPDATE (
    request_hash, claim, claimed_until, written, entity, entity_id, answer, claimed_at
) ON idempotency_keys TO dealgraph_app;

CREATE POLICY idempotency_keys_forget ON idempotency_keys TO dealgraph_system USING (true);
GRANT SELECT (claimed_at), DELETE ON idempotency_keys TO dealgraph_system;
