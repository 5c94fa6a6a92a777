-- A database that was made from a template or a dump has the rights that all have in a new one, so they are taken away
-- each time. Temporary tables are bound by no policy.
DO $$
DECLARE
    found text;
BEGIN
    IF has_database_privilege('dealgraph_app', current_database(), 'TEMPORARY')
       OR has_database_privilege('dealgraph_system', current_database(), 'TEMPORARY') THEN
        EXECUTE format('REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC', current_database());
    END IF;
    IF has_database_privilege('dealgraph_app', current_database(), 'TEMPORARY')
       OR has_database_privilege('dealgraph_system', current_database(), 'TEMPORARY') THEN
        RAISE EXCEPTION 'the logins of the server may make temporary tables: let dealgraph_owner own the database, or REVOKE TEMPORARY ON DATABASE % FROM PUBLIC', current_database();
    END IF;

    -- A login may change its own settings for good, and its own password: the first shows here.
    SELECT string_agg(r.rolname, ', ') INTO found
    FROM pg_roles r
    WHERE (r.rolname = 'dealgraph_app' AND NOT coalesce(r.rolconfig @> ARRAY[
               'statement_timeout=5s', 'lock_timeout=2s', 'idle_in_transaction_session_timeout=10s', 'search_path=public'
           ], false))
       OR (r.rolname = 'dealgraph_system' AND NOT coalesce(r.rolconfig @> ARRAY[
               'statement_timeout=60s', 'lock_timeout=2s', 'idle_in_transaction_session_timeout=30s', 'search_path=public'
           ], false));
    IF found IS NOT NULL THEN
        RAISE EXCEPTION 'the settings of these logins are not those of 00_roles.sql: %', found;
    END IF;

    SELECT string_agg(DISTINCT m.rolname || ' is a member of ' || g.rolname, ', ') INTO found
    FROM pg_auth_members a JOIN pg_roles m ON m.oid = a.member JOIN pg_roles g ON g.oid = a.roleid
    WHERE m.rolname IN ('dealgraph_app', 'dealgraph_system');
    IF found IS NOT NULL THEN
        RAISE EXCEPTION 'the logins of the server have rights of others: %', found;
    END IF;

    -- What only a superuser can mend is a warning.
    IF has_function_privilege('dealgraph_app', 'pg_catalog.lo_from_bytea(oid, bytea)', 'EXECUTE') THEN
        RAISE WARNING 'dealgraph_app may make large objects, which no policy binds: run policies/superuser/large_objects.sql as a superuser';
    END IF;
    SELECT string_agg(d.datname, ', ') INTO found
    FROM (SELECT datname FROM pg_database
          WHERE datallowconn AND datname <> current_database() AND has_database_privilege('dealgraph_app', oid, 'CONNECT')
          ORDER BY datname LIMIT 5) d;
    IF found IS NOT NULL THEN
        RAISE WARNING 'dealgraph_app may connect to other databases of this cluster (% ...): REVOKE CONNECT ON DATABASE ... FROM PUBLIC', found;
    END IF;
END
$$;

-- Fails when a table is open: no RLS, not forced, no policy, or a key that does not start with the tenant.
DO $$
DECLARE
    broken text;
BEGIN
    SELECT string_agg(c.relname, ', ') INTO broken
    FROM pg_class c
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
      AND c.relname NOT IN ('_sqlx_migrations')
      -- A partition is reached through its table, by that one's policies; by itself it has none and admits no login.
      AND NOT (c.relrowsecurity AND c.relforcerowsecurity
               AND (c.relispartition OR EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid)));
    IF broken IS NOT NULL THEN
        RAISE EXCEPTION 'tables without forced row-level security or without a policy: %', broken;
    END IF;

    SELECT string_agg(c.relname, ', ') INTO broken
    FROM pg_class c
    JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[0]
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
      AND c.relname NOT IN ('_sqlx_migrations', 'users', 'recovery_codes', 'sessions', 'refresh_tokens', 'one_time_tokens', 'identities',
                            'signing_keys', 'access_changes', 'business_figures')
      AND a.attname <> 'tenant_id';
    IF broken IS NOT NULL THEN
        RAISE EXCEPTION 'tables whose primary key does not start with tenant_id: %', broken;
    END IF;

    SELECT string_agg(grantee || ' on ' || table_name, ', ') INTO broken
    FROM information_schema.role_table_grants
    WHERE table_schema = 'public' AND grantee IN ('PUBLIC', 'dealgraph_app')
      AND (grantee = 'PUBLIC' OR privilege_type IN ('TRUNCATE', 'REFERENCES', 'TRIGGER', 'UPDATE')
           OR table_name IN ('_sqlx_migrations', 'users', 'recovery_codes', 'sessions', 'refresh_tokens', 'one_time_tokens', 'identities',
                           'signing_keys', 'access_changes', 'business_figures'));
    IF broken IS NOT NULL THEN
        RAISE EXCEPTION 'grants that must not exist: %', broken;
    END IF;

    -- Numbers are taken by a function, and logs are only appended to: no column of them can be set by a login.
    SELECT string_agg(DISTINCT grantee || ' on ' || table_name || '.' || column_name, ', ') INTO broken
    FROM information_schema.column_privileges
    WHERE table_schema = 'public' AND privilege_type = 'UPDATE' AND grantee IN ('dealgraph_app', 'dealgraph_system')
      AND ((table_name IN ('events', 'audit_log')) OR (table_name = 'tenant_seq' AND column_name <> 'open')
           OR (table_name = 'tenant_seq' AND grantee = 'dealgraph_app'));
    IF broken IS NOT NULL THEN
        RAISE EXCEPTION 'numbers or logs that a login could change: %', broken;
    END IF;

    -- The procedures of 02_tables.sql write SQL and are the owner's tools.
    SELECT string_agg(p.oid::regprocedure::text, ', ') INTO broken
    FROM pg_proc p
    WHERE p.pronamespace = 'app'::regnamespace AND p.prokind = 'p'
      AND (p.prosecdef OR has_function_privilege('dealgraph_app', p.oid, 'EXECUTE')
           OR has_function_privilege('dealgraph_system', p.oid, 'EXECUTE'));
    IF broken IS NOT NULL THEN
        RAISE EXCEPTION 'procedures that a login could call, or that run with the rights of the owner: %', broken;
    END IF;

    -- A team path is never empty: the scope `team` would reach everything.
    SELECT string_agg(c.relname, ', ') INTO broken
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'team_path' AND NOT a.attisdropped
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
      AND NOT EXISTS (SELECT FROM pg_constraint k
                      WHERE k.conrelid = c.oid AND k.contype = 'c' AND k.conname = c.relname || '_team_path_check');
    IF broken IS NOT NULL THEN
        RAISE EXCEPTION 'tables that take an empty team_path: %', broken;
    END IF;
END
$$;
