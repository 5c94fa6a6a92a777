-- Contacts: read, written and deleted by permission, within the row scope for contacts.
ALTER TABLE contacts ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
REVOKE ALL ON contacts FROM PUBLIC, dealgraph_app, dealgraph_system;
GRANT SELECT, DELETE ON contacts TO dealgraph_app;
GRANT INSERT (
    tenant_id, contact_id, first_name, last_name, name_normalized, job_title, department, company_id,
    reports_to_id, owner_id, team_path, warmness_score, last_contacted_at, email_normalized, tags,
    archived_at, created_at, created_by, updated_at, updated_by, version
) ON contacts TO dealgraph_app;
GRANT UPDATE (
    first_name, last_name, name_normalized, job_title, department, company_id, reports_to_id, owner_id,
    team_path, warmness_score, last_contacted_at, email_normalized, tags, archived_at, updated_at,
    updated_by, version
) ON contacts TO dealgraph_app;

DROP POLICY IF EXISTS contacts_read_tenant ON contacts;
CREATE POLICY contacts_read_tenant ON contacts AS RESTRICTIVE FOR SELECT TO dealgraph_app
    USING (tenant_id = app.tenant_for('contacts:read'));
DROP POLICY IF EXISTS contacts_read_scope ON contacts;
CREATE POLICY contacts_read_scope ON contacts FOR SELECT TO dealgraph_app
    USING (strpos(visible_to, app.sees('contacts')) > 0 OR strpos(visible_to, app.me()) > 0);
DROP POLICY IF EXISTS contacts_insert_tenant ON contacts;
CREATE POLICY contacts_insert_tenant ON contacts AS RESTRICTIVE FOR INSERT TO dealgraph_app
    WITH CHECK (tenant_id = app.tenant_for('contacts:write'));
DROP POLICY IF EXISTS contacts_insert_scope ON contacts;
CREATE POLICY contacts_insert_scope ON contacts FOR INSERT TO dealgraph_app
    WITH CHECK (strpos(visible_to, app.edits('contacts')) > 0 OR strpos(visible_to, app.me()) > 0);
DROP POLICY IF EXISTS contacts_update_tenant ON contacts;
CREATE POLICY contacts_update_tenant ON contacts AS RESTRICTIVE FOR UPDATE TO dealgraph_app
    USING (tenant_id = app.tenant_for('contacts:write'))
    WITH CHECK (tenant_id = app.tenant_for('contacts:write'));
DROP POLICY IF EXISTS contacts_update_scope ON contacts;
CREATE POLICY contacts_update_scope ON contacts FOR UPDATE TO dealgraph_app
    USING (strpos(visible_to, app.edits('contacts')) > 0 OR strpos(visible_to, app.me()) > 0)
    WITH CHECK (strpos(visible_to, app.edits('contacts')) > 0 OR strpos(visible_to, app.me()) > 0);
DROP POLICY IF EXISTS contacts_delete_tenant ON contacts;
CREATE POLICY contacts_delete_tenant ON contacts AS RESTRICTIVE FOR DELETE TO dealgraph_app
    USING (tenant_id = app.tenant_for('contacts:delete'));
DROP POLICY IF EXISTS contacts_delete_scope ON contacts;
CREATE POLICY contacts_delete_scope ON contacts FOR DELETE TO dealgraph_app
    USING (strpos(visible_to, app.deletes('contacts')) > 0 OR strpos(visible_to, app.me()) > 0);
DROP POLICY IF EXISTS contacts_owner ON contacts;
CREATE POLICY contacts_owner ON contacts TO dealgraph_owner USING (true) WITH CHECK (true);

