-- Leads: read, written and deleted by permission, within the row scope for leads.
ALTER TABLE leads ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
REVOKE ALL ON leads FROM PUBLIC, dealgraph_app, dealgraph_system;
GRANT SELECT, DELETE ON leads TO dealgraph_app;
GRANT INSERT (
    tenant_id, lead_id, first_name, last_name, name_normalized, email, email_normalized, phone,
    company_name, title, status, unqualified_reason, source, notes, estimated_amount_minor,
    estimated_amount_currency, next_action_at, next_action_details, last_activity_at, owner_id,
    team_path, tags, archived_at, created_at, created_by, updated_at, updated_by, version
) ON leads TO dealgraph_app;
GRANT UPDATE (
    first_name, last_name, name_normalized, email, email_normalized, phone, company_name, title, status,
    unqualified_reason, source, notes, estimated_amount_minor, estimated_amount_currency,
    next_action_at, next_action_details, last_activity_at, owner_id, team_path, tags, archived_at,
    updated_at, updated_by, version
) ON leads TO dealgraph_app;

DROP POLICY IF EXISTS leads_read_tenant ON leads;
CREATE POLICY leads_read_tenant ON leads AS RESTRICTIVE FOR SELECT TO dealgraph_app
    USING (tenant_id = app.tenant_for('leads:read'));
DROP POLICY IF EXISTS leads_read_scope ON leads;
CREATE POLICY leads_read_scope ON leads FOR SELECT TO dealgraph_app
    USING (strpos(visible_to, app.sees('leads')) > 0 OR strpos(visible_to, app.me()) > 0);
DROP POLICY IF EXISTS leads_insert_tenant ON leads;
CREATE POLICY leads_insert_tenant ON leads AS RESTRICTIVE FOR INSERT TO dealgraph_app
    WITH CHECK (tenant_id = app.tenant_for('leads:write'));
DROP POLICY IF EXISTS leads_insert_scope ON leads;
CREATE POLICY leads_insert_scope ON leads FOR INSERT TO dealgraph_app
    WITH CHECK (strpos(visible_to, app.edits('leads')) > 0 OR strpos(visible_to, app.me()) > 0);
DROP POLICY IF EXISTS leads_update_tenant ON leads;
CREATE POLICY leads_update_tenant ON leads AS RESTRICTIVE FOR UPDATE TO dealgraph_app
    USING (tenant_id = app.tenant_for('leads:write'))
    WITH CHECK (tenant_id = app.tenant_for('leads:write'));
DROP POLICY IF EXISTS leads_update_scope ON leads;
CREATE POLICY leads_update_scope ON leads FOR UPDATE TO dealgraph_app
    USING (strpos(visible_to, app.edits('leads')) > 0 OR strpos(visible_to, app.me()) > 0)
    WITH CHECK (strpos(visible_to, app.edits('leads')) > 0 OR strpos(visible_to, app.me()) > 0);
DROP POLICY IF EXISTS leads_delete_tenant ON leads;
CREATE POLICY leads_delete_tenant ON leads AS RESTRICTIVE FOR DELETE TO dealgraph_app
    USING (tenant_id = app.tenant_for('leads:delete'));
DROP POLICY IF EXISTS leads_delete_scope ON leads;
CREATE POLICY leads_delete_scope ON leads FOR DELETE TO dealgraph_app
    USING (strpos(visible_to, app.deletes('leads')) > 0 OR strpos(visible_to, app.me()) > 0);
DROP POLICY IF EXISTS leads_owner ON leads;
CREATE POLICY leads_owner ON leads TO dealgraph_owner USING (true) WITH CHECK (true);

-- Whether an id that somebody was told is none belongs to another tenant is asked afterwards, for both tenants' audit
-- logs. For that the system reads whose an id is, and no other column.
GRANT SELECT (tenant_id, lead_id) ON leads TO dealgraph_system;
DROP POLICY IF EXISTS leads_system ON leads;
CREATE POLICY leads_system ON leads FOR SELECT TO dealgraph_system USING (true);
