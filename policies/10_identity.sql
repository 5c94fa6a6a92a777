-- Tenants: a member reads its own tenant, an admin changes the profile; creating one is the system's.
ALTER TABLE tenants ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
REVOKE ALL ON tenants FROM PUBLIC, dealgraph_app, dealgraph_system;
GRANT SELECT ON tenants TO dealgraph_app, dealgraph_system;
GRANT INSERT ON tenants TO dealgraph_system;
DROP POLICY IF EXISTS tenants_read ON tenants;
CREATE POLICY tenants_read ON tenants FOR SELECT TO dealgraph_app USING (tenant_id = app.tenant_id());
DROP POLICY IF EXISTS tenants_system ON tenants;
CREATE POLICY tenants_system ON tenants TO dealgraph_system USING (true) WITH CHECK (true);
DROP POLICY IF EXISTS tenants_owner ON tenants;
CREATE POLICY tenants_owner ON tenants TO dealgraph_owner USING (true) WITH CHECK (true);

-- Users are identities across tenants: no tenant's login reaches them, only sign-in does.
ALTER TABLE users ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
REVOKE ALL ON users FROM PUBLIC, dealgraph_app, dealgraph_system;
GRANT SELECT, INSERT ON users TO dealgraph_system;
DROP POLICY IF EXISTS users_system ON users;
CREATE POLICY users_system ON users TO dealgraph_system USING (true) WITH CHECK (true);
DROP POLICY IF EXISTS users_owner ON users;
CREATE POLICY users_owner ON users TO dealgraph_owner USING (true) WITH CHECK (true);

-- Teams: read with users:read; placed by the system until tenant admins manage them.
ALTER TABLE teams ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
REVOKE ALL ON teams FROM PUBLIC, dealgraph_app, dealgraph_system;
GRANT SELECT ON teams TO dealgraph_app, dealgraph_system;
GRANT INSERT ON teams TO dealgraph_system;
DROP POLICY IF EXISTS teams_read_tenant ON teams;
CREATE POLICY teams_read_tenant ON teams AS RESTRICTIVE FOR SELECT TO dealgraph_app
    USING (tenant_id = app.tenant_for('users:read'));
DROP POLICY IF EXISTS teams_read_scope ON teams;
CREATE POLICY teams_read_scope ON teams FOR SELECT TO dealgraph_app USING (true);
DROP POLICY IF EXISTS teams_system ON teams;
CREATE POLICY teams_system ON teams TO dealgraph_system USING (true) WITH CHECK (true);
DROP POLICY IF EXISTS teams_owner ON teams;
CREATE POLICY teams_owner ON teams TO dealgraph_owner USING (true) WITH CHECK (true);

-- Memberships: colleagues' names are read with users:read; the system resolves a token's person by them.
ALTER TABLE memberships ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
REVOKE ALL ON memberships FROM PUBLIC, dealgraph_app, dealgraph_system;
GRANT SELECT ON memberships TO dealgraph_app, dealgraph_system;
GRANT INSERT ON memberships TO dealgraph_system;
DROP POLICY IF EXISTS memberships_read_tenant ON memberships;
CREATE POLICY memberships_read_tenant ON memberships AS RESTRICTIVE FOR SELECT TO dealgraph_app
    USING (tenant_id = app.tenant_for('users:read'));
DROP POLICY IF EXISTS memberships_read_scope ON memberships;
CREATE POLICY memberships_read_scope ON memberships FOR SELECT TO dealgraph_app USING (true);
DROP POLICY IF EXISTS memberships_system ON memberships;
CREATE POLICY memberships_system ON memberships TO dealgraph_system USING (true) WITH CHECK (true);
DROP POLICY IF EXISTS memberships_owner ON memberships;
CREATE POLICY memberships_owner ON memberships TO dealgraph_owner USING (true) WITH CHECK (true);
