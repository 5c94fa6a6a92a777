-- Fails when a table is open: no RLS, not forced, no policy, or a key that does not start with the tenant.
DO $$
DECLARE
    broken text;
BEGIN
    SELECT string_agg(c.relname, ', ') INTO broken
    FROM pg_class c
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
      AND c.relname NOT IN ('_sqlx_migrations')
      -- A partition is reached through its table, by that one's policies; by itself it has none and lets nobody in.
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
                            'signing_keys', 'access_changes')
      AND a.attname <> 'tenant_id';
    IF broken IS NOT NULL THEN
        RAISE EXCEPTION 'tables whose primary key does not start with tenant_id: %', broken;
    END IF;

    SELECT string_agg(grantee || ' on ' || table_name, ', ') INTO broken
    FROM information_schema.role_table_grants
    WHERE table_schema = 'public' AND grantee IN ('PUBLIC', 'dealgraph_app')
      AND (grantee = 'PUBLIC' OR privilege_type IN ('TRUNCATE', 'REFERENCES', 'TRIGGER', 'UPDATE')
           OR table_name IN ('_sqlx_migrations', 'users', 'recovery_codes', 'sessions', 'refresh_tokens', 'one_time_tokens', 'identities',
                           'signing_keys', 'access_changes'));
    IF broken IS NOT NULL THEN
        RAISE EXCEPTION 'grants that must not exist: %', broken;
    END IF;
END
$$;