-- Ways to reach a contact follow the contact; whoever may write it may take one away.
ALTER TABLE contact_methods ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
REVOKE ALL ON contact_methods FROM PUBLIC, dealgraph_app, dealgraph_system;
GRANT SELECT, DELETE ON contact_methods TO dealgraph_app;
GRANT INSERT (
    tenant_id, contact_method_id, contact_id, kind, value, value_normalized, label, preferred,
    opted_out_at, position, visible_to
) ON contact_methods TO dealgraph_app;
GRANT UPDATE (
    kind, value, value_normalized, label, preferred, opted_out_at, position, visible_to
) ON contact_methods TO dealgraph_app;

DROP POLICY IF EXISTS contact_methods_read_tenant ON contact_methods;
CREATE POLICY contact_methods_read_tenant ON contact_methods AS RESTRICTIVE FOR SELECT TO dealgraph_app
    USING (tenant_id = app.tenant_for('contacts:read'));
DROP POLICY IF EXISTS contact_methods_read_scope ON contact_methods;
CREATE POLICY contact_methods_read_scope ON contact_methods FOR SELECT TO dealgraph_app
    USING (strpos(visible_to, app.sees('contacts')) > 0 OR strpos(visible_to, app.me()) > 0);
DROP POLICY IF EXISTS contact_methods_insert_tenant ON contact_methods;
CREATE POLICY contact_methods_insert_tenant ON contact_methods AS RESTRICTIVE FOR INSERT TO dealgraph_app
    WITH CHECK (tenant_id = app.tenant_for('contacts:write'));
DROP POLICY IF EXISTS contact_methods_insert_scope ON contact_methods;
CREATE POLICY contact_methods_insert_scope ON contact_methods FOR INSERT TO dealgraph_app
    WITH CHECK (strpos(visible_to, app.edits('contacts')) > 0 OR strpos(visible_to, app.me()) > 0);
DROP POLICY IF EXISTS contact_methods_update_tenant ON contact_methods;
CREATE POLICY contact_methods_update_tenant ON contact_methods AS RESTRICTIVE FOR UPDATE TO dealgraph_app
    USING (tenant_id = app.tenant_for('contacts:write'))
    WITH CHECK (tenant_id = app.tenant_for('contacts:write'));
DROP POLICY IF EXISTS contact_methods_update_scope ON contact_methods;
CREATE POLICY contact_methods_update_scope ON contact_methods FOR UPDATE TO dealgraph_app
    USING (strpos(visible_to, app.edits('contacts')) > 0 OR strpos(visible_to, app.me()) > 0)
    WITH CHECK (strpos(visible_to, app.edits('contacts')) > 0 OR strpos(visible_to, app.me()) > 0);
DROP POLICY IF EXISTS contact_methods_delete_tenant ON contact_methods;
CREATE POLICY contact_methods_delete_tenant ON contact_methods AS RESTRICTIVE FOR DELETE TO dealgraph_app
    USING (tenant_id = app.tenant_for('contacts:write'));
DROP POLICY IF EXISTS contact_methods_delete_scope ON contact_methods;
CREATE POLICY contact_methods_delete_scope ON contact_methods FOR DELETE TO dealgraph_app
    USING (strpos(visible_to, app.edits('contacts')) > 0 OR strpos(visible_to, app.me()) > 0);
DROP POLICY IF EXISTS contact_methods_owner ON contact_methods;
CREATE POLICY contact_methods_owner ON contact_methods TO dealgraph_owner USING (true) WITH CHECK (true);

-- Whether an id that somebody was told is none belongs to another tenant is asked afterwards, for both tenants' audit
-- logs. For that the system reads whose an id is, and no other column.
GRANT SELECT (tenant_id, contact_id) ON contacts TO dealgraph_system;
DROP POLICY IF EXISTS contacts_system ON contacts;
CREATE POLICY contacts_system ON contacts FOR SELECT TO dealgraph_system USING (true);
GRANT SELECT (tenant_id, contact_method_id) ON contact_methods TO dealgraph_system;
DROP POLICY IF EXISTS contact_methods_system ON contact_methods;
CREATE POLICY contact_methods_system ON contact_methods FOR SELECT TO dealgraph_system USING (true);
