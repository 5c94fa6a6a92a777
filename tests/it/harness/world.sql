-- One tenant of the world, run once per side. The functions in pg_temp come from factory.rs:
-- id(kind, n) makes ids, mark(table) is empty for A and the canary for B, owner(n) and path(n) give rows their owners.
-- Of each owned table there are four rows: 1 the rep's, 2 the manager's, 3 the other rep's, 4 nobody's.
-- Row 1 has the same natural keys on both sides; the others of B carry the canary in what all records show.

INSERT INTO tenants (tenant_id, slug, name, base_currency, created_at, updated_at)
VALUES (pg_temp.id('tenant', 1), 'side-' || pg_temp.marker(), 'Twin' || pg_temp.mark('tenants'), 'EUR', pg_temp.at(0), pg_temp.at(0));

INSERT INTO users (user_id, email, email_normalized, name, created_at)
SELECT pg_temp.member(n), e, e, 'Person ' || n || pg_temp.mark('users'), pg_temp.at(0)
FROM unnest(ARRAY[1, 2, 3, 4, 5, 6, 7, 9, 10]) n, LATERAL (SELECT 'person' || n || '@' || pg_temp.marker() || '.example') m(e);
INSERT INTO users (user_id, email, email_normalized, name, created_at)
VALUES (pg_temp.member(8), 'both@dealgraph.example', 'both@dealgraph.example', 'Person 8', pg_temp.at(0))
ON CONFLICT DO NOTHING;

INSERT INTO teams (tenant_id, team_id, name, parent_team_id, path, created_at) VALUES
    (pg_temp.id('tenant', 1), pg_temp.id('team', 1), 'West' || pg_temp.mark('teams'), NULL, pg_temp.segment(1), pg_temp.at(0)),
    (pg_temp.id('tenant', 1), pg_temp.id('team', 2), 'North' || pg_temp.mark('teams'), pg_temp.id('team', 1), pg_temp.segment(1) || pg_temp.segment(2), pg_temp.at(0)),
    (pg_temp.id('tenant', 1), pg_temp.id('team', 3), 'East' || pg_temp.mark('teams'), NULL, pg_temp.segment(3), pg_temp.at(0));

INSERT INTO roles (tenant_id, role_id, name, name_normalized, permissions, masks, created_at, created_by, updated_at, updated_by)
SELECT pg_temp.id('tenant', 1), pg_temp.id('role', n), name, lower(name), permissions, masks, pg_temp.at(n), pg_temp.author('roles'),
       pg_temp.at(n), pg_temp.author('roles')
FROM (VALUES
    (1, 'Closer', ARRAY['companies:read:all', 'contacts:read:all', 'contacts:write:own', 'opportunities:read:team',
                        'opportunities:write:own', 'opportunities:delete:own', 'activities:read:team', 'activities:write:own',
                        'users:read'], ARRAY['emails', 'phones']),
    (2, 'Auditor', ARRAY['companies:read:all', 'opportunities:read:all', 'users:read', 'audit:read', 'integrations:write'], ARRAY['amounts'])
) AS r (n, short, permissions, masks), LATERAL (SELECT short || pg_temp.mark('roles')) m(name);

INSERT INTO memberships (tenant_id, user_id, email, name, name_normalized, role, role_id, team_id, team_path, status, created_at)
SELECT pg_temp.id('tenant', 1), pg_temp.member(n), u.email, full_name, lower(full_name), role,
       CASE role WHEN 'CUSTOM' THEN pg_temp.id('role', n - 8) END, t.team_id, t.path, status, pg_temp.at(n)
FROM (VALUES
    (1, 'ADMIN', NULL, 'ACTIVE'),
    (2, 'MANAGER', 1, 'ACTIVE'),
    (3, 'SALES_REP', 2, 'ACTIVE'),
    (4, 'SALES_REP', 3, 'ACTIVE'),
    (5, 'ANALYST', NULL, 'ACTIVE'),
    (6, 'VIEWER', NULL, 'ACTIVE'),
    (7, 'SALES_REP', 3, 'SUSPENDED'),
    (8, CASE pg_temp.marker() WHEN 'a0a0' THEN 'MANAGER' ELSE 'VIEWER' END, CASE pg_temp.marker() WHEN 'a0a0' THEN 1 END, 'ACTIVE'),
    (9, 'CUSTOM', 1, 'ACTIVE'),
    (10, 'CUSTOM', NULL, 'ACTIVE')
) AS m (n, role, team, status)
CROSS JOIN LATERAL (SELECT 'Person ' || n || pg_temp.mark('memberships')) f (full_name)
JOIN users u ON u.user_id = pg_temp.member(n)
LEFT JOIN teams t ON t.tenant_id = pg_temp.id('tenant', 1) AND t.team_id = pg_temp.id('team', team);

