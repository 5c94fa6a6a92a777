-- What tenant admins run: roles of the tenant's own, invitations, keys of programs.

ALTER TABLE roles ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
REVOKE ALL ON roles FROM PUBLIC, dealgraph_app, dealgraph_system;
GRANT SELECT, DELETE ON roles TO dealgraph_app;
GRANT INSERT (
    tenant_id, role_id, name, name_normalized, description, permissions, masks, created_at, created_by,
    updated_at, updated_by, version
) ON roles TO dealgraph_app;
GRANT UPDATE (
    name, name_normalized, description, permissions, masks, updated_at, updated_by, version
) ON roles TO dealgraph_app;
DROP POLICY IF EXISTS roles_read_tenant ON roles;
CREATE POLICY roles_read_tenant ON roles AS RESTRICTIVE FOR SELECT TO dealgraph_app
    USING (tenant_id = app.tenant_for('users:read'));
DROP POLICY IF EXISTS roles_read_scope ON roles;
CREATE POLICY roles_read_scope ON roles FOR SELECT TO dealgraph_app USING (true);
DROP POLICY IF EXISTS roles_insert_tenant ON roles;
CREATE POLICY roles_insert_tenant ON roles AS RESTRICTIVE FOR INSERT TO dealgraph_app
    WITH CHECK (tenant_id = app.tenant_for('admin'));
DROP POLICY IF EXISTS roles_insert_scope ON roles;
CREATE POLICY roles_insert_scope ON roles FOR INSERT TO dealgraph_app WITH CHECK (true);
DROP POLICY IF EXISTS roles_update_tenant ON roles;
CREATE POLICY roles_update_tenant ON roles AS RESTRICTIVE FOR UPDATE TO dealgraph_app
    USING (tenant_id = app.tenant_for('admin'))
    WITH CHECK (tenant_id = app.tenant_for('admin'));
DROP POLICY IF EXISTS roles_update_scope ON roles;
CREATE POLICY roles_update_scope ON roles FOR UPDATE TO dealgraph_app USING (true) WITH CHECK (true);
DROP POLICY IF EXISTS roles_delete_tenant ON roles;
CREATE POLICY roles_delete_tenant ON roles AS RESTRICTIVE FOR DELETE TO dealgraph_app
    USING (tenant_id = app.tenant_for('admin'));
DROP POLICY IF EXISTS roles_delete_scope ON roles;
CREATE POLICY roles_delete_scope ON roles FOR DELETE TO dealgraph_app USING (true);
GRANT SELECT ON roles TO dealgraph_system;
DROP POLICY IF EXISTS roles_system ON roles;
CREATE POLICY roles_system ON roles TO dealgraph_system USING (true) WITH CHECK (true);
DROP POLICY IF EXISTS roles_owner ON roles;
CREATE POLICY roles_owner ON roles TO dealgraph_owner USING (true) WITH CHECK (true);

ALTER TABLE invitations ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
REVOKE ALL ON invitations FROM PUBLIC, dealgraph_app, dealgraph_system;
GRANT SELECT ON invitations TO dealgraph_app;
GRANT INSERT (
    tenant_id, invitation_id, email, email_normalized, role, role_id, team_id, secret_hash, sent_at, expires_at,
    created_at, created_by
) ON invitations TO dealgraph_app;
GRANT UPDATE (
    team_id, secret_hash, sent_at, sent_count, expires_at, revoked_at, version
) ON invitations TO dealgraph_app;
DROP POLICY IF EXISTS invitations_read_tenant ON invitations;
CREATE POLICY invitations_read_tenant ON invitations AS RESTRICTIVE FOR SELECT TO dealgraph_app
    USING (tenant_id = app.tenant_for('users:write'));
DROP POLICY IF EXISTS invitations_read_scope ON invitations;
CREATE POLICY invitations_read_scope ON invitations FOR SELECT TO dealgraph_app USING (true);
DROP POLICY IF EXISTS invitations_insert_tenant ON invitations;
CREATE POLICY invitations_insert_tenant ON invitations AS RESTRICTIVE FOR INSERT TO dealgraph_app
    WITH CHECK (tenant_id = app.tenant_for('users:write'));
DROP POLICY IF EXISTS invitations_insert_scope ON invitations;
CREATE POLICY invitations_insert_scope ON invitations FOR INSERT TO dealgraph_app WITH CHECK (true);
DROP POLICY IF EXISTS invitations_update_tenant ON invitations;
CREATE POLICY invitations_update_tenant ON invitations AS RESTRICTIVE FOR UPDATE TO dealgraph_app
    USING (tenant_id = app.tenant_for('users:write'))
    WITH CHECK (tenant_id = app.tenant_for('users:write'));
DROP POLICY IF EXISTS invitations_update_scope ON invitations;
CREATE POLICY invitations_update_scope ON invitations FOR UPDATE TO dealgraph_app USING (true) WITH CHECK (true);
DROP POLICY IF EXISTS invitations_insert_admin ON invitations;
CREATE POLICY invitations_insert_admin ON invitations AS RESTRICTIVE FOR INSERT TO dealgraph_app
    WITH CHECK (role <> 'ADMIN' OR tenant_id = app.tenant_for('admin'));
DROP POLICY IF EXISTS invitations_update_admin ON invitations;
CREATE POLICY invitations_update_admin ON invitations AS RESTRICTIVE FOR UPDATE TO dealgraph_app
    USING (role <> 'ADMIN' OR tenant_id = app.tenant_for('admin'))
    WITH CHECK (role <> 'ADMIN' OR tenant_id = app.tenant_for('admin'));
