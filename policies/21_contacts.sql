-- Contacts: read, written and deleted by permission, within the row scope for contacts.
CALL app.secure_owned_table('contacts', id => 'contact_id', kind => 'contacts');
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

-- Contact methods follow the contact; who may write it may also delete its methods.
CALL app.secure_part_table('contact_methods', kind => 'contacts');
CALL app.let_system_identify('contact_methods', id => 'contact_method_id');
GRANT INSERT (
    tenant_id, contact_method_id, contact_id, kind, value, value_normalized, label, preferred,
    opted_out_at, position, visible_to
) ON contact_methods TO dealgraph_app;
GRANT UPDATE (
    kind, value, value_normalized, label, preferred, opted_out_at, position, visible_to
) ON contact_methods TO dealgraph_app;