INSERT INTO companies (tenant_id, company_id, name, name_normalized, domain, industry, country, description,
                       parent_company_id, owner_id, team_path, tags, created_at, created_by, updated_at, updated_by)
SELECT pg_temp.id('tenant', 1), pg_temp.id('company', n), name, lower(name), 'company' || n || '.example', 'software', 'Norway',
       'Kept apart' || pg_temp.mark('companies'), CASE n WHEN 2 THEN pg_temp.id('company', 1) END, pg_temp.owner(n), pg_temp.path(n),
       '{}', pg_temp.at(n), pg_temp.author('companies'), pg_temp.at(n), pg_temp.author('companies')
FROM generate_series(1, 4) n, LATERAL (SELECT 'Company ' || n || pg_temp.mark('companies', n)) m(name);

INSERT INTO contacts (tenant_id, contact_id, first_name, last_name, name_normalized, job_title, company_id, reports_to_id, owner_id,
                      team_path, email_normalized, created_at, created_by, updated_at, updated_by)
SELECT pg_temp.id('tenant', 1), pg_temp.id('contact', n), 'Contact', name, lower(name) || ' contact', 'Buyer' || pg_temp.mark('contacts'),
       pg_temp.id('company', n), CASE n WHEN 2 THEN pg_temp.id('contact', 1) END, pg_temp.owner(n), pg_temp.path(n),
       'contact' || n || '@shared.example', pg_temp.at(n), pg_temp.author('contacts'), pg_temp.at(n), pg_temp.author('contacts')
FROM generate_series(1, 4) n, LATERAL (SELECT n || pg_temp.mark('contacts', n)) m(name);

INSERT INTO contact_methods (tenant_id, contact_method_id, contact_id, kind, value, value_normalized, label, preferred, position, visible_to)
SELECT tenant_id, pg_temp.id('contactMethod', n), contact_id, 'EMAIL', email_normalized, email_normalized,
       'work' || pg_temp.mark('contact_methods'), true, 0, visible_to
FROM generate_series(1, 4) n JOIN contacts ON contact_id = pg_temp.id('contact', n);

INSERT INTO leads (tenant_id, lead_id, first_name, last_name, name_normalized, email, email_normalized, source, notes, owner_id,
                   team_path, created_at, created_by, updated_at, updated_by)
SELECT pg_temp.id('tenant', 1), pg_temp.id('lead', n), 'Lead', name, lower(name) || ' lead', e, e, 'web',
       'Met at a fair' || pg_temp.mark('leads'), pg_temp.owner(n), pg_temp.path(n),
       pg_temp.at(n), pg_temp.author('leads'), pg_temp.at(n), pg_temp.author('leads')
FROM generate_series(1, 4) n,
     LATERAL (SELECT n || pg_temp.mark('leads', n), 'lead' || n || '@shared.example') m(name, e);

INSERT INTO pipelines (tenant_id, pipeline_id, name, position, preferred, created_at, created_by, updated_at, updated_by)
SELECT pg_temp.id('tenant', 1), pg_temp.id('pipeline', n), 'Pipeline ' || n || pg_temp.mark('pipelines', n), n, n = 1,
       pg_temp.at(n), pg_temp.author('pipelines'), pg_temp.at(n), pg_temp.author('pipelines')
FROM generate_series(1, 2) n;

INSERT INTO stages (tenant_id, stage_id, pipeline_id, name, position, kind, probability)
SELECT pg_temp.id('tenant', 1), pg_temp.id('stage', (p - 1) * 3 + s), pg_temp.id('pipeline', p),
       initcap(kind) || pg_temp.mark('stages'), s, kind, 50 * (s - 1)
