-- Webhooks: endpoints are set up by who may connect other systems (`integrations:write`), and worked through by the
-- server, which acts for the tenant as an admin. Secrets are sealed; whoever reads the row can't use them.
CALL app.secure_table('webhook_endpoints');
CALL app.permit('webhook_endpoints', 'SELECT', permission => 'integrations:write');
CALL app.permit('webhook_endpoints', 'INSERT', permission => 'integrations:write');
CALL app.permit('webhook_endpoints', 'UPDATE', permission => 'integrations:write');
CALL app.permit('webhook_endpoints', 'DELETE', permission => 'integrations:write');
CALL app.let_system_identify('webhook_endpoints', 'webhook_endpoint_id');
-- Nobody has anything sent with the rights of somebody else: who changes what is sent, or where to, answers for it.
CREATE POLICY webhook_endpoints_insert_own ON webhook_endpoints AS RESTRICTIVE FOR INSERT TO dealgraph_app
    WITH CHECK (runs_as = app.author());
GRANT INSERT (
    tenant_id, webhook_endpoint_id, name, name_normalized, url, subscriptions, skips_own, api_version, runs_as, enabled,
    disabled_reason, disabled_at, secret, hint, created_at, created_by
) ON webhook_endpoints TO dealgraph_app;
GRANT UPDATE (
    name, name_normalized, url, subscriptions, skips_own, runs_as, enabled, disabled_reason, disabled_at, secret, hint,
    previous_secret, previous_until, version
) ON webhook_endpoints TO dealgraph_app;

CALL app.secure_table('webhook_endpoint_health');
CALL app.permit('webhook_endpoint_health', 'SELECT', permission => 'integrations:write');
CALL app.permit('webhook_endpoint_health', 'INSERT', permission => 'integrations:write');
CALL app.permit('webhook_endpoint_health', 'UPDATE', permission => 'integrations:write');
GRANT INSERT (tenant_id, webhook_endpoint_id, failing_since, failures, rests_until, delivered_at, error_code)
    ON webhook_endpoint_health TO dealgraph_app;
GRANT UPDATE (failing_since, failures, rests_until, delivered_at, error_code) ON webhook_endpoint_health TO dealgraph_app;

CALL app.secure_table('webhook_deliveries');
CALL app.permit('webhook_deliveries', 'SELECT', permission => 'integrations:write');
CALL app.permit('webhook_deliveries', 'INSERT', permission => 'integrations:write');
CALL app.permit('webhook_deliveries', 'UPDATE', permission => 'integrations:write');
GRANT INSERT (
    tenant_id, webhook_delivery_id, webhook_endpoint_id, seq, change, entity, entity_id, due_at, body, runs_as,
    created_at
) ON webhook_deliveries TO dealgraph_app;
GRANT UPDATE (status, attempts, tries, due_at, body, runs_as, response_status, error_code, ended_at, changed_at)
    ON webhook_deliveries TO dealgraph_app;
CREATE POLICY webhook_deliveries_forget ON webhook_deliveries FOR DELETE TO dealgraph_system USING (ended_at IS NOT NULL);
CREATE POLICY webhook_deliveries_old ON webhook_deliveries FOR SELECT TO dealgraph_system USING (ended_at IS NOT NULL);
GRANT SELECT (tenant_id, webhook_delivery_id, ended_at), DELETE ON webhook_deliveries TO dealgraph_system;

CALL app.secure_table('webhook_attempts');
CALL app.permit('webhook_attempts', 'SELECT', permission => 'integrations:write');
CALL app.permit('webhook_attempts', 'INSERT', permission => 'integrations:write');
CALL app.permit('webhook_attempts', 'UPDATE', permission => 'integrations:write');
-- One that was noted and not made is taken back.
CALL app.permit('webhook_attempts', 'DELETE', permission => 'integrations:write', scope => 'outcome = ''SENDING''');
GRANT INSERT (tenant_id, webhook_delivery_id, attempt, started_at) ON webhook_attempts TO dealgraph_app;
GRANT UPDATE (outcome, response_status, error_code, took_ms, response) ON webhook_attempts TO dealgraph_app;
