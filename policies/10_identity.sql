-- Tenants: a member reads its own tenant, an admin changes the profile; creating one is the system's.
ALTER TABLE tenants ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
REVOKE ALL ON tenants FROM PUBLIC, dealgraph_app, dealgraph_system;
GRANT SELECT ON tenants TO dealgraph_app, dealgraph_system;
GRANT INSERT ON tenants TO dealgraph_system;
GRANT UPDATE (
    name, base_currency, time_zone, locale, fiscal_year_start, lost_reason_required, warmness_threshold,
    second_factor_required, required_provider, trusted_documents_only, updated_at, version
) ON tenants TO dealgraph_app;
GRANT UPDATE (
    status, suspended_because, delete_after, quota_members, quota_teams, quota_roles, quota_api_keys, plan, updated_at,
    version
) ON tenants TO dealgraph_system;
DROP POLICY IF EXISTS tenants_read ON tenants;
CREATE POLICY tenants_read ON tenants FOR SELECT TO dealgraph_app USING (tenant_id = app.tenant_id());
DROP POLICY IF EXISTS tenants_update ON tenants;
CREATE POLICY tenants_update ON tenants FOR UPDATE TO dealgraph_app
    USING (tenant_id = app.tenant_for('admin')) WITH CHECK (tenant_id = app.tenant_for('admin'));
DROP POLICY IF EXISTS tenants_system ON tenants;
CREATE POLICY tenants_system ON tenants TO dealgraph_system USING (true) WITH CHECK (true);
DROP POLICY IF EXISTS tenants_owner ON tenants;
CREATE POLICY tenants_owner ON tenants TO dealgraph_owner USING (true) WITH CHECK (true);

-- Users are identities across tenants: no tenant's login reaches them, only sign-in does.
ALTER TABLE users ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
REVOKE ALL ON users FROM PUBLIC, dealgraph_app, dealgraph_system;
GRANT SELECT, INSERT ON users TO dealgraph_system;
GRANT UPDATE (
    name, active, last_login_at, password_hash, password_changed_at, email_verified_at,
    totp_secret, totp_pending, totp_confirmed_at, totp_last_step, totp_own
) ON users TO dealgraph_system;
DROP POLICY IF EXISTS users_system ON users;
CREATE POLICY users_system ON users TO dealgraph_system USING (true) WITH CHECK (true);
DROP POLICY IF EXISTS users_owner ON users;
CREATE POLICY users_owner ON users TO dealgraph_owner USING (true) WITH CHECK (true);

-- Teams: read with users:read, built with users:write.
ALTER TABLE teams ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
REVOKE ALL ON teams FROM PUBLIC, dealgraph_app, dealgraph_system;
GRANT SELECT, DELETE ON teams TO dealgraph_app;
GRANT INSERT (
    tenant_id, team_id, name, parent_team_id, path, created_at, updated_at, version
) ON teams TO dealgraph_app;
GRANT UPDATE (
    name, parent_team_id, path, updated_at, version
) ON teams TO dealgraph_app;
GRANT SELECT, INSERT ON teams TO dealgraph_system;
DROP POLICY IF EXISTS teams_read_tenant ON teams;
CREATE POLICY teams_read_tenant ON teams AS RESTRICTIVE FOR SELECT TO dealgraph_app
    USING (tenant_id = app.tenant_for('users:read'));
DROP POLICY IF EXISTS teams_read_scope ON teams;
CREATE POLICY teams_read_scope ON teams FOR SELECT TO dealgraph_app USING (true);
DROP POLICY IF EXISTS teams_insert_tenant ON teams;
CREATE POLICY teams_insert_tenant ON teams AS RESTRICTIVE FOR INSERT TO dealgraph_app
    WITH CHECK (tenant_id = app.tenant_for('users:write'));
DROP POLICY IF EXISTS teams_insert_scope ON teams;
CREATE POLICY teams_insert_scope ON teams FOR INSERT TO dealgraph_app WITH CHECK (true);
DROP POLICY IF EXISTS teams_update_tenant ON teams;
CREATE POLICY teams_update_tenant ON teams AS RESTRICTIVE FOR UPDATE TO dealgraph_app
    USING (tenant_id = app.tenant_for('users:write'))
    WITH CHECK (tenant_id = app.tenant_for('users:write'));