FROM generate_series(1, 2) p, (VALUES (1, 'LOST'), (2, 'OPEN'), (3, 'WON')) k (s, kind);

-- 5 is the other rep's and shared with the rep.
INSERT INTO opportunities (tenant_id, opportunity_id, name, name_normalized, pipeline_id, stage_id, stage_entered_at, status,
                           board_position, amount_minor, amount_currency, probability, company_id, primary_contact_id,
                           next_action_at, next_action_kind, next_action_details, next_action_owner_id, owner_id, team_path, shared_with,
                           created_at, created_by, updated_at, updated_by)
SELECT pg_temp.id('tenant', 1), pg_temp.id('opportunity', n), name, lower(name), pg_temp.id('pipeline', 1), pg_temp.id('stage', 2),
       pg_temp.at(n), 'OPEN', 'a' || n, n * 1000, 'EUR', 50, pg_temp.id('company', least(n, 4)), pg_temp.id('contact', least(n, 4)),
       pg_temp.at(n), 'CALL', 'Call back' || pg_temp.mark('opportunities'), pg_temp.owner(n), pg_temp.owner(n), pg_temp.path(n),
       CASE n WHEN 5 THEN 'u:' || pg_temp.member(3) || '|' ELSE '' END,
       pg_temp.at(n), pg_temp.author('opportunities'), pg_temp.at(n), pg_temp.author('opportunities')
FROM generate_series(1, 5) n, LATERAL (SELECT 'Deal ' || n || pg_temp.mark('opportunities', n)) m(name);

INSERT INTO opportunity_contacts (tenant_id, opportunity_id, contact_id, role, visible_to, created_at)
SELECT tenant_id, opportunity_id, primary_contact_id, 'decides' || pg_temp.mark('opportunity_contacts'), visible_to, created_at
FROM opportunities WHERE tenant_id = pg_temp.id('tenant', 1);

INSERT INTO opportunity_users (tenant_id, opportunity_id, user_id, role, visible_to, created_at)
SELECT tenant_id, opportunity_id, pg_temp.member(3), 'helps' || pg_temp.mark('opportunity_users'), visible_to, created_at
FROM opportunities WHERE tenant_id = pg_temp.id('tenant', 1);

INSERT INTO opportunity_stage_history (tenant_id, stage_change_id, opportunity_id, to_stage_id, to_status, probability, changed_at, changed_by, visible_to)
SELECT tenant_id, pg_temp.id('stageChange', n), opportunity_id, stage_id, status, probability, created_at,
       pg_temp.author('opportunity_stage_history'), visible_to
FROM generate_series(1, 5) n JOIN opportunities ON opportunity_id = pg_temp.id('opportunity', n);

-- 1 to 4 are about a company, a contact, a lead and a deal of the same owner.
INSERT INTO activities (tenant_id, activity_id, kind, subject, body, status, done_at, occurred_at, owner_id, team_path,
                        targets_visible_to, created_at, created_by, updated_at, updated_by)
SELECT pg_temp.id('tenant', 1), pg_temp.id('activity', n), 'CALL', 'Call ' || n || pg_temp.mark('activities', n),
       'Spoke' || pg_temp.mark('activities'), 'DONE', pg_temp.at(n), pg_temp.at(n), pg_temp.owner(n), pg_temp.path(n),
       pg_temp.place(n), pg_temp.at(n), pg_temp.author('activities'), pg_temp.at(n), pg_temp.author('activities')
FROM generate_series(1, 4) n;

INSERT INTO activity_targets (tenant_id, activity_id, company_id, contact_id, lead_id, opportunity_id, occurred_at, target_visible_to, visible_to)
SELECT tenant_id, activity_id,
       CASE n WHEN 1 THEN pg_temp.id('company', n) END, CASE n WHEN 2 THEN pg_temp.id('contact', n) END,
       CASE n WHEN 3 THEN pg_temp.id('lead', n) END, CASE n WHEN 4 THEN pg_temp.id('opportunity', n) END,
       occurred_at, pg_temp.place(n), visible_to
FROM generate_series(1, 4) n JOIN activities ON activity_id = pg_temp.id('activity', n);

INSERT INTO products (tenant_id, product_id, name, name_normalized, code, code_normalized, unit_price_minor, unit_price_currency,
                      description, created_at, created_by, updated_at, updated_by)
