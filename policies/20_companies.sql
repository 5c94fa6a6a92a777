-- Companies: read, written and deleted by permission, within the row scope for companies.
ALTER TABLE companies ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
REVOKE ALL ON companies FROM PUBLIC, dealgraph_app, dealgraph_system;
GRANT SELECT, DELETE ON companies TO dealgraph_app;
GRANT INSERT (
    tenant_id, company_id, name, name_normalized, domain, industry, employee_count,
    annual_revenue_minor, annual_revenue_currency, founded_year, website, phone, address_line, city,
    region, postal_code, country, description, parent_company_id, owner_id, team_path, tags,
    archived_at, created_at, created_by, updated_at, updated_by, version
) ON companies TO dealgraph_app;
GRANT UPDATE (
    name, name_normalized, domain, industry, employee_count, annual_revenue_minor,
    annual_revenue_currency, founded_year, website, phone, address_line, city, region, postal_code,
    country, description, parent_company_id, owner_id, team_path, tags, archived_at, updated_at,
    updated_by, version
) ON companies TO dealgraph_app;

DROP POLICY IF EXISTS companies_read_tenant ON companies;
CREATE POLICY companies_read_tenant ON companies AS RESTRICTIVE FOR SELECT TO dealgraph_app
    USING (tenant_id = app.tenant_for('companies:read'));
DROP POLICY IF EXISTS companies_read_scope ON companies;
CREATE POLICY companies_read_scope ON companies FOR SELECT TO dealgraph_app
    USING (strpos(visible_to, app.sees('companies')) > 0 OR strpos(visible_to, app.me()) > 0);
DROP POLICY IF EXISTS companies_insert_tenant ON companies;
CREATE POLICY companies_insert_tenant ON companies AS RESTRICTIVE FOR INSERT TO dealgraph_app
    WITH CHECK (tenant_id = app.tenant_for('companies:write'));
DROP POLICY IF EXISTS companies_insert_scope ON companies;
CREATE POLICY companies_insert_scope ON companies FOR INSERT TO dealgraph_app
    WITH CHECK (strpos(visible_to, app.edits('companies')) > 0 OR strpos(visible_to, app.me()) > 0);
DROP POLICY IF EXISTS companies_update_tenant ON companies;
CREATE POLICY companies_update_tenant ON companies AS RESTRICTIVE FOR UPDATE TO dealgraph_app
    USING (tenant_id = app.tenant_for('companies:write'))
    WITH CHECK (tenant_id = app.tenant_for('companies:write'));
DROP POLICY IF EXISTS companies_update_scope ON companies;
CREATE POLICY companies_update_scope ON companies FOR UPDATE TO dealgraph_app
    USING (strpos(visible_to, app.edits('companies')) > 0 OR strpos(visible_to, app.me()) > 0)
    WITH CHECK (strpos(visible_to, app.edits('companies')) > 0 OR strpos(visible_to, app.me()) > 0);
DROP POLICY IF EXISTS companies_delete_tenant ON companies;
CREATE POLICY companies_delete_tenant ON companies AS RESTRICTIVE FOR DELETE TO dealgraph_app
    USING (tenant_id = app.tenant_for('companies:delete'));
DROP POLICY IF EXISTS companies_delete_scope ON companies;
CREATE POLICY companies_delete_scope ON companies FOR DELETE TO dealgraph_app
    USING (strpos(visible_to, app.deletes('companies')) > 0 OR strpos(visible_to, app.me()) > 0);
DROP POLICY IF EXISTS companies_owner ON companies;
CREATE POLICY companies_owner ON companies TO dealgraph_owner USING (true) WITH CHECK (true);

-- Whether an id that somebody was told is none belongs to another tenant is asked afterwards, for both tenants' audit
-- logs. For that the system reads whose an id is, and no other column.
GRANT SELECT (tenant_id, company_id) ON companies TO dealgraph_system;
DROP POLICY IF EXISTS companies_system ON companies;
CREATE POLICY companies_system ON companies FOR SELECT TO dealgraph_system USING (true);
