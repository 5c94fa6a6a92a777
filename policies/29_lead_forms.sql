-- Forms by which strangers become leads: made by who runs the tenant's programs. What is posted comes in the server's name,
-- with the permissions that this takes and no others.
CALL app.secure_table('lead_forms');
CALL app.permit('lead_forms', 'SELECT', permission => 'integrations:write');
CALL app.permit('lead_forms', 'INSERT', permission => 'integrations:write');
CALL app.permit('lead_forms', 'UPDATE', permission => 'integrations:write');
-- A form makes leads of whoever it says, and adds to all that are open.
CREATE POLICY lead_forms_insert_leads ON lead_forms AS RESTRICTIVE FOR INSERT TO dealgraph_app
    WITH CHECK (tenant_id = app.tenant_for('leads:write') AND app.edits('leads') = '|');
CREATE POLICY lead_forms_update_leads ON lead_forms AS RESTRICTIVE FOR UPDATE TO dealgraph_app
    USING (tenant_id = app.tenant_for('leads:write') AND app.edits('leads') = '|')
    WITH CHECK (tenant_id = app.tenant_for('leads:write') AND app.edits('leads') = '|');
CALL app.let_system_identify('lead_forms', id => 'lead_form_id');
GRANT INSERT (
    tenant_id, lead_form_id, name, name_normalized, enabled, allowed_origins, mapping, source, tags, owner_id, duplicates,
    consent_text, consent_version, consent_field, honeypot, thanks_url, captcha_url, captcha_field, captcha_secret,
    created_at, created_by, updated_at, updated_by, version
) ON lead_forms TO dealgraph_app;
GRANT UPDATE (
    name, name_normalized, enabled, allowed_origins, mapping, source, tags, owner_id, duplicates, consent_text,
    consent_version, consent_field, honeypot, thanks_url, captcha_url, captcha_field, captcha_secret, updated_at,
    updated_by, version
) ON lead_forms TO dealgraph_app;

-- What was submitted, stands; what came to nothing is forgotten after some days.
CALL app.secure_table('lead_form_submissions');
CALL app.permit('lead_form_submissions', 'SELECT', permission => 'integrations:write');
CALL app.permit('lead_form_submissions', 'INSERT', permission => 'integrations:write');
CALL app.permit('lead_form_submissions', 'DELETE', permission => 'integrations:write',
                scope => 'outcome IN (''SPAM'', ''REFUSED'')');
CALL app.let_system_identify('lead_form_submissions', id => 'lead_form_submission_id');
GRANT INSERT (
    tenant_id, lead_form_submission_id, lead_form_id, outcome, reason_code, reason_field, lead_id, consent_text,
    consent_version, page_url, address, extra, submitted_at
) ON lead_form_submissions TO dealgraph_app;