SELECT pg_temp.id('tenant', 1), pg_temp.id('product', n), name, lower(name), 'P-' || n, 'p-' || n, n * 1000, 'EUR',
       'Kept apart' || pg_temp.mark('products'), pg_temp.at(n), pg_temp.author('products'), pg_temp.at(n), pg_temp.author('products')
FROM generate_series(1, 4) n, LATERAL (SELECT 'Product ' || n || pg_temp.mark('products', n)) m(name);

INSERT INTO tenant_seq (tenant_id, last_seq, epoch) VALUES (pg_temp.id('tenant', 1), 1, pg_temp.id('tenant', 2));

INSERT INTO idempotency_keys (tenant_id, author, key_hash, request_hash, claim, claimed_until, claimed_at)
VALUES (pg_temp.id('tenant', 1), 'user:' || pg_temp.member(1), '', '', pg_temp.id('tenant', 1), pg_temp.at(0), pg_temp.at(0));

INSERT INTO job_queues (tenant_id, due_at) VALUES (pg_temp.id('tenant', 1), 'infinity');

INSERT INTO jobs (tenant_id, job_id, kind, arguments, due_at, author, visible_to, request_id, created_at)
VALUES (pg_temp.id('tenant', 1), pg_temp.id('job', 1), 'kept' || pg_temp.mark('jobs'), '{}', '2200-01-01', pg_temp.author('jobs'),
        '|u:' || pg_temp.member(1) || '|', 'arranged', pg_temp.at(0));

INSERT INTO job_schedules (tenant_id, schedule_id, name, kind, arguments, cron, time_zone, missed, author, visible_to, created_at)
VALUES (pg_temp.id('tenant', 1), pg_temp.id('job', 2), 'kept' || pg_temp.mark('job_schedules'), 'kept', '{}', '0 9 * * *', 'UTC',
        'SKIP', pg_temp.author('job_schedules'), '|u:' || pg_temp.member(1) || '|', pg_temp.at(0));

-- Nobody follows the log by these: no server has a handler of the kind, and the mark is past all events.
INSERT INTO event_consumers (tenant_id, kind, instance, seq)
VALUES (pg_temp.id('tenant', 1), 'kept' || pg_temp.mark('event_consumers'), pg_temp.id('job', 3), 9000000000000000);

INSERT INTO webhook_endpoints (tenant_id, webhook_endpoint_id, name, name_normalized, url, subscriptions, api_version, runs_as, secret,
                               hint, created_at, created_by)
SELECT pg_temp.id('tenant', 1), pg_temp.id('webhookEndpoint', 1), name, lower(name), 'https://hooks.example/' || pg_temp.marker(), '[]',
       '2026-11', pg_temp.author('webhook_endpoints'), '', '…none', pg_temp.at(0), pg_temp.author('webhook_endpoints')
FROM (SELECT 'Hook' || pg_temp.mark('webhook_endpoints')) m(name);

INSERT INTO webhook_endpoint_health (tenant_id, webhook_endpoint_id, error_code)
VALUES (pg_temp.id('tenant', 1), pg_temp.id('webhookEndpoint', 1), 'kept' || pg_temp.mark('webhook_endpoint_health'));

INSERT INTO webhook_deliveries (tenant_id, webhook_delivery_id, webhook_endpoint_id, attempts, body, runs_as, created_at, due_at)
VALUES (pg_temp.id('tenant', 1), pg_temp.id('webhookDelivery', 1), pg_temp.id('webhookEndpoint', 1), 1,
        '{"type": "ping", "data": "' || pg_temp.mark('webhook_deliveries') || '"}',
        pg_temp.author('webhook_endpoints'), pg_temp.at(0), '2200-01-01');

INSERT INTO webhook_attempts (tenant_id, webhook_delivery_id, attempt, started_at, outcome, response_status, took_ms, response)
VALUES (pg_temp.id('tenant', 1), pg_temp.id('webhookDelivery', 1), 1, pg_temp.at(0), 'DELIVERED', 200, 12,
        'received' || pg_temp.mark('webhook_attempts'));

