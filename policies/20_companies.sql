-- Companies: read, written and deleted by permission, within the row scope for companies.
CALL app.secure_owned_table('companies', id => 'company_id', kind => 'companies');
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
