-- Leads: read, written and deleted by permission, within the row scope for leads.
CALL app.secure_owned_table('leads', id => 'lead_id', kind => 'leads');
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