INSERT INTO events (tenant_id, seq, kind, entity, entity_id, version, record, visible_after, actor, request_id, occurred_at)
VALUES (pg_temp.id('tenant', 1), 1, 'CREATED', 'company', pg_temp.id('company', 1), 1, '{}', '|', 'user:' || pg_temp.member(1),
        'arranged' || pg_temp.mark('events'), pg_temp.at(0));

INSERT INTO invitations (tenant_id, invitation_id, email, email_normalized, role, secret_hash, sent_at, expires_at, created_at, created_by)
SELECT pg_temp.id('tenant', 1), pg_temp.id('invitation', 1), e, lower(e), 'VIEWER', '', pg_temp.at(0), pg_temp.at(0), pg_temp.at(0),
       pg_temp.author('invitations')
FROM (SELECT 'guest@' || pg_temp.marker() || '.example') m(e);

INSERT INTO api_keys (tenant_id, api_key_id, name, name_normalized, hint, secret_hash, role, created_at, created_by)
SELECT pg_temp.id('tenant', 1), pg_temp.id('apiKey', 1), name, lower(name), 'dgk_none', '', 'VIEWER', pg_temp.at(0), pg_temp.author('api_keys')
FROM (SELECT 'Key' || pg_temp.mark('api_keys')) m(name);

INSERT INTO inbound_endpoints (tenant_id, inbound_endpoint_id, name, name_normalized, verification, handler, enabled, secret,
                               created_at, created_by, updated_at, updated_by)
SELECT pg_temp.id('tenant', 1), pg_temp.id('inboundEndpoint', 1), name, lower(name), 'STANDARD_WEBHOOKS', 'STORE_ONLY', true, '',
       pg_temp.at(0), pg_temp.author('inbound_endpoints'), pg_temp.at(0), pg_temp.author('inbound_endpoints')
FROM (SELECT 'Endpoint' || pg_temp.mark('inbound_endpoints')) m(name);

INSERT INTO inbound_messages (tenant_id, inbound_message_id, inbound_endpoint_id, message_id, status, headers, body, size, received_at,
                              processed_at)
SELECT pg_temp.id('tenant', 1), pg_temp.id('inboundMessage', 1), pg_temp.id('inboundEndpoint', 1), text, 'PROCESSED', '{}',
       convert_to(text, 'UTF8'), length(text), pg_temp.at(0), pg_temp.at(0)
FROM (SELECT 'kept' || pg_temp.mark('inbound_messages')) m(text);

-- Of a service that has nothing, so that nothing begins to be kept in step by itself.
INSERT INTO integrations (tenant_id, integration_id, provider, name, name_normalized, visible_to, status, status_since,
                          external_account, sync_every_minutes, runs_as, created_at, created_by, updated_at, updated_by)
SELECT pg_temp.id('tenant', 1), pg_temp.id('integration', 1), 'plain', name, lower(name), '|', 'ACTIVE', pg_temp.at(0), 'plain', 60,
       pg_temp.author('integrations'), pg_temp.at(0), pg_temp.author('integrations'), pg_temp.at(0),
       pg_temp.author('integrations')
FROM (SELECT 'Account' || pg_temp.mark('integrations')) m(name);

INSERT INTO integration_streams (tenant_id, integration_id, kind, visible_to, error_message)
VALUES (pg_temp.id('tenant', 1), pg_temp.id('integration', 1), 'people', '|', 'kept' || pg_temp.mark('integration_streams'));

INSERT INTO sync_runs (tenant_id, sync_run_id, integration_id, kind, visible_to, mode, trigger, status, may_remove, error_message,
                       started_at, ended_at)
VALUES (pg_temp.id('tenant', 1), pg_temp.id('syncRun', 1), pg_temp.id('integration', 1), 'people', '|', 'FULL', 'REQUEST', 'FAILED',
        false, 'kept' || pg_temp.mark('sync_runs'), pg_temp.at(0), pg_temp.at(0));

INSERT INTO external_links (tenant_id, integration_id, kind, external_id, record_id, visible_to, is_created, hash, created_at)
VALUES (pg_temp.id('tenant', 1), pg_temp.id('integration', 1), 'people', 'kept' || pg_temp.mark('external_links'),
        pg_temp.id('company', 1), '|', false, '', pg_temp.at(0));

