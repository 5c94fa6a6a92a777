-- The event counter: any writer of a tenant moves it, and only upwards by the door in src/db. While a tenant is
-- suspended or about to be deleted it stands still for all but the system, and with it every write.
ALTER TABLE tenant_seq ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
REVOKE ALL ON tenant_seq FROM PUBLIC, dealgraph_app, dealgraph_system;
GRANT SELECT ON tenant_seq TO dealgraph_app, dealgraph_system;
GRANT UPDATE (last_seq, last_audit, audit_hash) ON tenant_seq TO dealgraph_app, dealgraph_system;
GRANT UPDATE (open) ON tenant_seq TO dealgraph_system;
GRANT INSERT ON tenant_seq TO dealgraph_system;
DROP POLICY IF EXISTS tenant_seq_tenant ON tenant_seq;
CREATE POLICY tenant_seq_tenant ON tenant_seq TO dealgraph_app
    USING (tenant_id = app.tenant_for_writers() AND open) WITH CHECK (tenant_id = app.tenant_for_writers());
DROP POLICY IF EXISTS tenant_seq_system ON tenant_seq;
CREATE POLICY tenant_seq_system ON tenant_seq TO dealgraph_system USING (true) WITH CHECK (true);
DROP POLICY IF EXISTS tenant_seq_owner ON tenant_seq;
CREATE POLICY tenant_seq_owner ON tenant_seq TO dealgraph_owner USING (true) WITH CHECK (true);

-- The event log: writers append, nobody changes or deletes. Reading is the system's, because an event
-- carries what some of the tenant may not see; the hub applies the same rule as the policies in memory.
ALTER TABLE events ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
REVOKE ALL ON events FROM PUBLIC, dealgraph_app, dealgraph_system;
GRANT INSERT ON events TO dealgraph_app;
GRANT SELECT, INSERT ON events TO dealgraph_system;
DROP POLICY IF EXISTS events_append ON events;
CREATE POLICY events_append ON events FOR INSERT TO dealgraph_app
    WITH CHECK (tenant_id = app.tenant_for_writers());
DROP POLICY IF EXISTS events_system ON events;
CREATE POLICY events_system ON events FOR SELECT TO dealgraph_system USING (true);
-- Becoming a member is told too, and happens before there is an actor.
DROP POLICY IF EXISTS events_append_system ON events;
CREATE POLICY events_append_system ON events FOR INSERT TO dealgraph_system WITH CHECK (true);
DROP POLICY IF EXISTS events_owner ON events;
CREATE POLICY events_owner ON events TO dealgraph_owner USING (true) WITH CHECK (true);
