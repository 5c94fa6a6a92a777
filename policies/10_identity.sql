-- Tenants: a member reads its own tenant, an admin changes the profile; creating one is the system's.
CALL app.secure_table('tenants');
CALL app.let_system_reach('tenants');
CREATE POLICY tenants_read ON tenants FOR SELECT TO dealgraph_app USING (tenant_id = app.tenant_id());
CREATE POLICY tenants_update ON tenants FOR UPDATE TO dealgraph_app
    USING (tenant_id = app.tenant_for('admin')) WITH CHECK (tenant_id = app.tenant_for('admin'));
GRANT SELECT ON tenants TO dealgraph_app, dealgraph_system;
GRANT INSERT ON tenants TO dealgraph_system;
GRANT UPDATE (
    name, base_currency, time_zone, locale, fiscal_year_start, lost_reason_required, warmness_threshold,
    second_factor_required, required_provider, trusted_documents_only, updated_at, version
) ON tenants TO dealgraph_app;
GRANT UPDATE (
    status, suspended_because, delete_after, quota_members, quota_teams, quota_roles, quota_api_keys,
    quota_webhook_endpoints, plan, updated_at, version
) ON tenants TO dealgraph_system;

-- Teams: read with users:read, built with users:write.
CALL app.secure_shared_table('teams', reads => 'users:read', writes => 'users:write');
CALL app.let_system_reach('teams');
GRANT INSERT (
    tenant_id, team_id, name, parent_team_id, path, created_at, updated_at, version
) ON teams TO dealgraph_app;
GRANT UPDATE (
    name, parent_team_id, path, updated_at, version
) ON teams TO dealgraph_app;
GRANT SELECT, INSERT ON teams TO dealgraph_system;

-- Memberships: colleagues' names are read with users:read, role and team are changed with users:write; only holders of
-- `admin` make, change or end an ADMIN. The system resolves a token's user by them and admits new members.
CALL app.secure_table('memberships');
CALL app.permit('memberships', 'SELECT', permission => 'users:read');
CALL app.permit('memberships', 'UPDATE', permission => 'users:write');
CALL app.permit('memberships', 'DELETE', permission => 'users:write');
CALL app.let_system_reach('memberships');
CREATE POLICY memberships_update_admin ON memberships AS RESTRICTIVE FOR UPDATE TO dealgraph_app
    USING (role <> 'ADMIN' OR tenant_id = app.tenant_for('admin'))
    WITH CHECK (role <> 'ADMIN' OR tenant_id = app.tenant_for('admin'));
CREATE POLICY memberships_delete_admin ON memberships AS RESTRICTIVE FOR DELETE TO dealgraph_app
    USING (role <> 'ADMIN' OR tenant_id = app.tenant_for('admin'));
GRANT UPDATE (
    role, role_id, title, team_id, team_path, status, successor_id, moving, updated_at, version
) ON memberships TO dealgraph_app;
GRANT SELECT, INSERT ON memberships TO dealgraph_system;
GRANT UPDATE (email, name, name_normalized, last_seen_at, version) ON memberships TO dealgraph_system;