-- Gone with the role that it has, when it will never be used again: accepted or revoked.
GRANT DELETE ON invitations TO dealgraph_app;
DROP POLICY IF EXISTS invitations_delete_tenant ON invitations;
CREATE POLICY invitations_delete_tenant ON invitations AS RESTRICTIVE FOR DELETE TO dealgraph_app
    USING (tenant_id = app.tenant_for('admin'));
DROP POLICY IF EXISTS invitations_delete_scope ON invitations;
CREATE POLICY invitations_delete_scope ON invitations FOR DELETE TO dealgraph_app
    USING (role_id IS NOT NULL AND (accepted_at IS NOT NULL OR revoked_at IS NOT NULL));
GRANT SELECT, INSERT ON invitations TO dealgraph_system;
GRANT UPDATE (accepted_at, accepted_by, version) ON invitations TO dealgraph_system;
DROP POLICY IF EXISTS invitations_system ON invitations;
CREATE POLICY invitations_system ON invitations TO dealgraph_system USING (true) WITH CHECK (true);
DROP POLICY IF EXISTS invitations_owner ON invitations;
CREATE POLICY invitations_owner ON invitations TO dealgraph_owner USING (true) WITH CHECK (true);

ALTER TABLE api_keys ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
REVOKE ALL ON api_keys FROM PUBLIC, dealgraph_app, dealgraph_system;
GRANT SELECT ON api_keys TO dealgraph_app;
GRANT INSERT (
    tenant_id, api_key_id, name, name_normalized, hint, secret_hash, role, role_id, permissions, team_id, team_path,
    expires_at, rotated_from, trusted_documents_only, created_at, created_by
) ON api_keys TO dealgraph_app;
GRANT UPDATE (
    name, name_normalized, team_id, team_path, expires_at, revoked_at, version
) ON api_keys TO dealgraph_app;
DROP POLICY IF EXISTS api_keys_read_tenant ON api_keys;
CREATE POLICY api_keys_read_tenant ON api_keys AS RESTRICTIVE FOR SELECT TO dealgraph_app
    USING (tenant_id = app.tenant_for('integrations:write'));
DROP POLICY IF EXISTS api_keys_read_scope ON api_keys;
CREATE POLICY api_keys_read_scope ON api_keys FOR SELECT TO dealgraph_app USING (true);
DROP POLICY IF EXISTS api_keys_insert_tenant ON api_keys;
CREATE POLICY api_keys_insert_tenant ON api_keys AS RESTRICTIVE FOR INSERT TO dealgraph_app
    WITH CHECK (tenant_id = app.tenant_for('integrations:write'));
DROP POLICY IF EXISTS api_keys_insert_scope ON api_keys;
CREATE POLICY api_keys_insert_scope ON api_keys FOR INSERT TO dealgraph_app WITH CHECK (true);
DROP POLICY IF EXISTS api_keys_update_tenant ON api_keys;
CREATE POLICY api_keys_update_tenant ON api_keys AS RESTRICTIVE FOR UPDATE TO dealgraph_app
    USING (tenant_id = app.tenant_for('integrations:write'))
    WITH CHECK (tenant_id = app.tenant_for('integrations:write'));
DROP POLICY IF EXISTS api_keys_update_scope ON api_keys;
CREATE POLICY api_keys_update_scope ON api_keys FOR UPDATE TO dealgraph_app USING (true) WITH CHECK (true);
DROP POLICY IF EXISTS api_keys_insert_admin ON api_keys;
CREATE POLICY api_keys_insert_admin ON api_keys AS RESTRICTIVE FOR INSERT TO dealgraph_app
    WITH CHECK (role <> 'ADMIN' OR tenant_id = app.tenant_for('admin'));
DROP POLICY IF EXISTS api_keys_update_admin ON api_keys;
CREATE POLICY api_keys_update_admin ON api_keys AS RESTRICTIVE FOR UPDATE TO dealgraph_app
    USING (role <> 'ADMIN' OR tenant_id = app.tenant_for('admin'))
    WITH CHECK (role <> 'ADMIN' OR tenant_id = app.tenant_for('admin'));
-- Gone with the role that it has, when it will never be used again: revoked or ended.
GRANT DELETE ON api_keys TO dealgraph_app;
DROP POLICY IF EXISTS api_keys_delete_tenant ON api_keys;
CREATE POLICY api_keys_delete_tenant ON api_keys AS RESTRICTIVE FOR DELETE TO dealgraph_app
    USING (tenant_id = app.tenant_for('admin'));
DROP POLICY IF EXISTS api_keys_delete_scope ON api_keys;
CREATE POLICY api_keys_delete_scope ON api_keys FOR DELETE TO dealgraph_app
    USING (role_id IS NOT NULL AND (revoked_at IS NOT NULL OR expires_at <= now()));
GRANT SELECT ON api_keys TO dealgraph_system;
GRANT UPDATE (last_used_at, last_used_from) ON api_keys TO dealgraph_system;
DROP POLICY IF EXISTS api_keys_system ON api_keys;
CREATE POLICY api_keys_system ON api_keys TO dealgraph_system USING (true) WITH CHECK (true);
DROP POLICY IF EXISTS api_keys_owner ON api_keys;
CREATE POLICY api_keys_owner ON api_keys TO dealgraph_owner USING (true) WITH CHECK (true);
