-- Many rows for tenant A, so that the planner has reasons: each row of the world, {copies} times, with other values in
-- whatever a list is filtered or sorted by. Copies of one number belong together: contact 3 of copy 7 works at company 3 of copy 7.
DO $$
DECLARE
    of_table text;
    columns text;
    copied text;
BEGIN
    -- Parents before children.
    FOREACH of_table IN ARRAY ARRAY['users', 'teams', 'roles', 'memberships', 'companies', 'contacts', 'contact_methods', 'leads', 'opportunities',
        'opportunity_contacts', 'opportunity_users', 'opportunity_stage_history', 'activities', 'activity_targets', 'events',
        'invitations', 'api_keys', 'audit_log', 'products', 'webhook_endpoints', 'webhook_deliveries', 'inbound_endpoints', 'inbound_messages', 'lead_forms',
        'lead_form_submissions', 'integrations', 'sync_runs'] LOOP
        SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum), string_agg(CASE
            WHEN a.attname IN ('tenant_id', 'pipeline_id', 'stage_id', 'from_stage_id', 'to_stage_id', 'epoch',
                               'owner_id', 'next_action_owner_id', 'parent_team_id', 'successor_id') THEN 't.' || a.attname
            WHEN of_table <> 'users' AND of_table <> 'memberships' AND a.attname = 'user_id' THEN 't.user_id'
            WHEN of_table <> 'teams' AND a.attname = 'team_id' THEN 't.team_id'
            -- The last group of an id is its kind and its number.
            WHEN a.atttypid = 'uuid'::regtype
                THEN format('overlay(t.%1$I::text placing lpad(to_hex(65536 * g + 1), 7, ''0'') from 29 for 7)::uuid', a.attname)
            WHEN of_table = 'teams' AND a.attname = 'path' THEN 'lpad(to_hex(65536 * g + row_number() OVER ()), 12, ''0'') || ''.'''
            WHEN of_table = 'opportunities' AND a.attname = 'status' THEN '(ARRAY[''OPEN'', ''WON'', ''LOST''])[g % 3 + 1]'
            WHEN a.attname = 'won_at' THEN 'CASE g % 3 WHEN 1 THEN t.created_at + g * interval ''7 minutes'' END'
            WHEN a.attname = 'lost_at' THEN 'CASE g % 3 WHEN 2 THEN t.created_at + g * interval ''7 minutes'' END'
            WHEN a.attname IN ('due_at', 'last_contacted_at', 'last_activity_at')
                THEN format('coalesce(t.%I, t.created_at) + g * interval ''7 minutes''', a.attname)
            WHEN of_table = 'leads' AND a.attname = 'next_action_at' THEN 't.created_at + g * interval ''7 minutes'''
            WHEN a.attname = 'expected_close_on' THEN 'date ''2026-01-01'' + g'
            WHEN a.atttypid = 'timestamptz'::regtype THEN format('t.%I + g * interval ''7 minutes''', a.attname)
            WHEN a.attname IN ('name', 'name_normalized', 'domain', 'industry', 'country', 'email', 'email_normalized', 'value_normalized',
                               'source', 'board_position', 'code', 'code_normalized') THEN format('t.%I || '' '' || g', a.attname)
            WHEN of_table = 'audit_log' AND a.attname = 'action' THEN '(ARRAY[''company.created'', ''company.updated'', ''session.opened''])[g % 3 + 1]'
            WHEN a.attname IN ('seq', 'amount_minor', 'unit_price_minor') THEN format('t.%I + g', a.attname)
            WHEN a.attname = 'employee_count' THEN 'g'
            WHEN of_table = 'products' AND a.attname = 'active' THEN 'g % 2 = 0'
            WHEN a.attname = 'warmness_score' THEN 'g % 101'
            ELSE 't.' || quote_ident(a.attname)
        END, ', ' ORDER BY a.attnum)
        INTO columns, copied
        FROM pg_attribute a
        WHERE a.attrelid = of_table::regclass AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '';
        EXECUTE format('INSERT INTO %I (%s) SELECT %s FROM %I t CROSS JOIN generate_series(1, {copies}) g WHERE t.%I::text LIKE %L',
            of_table, columns, copied, of_table,
            CASE WHEN of_table IN ('users', 'memberships') THEN 'user_id' ELSE 'tenant_id' END, '%-' || pg_temp.marker() || '-%');
    END LOOP;
END
$$;
ANALYZE;