INSERT INTO lead_forms (tenant_id, lead_form_id, name, name_normalized, enabled, allowed_origins, mapping, tags, duplicates, created_at,
                        created_by, updated_at, updated_by)
SELECT pg_temp.id('tenant', 1), pg_temp.id('leadForm', 1), name, lower(name), true, '{}',
       '[{"name": "name", "target": "FULL_NAME", "required": true, "max_length": null}]', '{}', 'CREATE', pg_temp.at(0),
       pg_temp.author('lead_forms'), pg_temp.at(0), pg_temp.author('lead_forms')
FROM (SELECT 'Form' || pg_temp.mark('lead_forms')) m(name);

INSERT INTO lead_form_submissions (tenant_id, lead_form_submission_id, lead_form_id, outcome, reason_code, page_url, extra, submitted_at)
SELECT pg_temp.id('tenant', 1), pg_temp.id('leadFormSubmission', 1), pg_temp.id('leadForm', 1), 'REFUSED', 'BLANK',
       'https://page.example/' || pg_temp.mark('lead_form_submissions'), '{}', pg_temp.at(0);

-- The first link of the chain, put together here once more and apart from the product.
INSERT INTO audit_log (tenant_id, seq, audit_id, occurred_at, actor, action, changes, request_id, hash)
VALUES (pg_temp.id('tenant', 1), 1, pg_temp.id('auditEntry', 1), pg_temp.at(0), pg_temp.author('audit_log'), 'company.created', '{}',
        'arranged' || pg_temp.mark('audit_log'), '');
UPDATE audit_log SET hash = sha256(sha256(
    int8send(16) || uuid_send(audit_id)
    || int8send(8) || int8send((extract(epoch FROM occurred_at) * 1000000)::bigint)
    || int8send(octet_length(actor)) || convert_to(actor, 'UTF8')
    || int8send(octet_length(action)) || convert_to(action, 'UTF8')
    -- No entity and no id; after the changes no address and no user agent.
    || int8send(-1) || int8send(-1)
    || int8send(octet_length(changes)) || convert_to(changes, 'UTF8')
    || int8send(-1) || int8send(-1)
    || int8send(octet_length(request_id)) || convert_to(request_id, 'UTF8')))
WHERE tenant_id = pg_temp.id('tenant', 1);
UPDATE tenant_seq SET last_audit = 1, audit_hash = (SELECT hash FROM audit_log WHERE tenant_id = pg_temp.id('tenant', 1))
WHERE tenant_id = pg_temp.id('tenant', 1);


-- What is beyond tenants, once: it is reached by nobody, and so by nobody of A.
INSERT INTO recovery_codes (user_id, code_hash) VALUES (pg_temp.member(8), '') ON CONFLICT DO NOTHING;
INSERT INTO sessions (session_id, user_id, tenant_id, created_at, last_used_at, expires_at)
VALUES (pg_temp.member(8), pg_temp.member(8), pg_temp.id('tenant', 1), pg_temp.at(0), pg_temp.at(0), pg_temp.at(0)) ON CONFLICT DO NOTHING;
INSERT INTO refresh_tokens (token_hash, session_id, generation, parent, issued_at) VALUES ('', pg_temp.member(8), 1, 0, pg_temp.at(0)) ON CONFLICT DO NOTHING;
INSERT INTO one_time_tokens (token_hash, purpose, created_at, expires_at) VALUES ('', 'VERIFY_EMAIL', pg_temp.at(0), pg_temp.at(0)) ON CONFLICT DO NOTHING;
INSERT INTO identities (issuer, subject, user_id, email, linked_at)
VALUES ('https://elsewhere.example', '8', pg_temp.member(8), 'both@dealgraph.example', pg_temp.at(0)) ON CONFLICT DO NOTHING;
INSERT INTO signing_keys (kid, public_key, private_key, created_at, signs_from, checks_until)
VALUES ('arranged', '', '', pg_temp.at(0), pg_temp.at(0), pg_temp.at(0)) ON CONFLICT DO NOTHING;
INSERT INTO access_changes (change_id, changed_at, tenant_id, user_id)
VALUES (pg_temp.id('tenant', 3), pg_temp.at(0), pg_temp.id('tenant', 1), pg_temp.member(3));
