-- What other services send. Endpoints are made by who runs the tenant's programs; messages are received, handled and
-- forgotten by the server in the tenant, with that permission and no other.
CALL app.secure_table('inbound_endpoints');
CALL app.permit('inbound_endpoints', 'SELECT', permission => 'integrations:write');
CALL app.permit('inbound_endpoints', 'INSERT', permission => 'integrations:write');
CALL app.permit('inbound_endpoints', 'UPDATE', permission => 'integrations:write');
CALL app.let_system_identify('inbound_endpoints', id => 'inbound_endpoint_id');
GRANT INSERT (
    tenant_id, inbound_endpoint_id, name, name_normalized, verification, handler, lead_form_id, integration_id, signature_header,
    signature_encoding, message_id_header, username, origin, enabled, disabled_reason, rotated_at, former_ends_at, path_hash, secret,
    former_secret, created_at, created_by, updated_at, updated_by, version
) ON inbound_endpoints TO dealgraph_app;
GRANT UPDATE (
    name, name_normalized, handler, lead_form_id, integration_id, signature_header, signature_encoding, message_id_header, username,
    origin, enabled, disabled_reason, rotated_at, former_ends_at, secret, former_secret, updated_at, updated_by, version
) ON inbound_endpoints TO dealgraph_app;

CALL app.secure_table('inbound_messages');
CALL app.permit('inbound_messages', 'SELECT', permission => 'integrations:write');
CALL app.permit('inbound_messages', 'INSERT', permission => 'integrations:write');
CALL app.permit('inbound_messages', 'UPDATE', permission => 'integrations:write');
CALL app.permit('inbound_messages', 'DELETE', permission => 'integrations:write');
CALL app.let_system_identify('inbound_messages', id => 'inbound_message_id');
GRANT INSERT (
    tenant_id, inbound_message_id, inbound_endpoint_id, message_id, content_type, headers, body, size, job_id, received_at
) ON inbound_messages TO dealgraph_app;
-- What was received, stands.
GRANT UPDATE (status, error_code, error_message, job_id, replays, processed_at) ON inbound_messages TO dealgraph_app;
