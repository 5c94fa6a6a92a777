-- The audit log: writers append in their own name along with what they change, the system appends what happens before anybody is in,
-- holders of audit:read read. Nobody changes or deletes a row, not even by a grant.
ALTER TABLE audit_log ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
REVOKE ALL ON audit_log FROM PUBLIC, dealgraph_app, dealgraph_system;
GRANT SELECT ON audit_log TO dealgraph_app, dealgraph_system;
GRANT INSERT ON audit_log TO dealgraph_app, dealgraph_system;
DROP POLICY IF EXISTS audit_log_read_tenant ON audit_log;
CREATE POLICY audit_log_read_tenant ON audit_log AS RESTRICTIVE FOR SELECT TO dealgraph_app
    USING (tenant_id = app.tenant_for('audit:read'));
DROP POLICY IF EXISTS audit_log_read_scope ON audit_log;
CREATE POLICY audit_log_read_scope ON audit_log FOR SELECT TO dealgraph_app USING (true);
DROP POLICY IF EXISTS audit_log_append_tenant ON audit_log;
CREATE POLICY audit_log_append_tenant ON audit_log AS RESTRICTIVE FOR INSERT TO dealgraph_app
    WITH CHECK (tenant_id = app.tenant_for_writers());
DROP POLICY IF EXISTS audit_log_append_scope ON audit_log;
CREATE POLICY audit_log_append_scope ON audit_log FOR INSERT TO dealgraph_app WITH CHECK (actor = app.author());
DROP POLICY IF EXISTS audit_log_read_system ON audit_log;
CREATE POLICY audit_log_read_system ON audit_log FOR SELECT TO dealgraph_system USING (true);
DROP POLICY IF EXISTS audit_log_append_system ON audit_log;
CREATE POLICY audit_log_append_system ON audit_log FOR INSERT TO dealgraph_system WITH CHECK (true);
DROP POLICY IF EXISTS audit_log_owner ON audit_log;
CREATE POLICY audit_log_owner ON audit_log TO dealgraph_owner USING (true) WITH CHECK (true);
