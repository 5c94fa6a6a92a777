-- Accounts at services elsewhere: those of the tenant are its program managers', those of a person theirs; both see how
-- the other is, and nobody sees what they authenticate with. What the server writes through one, it writes in the
-- account's own name (`integration:<id>`), which no caller has: by it the bookkeeping is kept with the records, whatever
-- the rights of who connected it.
CALL app.secure_table('integrations');
CREATE POLICY integrations_tenant ON integrations AS RESTRICTIVE TO dealgraph_app
    USING (tenant_id = app.tenant_id()) WITH CHECK (tenant_id = app.tenant_id());
CREATE POLICY integrations_managed ON integrations TO dealgraph_app
    USING (app.tenant_for('integrations:write') IS NOT NULL)
    WITH CHECK (app.tenant_for('integrations:write') IS NOT NULL);
CREATE POLICY integrations_own ON integrations TO dealgraph_app
    USING (visible_to = app.me()) WITH CHECK (visible_to = app.me() AND app.tenant_for_writers() IS NOT NULL);
CREATE POLICY integrations_itself ON integrations FOR SELECT TO dealgraph_app
    USING (tenant_id = app.tenant_id() AND app.author() = 'integration:' || integration_id);
-- Nobody has anything read or written with the rights of somebody else.
CREATE POLICY integrations_insert_own ON integrations AS RESTRICTIVE FOR INSERT TO dealgraph_app
    WITH CHECK (runs_as = app.author() AND visible_to IN ('|', app.me()));
CALL app.let_system_identify('integrations', 'integration_id');
GRANT SELECT ON integrations TO dealgraph_app;
GRANT INSERT (
    tenant_id, integration_id, provider, name, name_normalized, user_id, visible_to, status, status_since, status_reason,
    external_account, external_name, sync_every_minutes, runs_as, credentials, created_at, created_by, updated_at, updated_by,
    version
) ON integrations TO dealgraph_app;
GRANT UPDATE (
    name, name_normalized, status, status_since, status_reason, external_account, external_name, sync_every_minutes, runs_as,
    credentials, authorization_hash, authorization_sealed, authorization_ends_at, refresh_until, refresh_fence, pushed_seq,
    updated_at, updated_by, version
) ON integrations TO dealgraph_app;

CALL app.secure_table('integration_streams');
CREATE POLICY integration_streams_tenant ON integration_streams AS RESTRICTIVE TO dealgraph_app
    USING (tenant_id = app.tenant_id()) WITH CHECK (tenant_id = app.tenant_id());
CREATE POLICY integration_streams_managed ON integration_streams TO dealgraph_app
    USING (app.tenant_for('integrations:write') IS NOT NULL)
    WITH CHECK (app.tenant_for('integrations:write') IS NOT NULL);
CREATE POLICY integration_streams_own ON integration_streams TO dealgraph_app
    USING (visible_to = app.me()) WITH CHECK (visible_to = app.me() AND app.tenant_for_writers() IS NOT NULL);
CREATE POLICY integration_streams_itself ON integration_streams TO dealgraph_app
    USING (app.author() = 'integration:' || integration_id) WITH CHECK (app.author() = 'integration:' || integration_id);
GRANT SELECT ON integration_streams TO dealgraph_app;
GRANT INSERT (tenant_id, integration_id, kind, visible_to, next_mode, next_trigger, next_may_remove, next_at)
    ON integration_streams TO dealgraph_app;
GRANT UPDATE (
    cursor, fence, sync_run_id, next_mode, next_trigger, next_may_remove, next_at, synced_at, fully_synced_at,
    failing_since, failures, error_code, error_message
) ON integration_streams TO dealgraph_app;

CALL app.secure_table('sync_runs');
CREATE POLICY sync_runs_tenant ON sync_runs AS RESTRICTIVE TO dealgraph_app
    USING (tenant_id = app.tenant_id()) WITH CHECK (tenant_id = app.tenant_id());
CREATE POLICY sync_runs_managed ON sync_runs TO dealgraph_app
    USING (app.tenant_for('integrations:write') IS NOT NULL)
    WITH CHECK (app.tenant_for('integrations:write') IS NOT NULL);
CREATE POLICY sync_runs_own ON sync_runs FOR SELECT TO dealgraph_app
    USING (tenant_id = app.tenant_id() AND visible_to = app.me());
CREATE POLICY sync_runs_itself ON sync_runs TO dealgraph_app
    USING (app.author() = 'integration:' || integration_id) WITH CHECK (app.author() = 'integration:' || integration_id);
CALL app.let_system_identify('sync_runs', 'sync_run_id');
GRANT SELECT ON sync_runs TO dealgraph_app;
GRANT INSERT (
    tenant_id, sync_run_id, integration_id, kind, visible_to, mode, trigger, status, may_remove, cursor_before, started_at
) ON sync_runs TO dealgraph_app;
GRANT UPDATE (
    mode, status, cursor_after, read_count, created_count, updated_count, unchanged_count, removed_count, skipped_count,
    failed_count, problems, error_code, error_message, next_attempt_at, ended_at
) ON sync_runs TO dealgraph_app;
-- What is over is forgotten after some time.
CREATE POLICY sync_runs_forget ON sync_runs AS RESTRICTIVE FOR DELETE TO dealgraph_app USING (ended_at IS NOT NULL);
GRANT DELETE ON sync_runs TO dealgraph_app;

CALL app.secure_table('external_links');
CREATE POLICY external_links_tenant ON external_links AS RESTRICTIVE TO dealgraph_app
    USING (tenant_id = app.tenant_id()) WITH CHECK (tenant_id = app.tenant_id());
CREATE POLICY external_links_managed ON external_links TO dealgraph_app
    USING (app.tenant_for('integrations:write') IS NOT NULL)
    WITH CHECK (app.tenant_for('integrations:write') IS NOT NULL);
CREATE POLICY external_links_own ON external_links FOR SELECT TO dealgraph_app
    USING (tenant_id = app.tenant_id() AND visible_to = app.me());
CREATE POLICY external_links_itself ON external_links TO dealgraph_app
    USING (app.author() = 'integration:' || integration_id) WITH CHECK (app.author() = 'integration:' || integration_id);
GRANT SELECT, DELETE ON external_links TO dealgraph_app;
GRANT INSERT (
    tenant_id, integration_id, kind, external_id, record_id, visible_to, is_created, hash, external_updated_at, pulled_at,
    seen_in, pushed_at, created_at
) ON external_links TO dealgraph_app;
GRANT UPDATE (record_id, hash, external_updated_at, pulled_at, seen_in, pushed_at) ON external_links TO dealgraph_app;
