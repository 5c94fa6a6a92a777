-- Activities: by permission, and within the row scope either as their own or through a record they are about.
ALTER TABLE activities ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
REVOKE ALL ON activities FROM PUBLIC, dealgraph_app, dealgraph_system;
GRANT SELECT, DELETE ON activities TO dealgraph_app;
GRANT INSERT (
    tenant_id, activity_id, kind, subject, body, direction, status, due_at, start_at, end_at, done_at,
    outcome, occurred_at, owner_id, team_path, targets_visible_to, archived_at, created_at, created_by,
    updated_at, updated_by, version
) ON activities TO dealgraph_app;
GRANT UPDATE (
    kind, subject, body, direction, status, due_at, start_at, end_at, done_at, outcome, occurred_at,
    owner_id, team_path, targets_visible_to, archived_at, updated_at, updated_by, version
) ON activities TO dealgraph_app;

DROP POLICY IF EXISTS activities_read_tenant ON activities;
CREATE POLICY activities_read_tenant ON activities AS RESTRICTIVE FOR SELECT TO dealgraph_app
    USING (tenant_id = app.tenant_for('activities:read'));
DROP POLICY IF EXISTS activities_read_scope ON activities;
CREATE POLICY activities_read_scope ON activities FOR SELECT TO dealgraph_app
    USING (strpos(visible_to, app.sees('activities')) > 0 OR strpos(visible_to, app.me()) > 0);
DROP POLICY IF EXISTS activities_insert_tenant ON activities;
CREATE POLICY activities_insert_tenant ON activities AS RESTRICTIVE FOR INSERT TO dealgraph_app
    WITH CHECK (tenant_id = app.tenant_for('activities:write'));
DROP POLICY IF EXISTS activities_insert_scope ON activities;
CREATE POLICY activities_insert_scope ON activities FOR INSERT TO dealgraph_app
    WITH CHECK (strpos(visible_to, app.edits('activities')) > 0 OR strpos(visible_to, app.me()) > 0);
DROP POLICY IF EXISTS activities_update_tenant ON activities;
CREATE POLICY activities_update_tenant ON activities AS RESTRICTIVE FOR UPDATE TO dealgraph_app
    USING (tenant_id = app.tenant_for('activities:write'))
    WITH CHECK (tenant_id = app.tenant_for('activities:write'));
DROP POLICY IF EXISTS activities_update_scope ON activities;
CREATE POLICY activities_update_scope ON activities FOR UPDATE TO dealgraph_app
    USING (strpos(visible_to, app.edits('activities')) > 0 OR strpos(visible_to, app.me()) > 0)
    WITH CHECK (strpos(visible_to, app.edits('activities')) > 0 OR strpos(visible_to, app.me()) > 0);
DROP POLICY IF EXISTS activities_delete_tenant ON activities;
CREATE POLICY activities_delete_tenant ON activities AS RESTRICTIVE FOR DELETE TO dealgraph_app
    USING (tenant_id = app.tenant_for('activities:delete'));
DROP POLICY IF EXISTS activities_delete_scope ON activities;
CREATE POLICY activities_delete_scope ON activities FOR DELETE TO dealgraph_app
    USING (strpos(visible_to, app.deletes('activities')) > 0 OR strpos(visible_to, app.me()) > 0);
DROP POLICY IF EXISTS activities_owner ON activities;
CREATE POLICY activities_owner ON activities TO dealgraph_owner USING (true) WITH CHECK (true);

-- What an activity is about follows the activity.
ALTER TABLE activity_targets ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
REVOKE ALL ON activity_targets FROM PUBLIC, dealgraph_app, dealgraph_system;
GRANT SELECT, DELETE ON activity_targets TO dealgraph_app;
GRANT INSERT (
    tenant_id, activity_id, company_id, contact_id, lead_id, opportunity_id, occurred_at,
    target_visible_to, visible_to
) ON activity_targets TO dealgraph_app;
GRANT UPDATE (
    occurred_at, target_visible_to, visible_to
) ON activity_targets TO dealgraph_app;

DROP POLICY IF EXISTS activity_targets_read_tenant ON activity_targets;
CREATE POLICY activity_targets_read_tenant ON activity_targets AS RESTRICTIVE FOR SELECT TO dealgraph_app
    USING (tenant_id = app.tenant_for('activities:read'));
DROP POLICY IF EXISTS activity_targets_read_scope ON activity_targets;
CREATE POLICY activity_targets_read_scope ON activity_targets FOR SELECT TO dealgraph_app
    USING (strpos(visible_to, app.sees('activities')) > 0 OR strpos(visible_to, app.me()) > 0);
DROP POLICY IF EXISTS activity_targets_insert_tenant ON activity_targets;
CREATE POLICY activity_targets_insert_tenant ON activity_targets AS RESTRICTIVE FOR INSERT TO dealgraph_app
    WITH CHECK (tenant_id = app.tenant_for('activities:write'));
DROP POLICY IF EXISTS activity_targets_insert_scope ON activity_targets;
CREATE POLICY activity_targets_insert_scope ON activity_targets FOR INSERT TO dealgraph_app
    WITH CHECK (strpos(visible_to, app.edits('activities')) > 0 OR strpos(visible_to, app.me()) > 0);
DROP POLICY IF EXISTS activity_targets_update_tenant ON activity_targets;
CREATE POLICY activity_targets_update_tenant ON activity_targets AS RESTRICTIVE FOR UPDATE TO dealgraph_app
    USING (tenant_id = app.tenant_for('activities:write'))
    WITH CHECK (tenant_id = app.tenant_for('activities:write'));
DROP POLICY IF EXISTS activity_targets_update_scope ON activity_targets;
CREATE POLICY activity_targets_update_scope ON activity_targets FOR UPDATE TO dealgraph_app
    USING (strpos(visible_to, app.edits('activities')) > 0 OR strpos(visible_to, app.me()) > 0)
    WITH CHECK (strpos(visible_to, app.edits('activities')) > 0 OR strpos(visible_to, app.me()) > 0);
DROP POLICY IF EXISTS activity_targets_delete_tenant ON activity_targets;
CREATE POLICY activity_targets_delete_tenant ON activity_targets AS RESTRICTIVE FOR DELETE TO dealgraph_app
    USING (tenant_id = app.tenant_for('activities:write'));
DROP POLICY IF EXISTS activity_targets_delete_scope ON activity_targets;
CREATE POLICY activity_targets_delete_scope ON activity_targets FOR DELETE TO dealgraph_app
    USING (strpos(visible_to, app.edits('activities')) > 0 OR strpos(visible_to, app.me()) > 0);
DROP POLICY IF EXISTS activity_targets_owner ON activity_targets;
CREATE POLICY activity_targets_owner ON activity_targets TO dealgraph_owner USING (true) WITH CHECK (true);

-- Whether an id that somebody was told is none belongs to another tenant is asked afterwards, for both tenants' audit
-- logs. For that the system reads whose an id is, and no other column.
GRANT SELECT (tenant_id, activity_id) ON activities TO dealgraph_system;
DROP POLICY IF EXISTS activities_system ON activities;
CREATE POLICY activities_system ON activities FOR SELECT TO dealgraph_system USING (true);