DROP POLICY IF EXISTS teams_update_scope ON teams;
CREATE POLICY teams_update_scope ON teams FOR UPDATE TO dealgraph_app USING (true) WITH CHECK (true);
DROP POLICY IF EXISTS teams_delete_tenant ON teams;
CREATE POLICY teams_delete_tenant ON teams AS RESTRICTIVE FOR DELETE TO dealgraph_app
    USING (tenant_id = app.tenant_for('users:write'));
DROP POLICY IF EXISTS teams_delete_scope ON teams;
CREATE POLICY teams_delete_scope ON teams FOR DELETE TO dealgraph_app USING (true);
DROP POLICY IF EXISTS teams_system ON teams;
CREATE POLICY teams_system ON teams TO dealgraph_system USING (true) WITH CHECK (true);
DROP POLICY IF EXISTS teams_owner ON teams;
CREATE POLICY teams_owner ON teams TO dealgraph_owner USING (true) WITH CHECK (true);

-- Memberships: colleagues' names are read with users:read, their place is changed with users:write; only who holds
-- `admin` makes, changes or ends an ADMIN. The system resolves a token's person by them and lets people in.
ALTER TABLE memberships ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
REVOKE ALL ON memberships FROM PUBLIC, dealgraph_app, dealgraph_system;
GRANT SELECT, DELETE ON memberships TO dealgraph_app;
GRANT UPDATE (
    role, role_id, title, team_id, team_path, status, successor_id, moving, updated_at, version
) ON memberships TO dealgraph_app;
GRANT SELECT, INSERT ON memberships TO dealgraph_system;
GRANT UPDATE (email, name, name_normalized, last_seen_at, version) ON memberships TO dealgraph_system;
DROP POLICY IF EXISTS memberships_read_tenant ON memberships;
CREATE POLICY memberships_read_tenant ON memberships AS RESTRICTIVE FOR SELECT TO dealgraph_app
    USING (tenant_id = app.tenant_for('users:read'));
DROP POLICY IF EXISTS memberships_read_scope ON memberships;
CREATE POLICY memberships_read_scope ON memberships FOR SELECT TO dealgraph_app USING (true);
DROP POLICY IF EXISTS memberships_update_tenant ON memberships;
CREATE POLICY memberships_update_tenant ON memberships AS RESTRICTIVE FOR UPDATE TO dealgraph_app
    USING (tenant_id = app.tenant_for('users:write'))
    WITH CHECK (tenant_id = app.tenant_for('users:write'));
DROP POLICY IF EXISTS memberships_update_admin ON memberships;
CREATE POLICY memberships_update_admin ON memberships AS RESTRICTIVE FOR UPDATE TO dealgraph_app
    USING (role <> 'ADMIN' OR tenant_id = app.tenant_for('admin'))
    WITH CHECK (role <> 'ADMIN' OR tenant_id = app.tenant_for('admin'));
DROP POLICY IF EXISTS memberships_update_scope ON memberships;
CREATE POLICY memberships_update_scope ON memberships FOR UPDATE TO dealgraph_app USING (true) WITH CHECK (true);
DROP POLICY IF EXISTS memberships_delete_tenant ON memberships;
CREATE POLICY memberships_delete_tenant ON memberships AS RESTRICTIVE FOR DELETE TO dealgraph_app
    USING (tenant_id = app.tenant_for('users:write'));
DROP POLICY IF EXISTS memberships_delete_admin ON memberships;
CREATE POLICY memberships_delete_admin ON memberships AS RESTRICTIVE FOR DELETE TO dealgraph_app USING (role <> 'ADMIN' OR tenant_id = app.tenant_for('admin'));
DROP POLICY IF EXISTS memberships_delete_scope ON memberships;
CREATE POLICY memberships_delete_scope ON memberships FOR DELETE TO dealgraph_app USING (true);
DROP POLICY IF EXISTS memberships_system ON memberships;
CREATE POLICY memberships_system ON memberships TO dealgraph_system USING (true) WITH CHECK (true);
DROP POLICY IF EXISTS memberships_owner ON memberships;
CREATE POLICY memberships_owner ON memberships TO dealgraph_owner USING (true) WITH CHECK (true);
