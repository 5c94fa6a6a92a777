-- The audit log: writers append in their own name along with what they change, the system appends what happens before
-- there is an actor, holders of audit:read read. Nobody changes or deletes a row, not even by a grant.
CALL app.secure_table('audit_log');
CALL app.permit('audit_log', 'SELECT', permission => 'audit:read');
CREATE POLICY audit_log_append_tenant ON audit_log AS RESTRICTIVE FOR INSERT TO dealgraph_app
    WITH CHECK (tenant_id = app.tenant_for_writers());
CREATE POLICY audit_log_append_scope ON audit_log FOR INSERT TO dealgraph_app WITH CHECK (actor = app.author());
CREATE POLICY audit_log_read_system ON audit_log FOR SELECT TO dealgraph_system USING (true);
CREATE POLICY audit_log_append_system ON audit_log FOR INSERT TO dealgraph_system WITH CHECK (true);
GRANT INSERT ON audit_log TO dealgraph_app;
GRANT SELECT, INSERT ON audit_log TO dealgraph_system;
