-- What tenant admins run: roles of the tenant's own, invitations, keys of programs.

CALL app.secure_shared_table('roles', reads => 'users:read', writes => 'admin');
CALL app.let_system_reach('roles');
GRANT INSERT (
    tenant_id, role_id, name, name_normalized, description, permissions, masks, created_at, created_by,
    updated_at, updated_by, version
) ON roles TO dealgraph_app;
GRANT UPDATE (
    name, name_normalized, description, permissions, masks, updated_at, updated_by, version
) ON roles TO dealgraph_app;
GRANT SELECT ON roles TO dealgraph_system;

-- An invitation is deleted with the role that it has, once it can't be used any more: accepted or revoked.
CALL app.secure_table('invitations');
CALL app.permit('invitations', 'SELECT', permission => 'users:write');
CALL app.permit('invitations', 'INSERT', permission => 'users:write');
CALL app.permit('invitations', 'UPDATE', permission => 'users:write');
CALL app.permit('invitations', 'DELETE', permission => 'admin',
                scope => 'role_id IS NOT NULL AND (accepted_at IS NOT NULL OR revoked_at IS NOT NULL)');
CALL app.let_system_reach('invitations');
CREATE POLICY invitations_insert_admin ON invitations AS RESTRICTIVE FOR INSERT TO dealgraph_app
    WITH CHECK (role <> 'ADMIN' OR tenant_id = app.tenant_for('admin'));
CREATE POLICY invitations_update_admin ON invitations AS RESTRICTIVE FOR UPDATE TO dealgraph_app
    USING (role <> 'ADMIN' OR tenant_id = app.tenant_for('admin'))
    WITH CHECK (role <> 'ADMIN' OR tenant_id = app.tenant_for('admin'));
GRANT INSERT (
    tenant_id, invitation_id, email, email_normalized, role, role_id, team_id, secret_hash, sent_at, expires_at,
    created_at, created_by
) ON invitations TO dealgraph_app;
GRANT UPDATE (
    team_id, secret_hash, sent_at, sent_count, expires_at, revoked_at, version
) ON invitations TO dealgraph_app;
GRANT SELECT, INSERT ON invitations TO dealgraph_system;
GRANT UPDATE (accepted_at, accepted_by, version) ON invitations TO dealgraph_system;

-- A key is deleted with the role that it has, once it can't be used any more: revoked or expired.
CALL app.secure_table('api_keys');
CALL app.permit('api_keys', 'SELECT', permission => 'integrations:write');
CALL app.permit('api_keys', 'INSERT', permission => 'integrations:write');
CALL app.permit('api_keys', 'UPDATE', permission => 'integrations:write');
CALL app.permit('api_keys', 'DELETE', permission => 'admin',
                scope => 'role_id IS NOT NULL AND (revoked_at IS NOT NULL OR expires_at <= now())');
CALL app.let_system_reach('api_keys');
CREATE POLICY api_keys_insert_admin ON api_keys AS RESTRICTIVE FOR INSERT TO dealgraph_app
    WITH CHECK (role <> 'ADMIN' OR tenant_id = app.tenant_for('admin'));
CREATE POLICY api_keys_update_admin ON api_keys AS RESTRICTIVE FOR UPDATE TO dealgraph_app
    USING (role <> 'ADMIN' OR tenant_id = app.tenant_for('admin'))
    WITH CHECK (role <> 'ADMIN' OR tenant_id = app.tenant_for('admin'));
GRANT INSERT (
    tenant_id, api_key_id, name, name_normalized, hint, secret_hash, role, role_id, permissions, team_id, team_path,
    expires_at, rotated_from, trusted_documents_only, created_at, created_by
) ON api_keys TO dealgraph_app;
GRANT UPDATE (
    name, name_normalized, team_id, team_path, expires_at, revoked_at, version
) ON api_keys TO dealgraph_app;
GRANT SELECT ON api_keys TO dealgraph_system;
GRANT UPDATE (last_used_at, last_used_from) ON api_keys TO dealgraph_system;
