-- What tables have in common, said once. A table's own file calls these, and beside them has only what is its own: the
-- columns that may be written, which are granted one by one, and the policies that no other table has.
--
-- They write SQL, so nobody but the owner, who applies these files, may call them; they run with the rights of the
-- caller. `src/db/migrate.rs` applies the files after this one again when this one changes.

-- All of them are dropped first: one whose arguments changed would otherwise stay beside its successor.
DO $$
DECLARE
    found regprocedure;
BEGIN
    FOR found IN SELECT oid::regprocedure FROM pg_proc WHERE pronamespace = 'app'::regnamespace AND prokind = 'p' LOOP
        EXECUTE format('DROP PROCEDURE %s', found);
    END LOOP;
END
$$;

-- First of all for every table: row-level security that binds the owner too, no privilege, and no policy but the owner's.
-- What the table had before is dropped, so that its file says all of it. A table is secured by one file only.
CREATE PROCEDURE app.secure_table(of_table text)
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    old_policy text;
BEGIN
    EXECUTE format('ALTER TABLE public.%I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', of_table);
    EXECUTE format('REVOKE ALL ON public.%I FROM PUBLIC, dealgraph_app, dealgraph_system', of_table);
    FOR old_policy IN
        SELECT polname FROM pg_policy WHERE polrelid = format('public.%I', of_table)::regclass
    LOOP
        EXECUTE format('DROP POLICY %I ON public.%I', old_policy, of_table);
    END LOOP;
    EXECUTE format('CREATE POLICY %I ON public.%I TO dealgraph_owner USING (true) WITH CHECK (true)',
                   of_table || '_owner', of_table);
END
$$;

-- Permits members who hold `permission` one command, in their tenant and on the rows for which the expression `scope`
-- holds. The policy of the tenant is restrictive, so that no other policy can reach beyond it. SELECT and DELETE are
-- granted here; INSERT and UPDATE are granted by column, in the table's file.
CREATE PROCEDURE app.permit(of_table text, command text, permission text, scope text DEFAULT 'true')
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    verb text := CASE command WHEN 'SELECT' THEN 'read' WHEN 'INSERT' THEN 'insert' WHEN 'UPDATE' THEN 'update'
                              WHEN 'DELETE' THEN 'delete' END;
    clauses text := CASE command WHEN 'INSERT' THEN 'WITH CHECK (%1$s)' WHEN 'UPDATE' THEN 'USING (%1$s) WITH CHECK (%1$s)'
                                 ELSE 'USING (%1$s)' END;
BEGIN
    IF verb IS NULL OR permission IS NULL OR scope IS NULL THEN
        RAISE EXCEPTION 'app.permit: no such command, or no permission or scope: % on %', command, of_table;
    END IF;
    IF command IN ('SELECT', 'DELETE') THEN
        EXECUTE format('GRANT %s ON public.%I TO dealgraph_app', command, of_table);
    END IF;
    EXECUTE format('CREATE POLICY %I ON public.%I AS RESTRICTIVE FOR %s TO dealgraph_app ',
                   format('%s_%s_tenant', of_table, verb), of_table, command)
        || format(clauses, format('tenant_id = app.tenant_for(%L)', permission));
    EXECUTE format('CREATE POLICY %I ON public.%I FOR %s TO dealgraph_app ',
                   format('%s_%s_scope', of_table, verb), of_table, command)
        || format(clauses, scope);
END
$$;

-- Permits a command within the row scope of a right to a kind of record: those who hold `companies:write` and the rows
-- that their role lets them edit, for the kind `companies` and the right `write`.
CREATE PROCEDURE app.permit_in_scope(of_table text, command text, kind text, of_right text)
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    reach text := CASE of_right WHEN 'read' THEN 'sees' WHEN 'write' THEN 'edits' WHEN 'delete' THEN 'deletes' END;
BEGIN
    CALL app.permit(of_table, command, permission => kind || ':' || of_right,
                    scope => format('strpos(visible_to, app.%I(%L)) > 0 OR strpos(visible_to, app.me()) > 0', reach, kind));
END
$$;

-- Lets the system read whose an id is, and no other column: whether an id that the caller was told does not exist belongs
-- to another tenant is asked afterwards, for both tenants' audit logs.
CREATE PROCEDURE app.let_system_identify(of_table text, id text)
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    EXECUTE format('GRANT SELECT (tenant_id, %I) ON public.%I TO dealgraph_system', id, of_table);
    EXECUTE format('CREATE POLICY %I ON public.%I FOR SELECT TO dealgraph_system USING (true)',
                   of_table || '_system', of_table);
END
$$;

-- Lets the system reach all rows; what it may do with them is granted in the table's file.
CREATE PROCEDURE app.let_system_reach(of_table text)
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    EXECUTE format('CREATE POLICY %I ON public.%I TO dealgraph_system USING (true) WITH CHECK (true)',
                   of_table || '_system', of_table);
END
$$;

-- Records that have owners: read, written and deleted with the permissions of their kind, each within its row scope.
CREATE PROCEDURE app.secure_owned_table(of_table text, id text, kind text)
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    CALL app.secure_table(of_table);
    CALL app.permit_in_scope(of_table, 'SELECT', kind, 'read');
    CALL app.permit_in_scope(of_table, 'INSERT', kind, 'write');
    CALL app.permit_in_scope(of_table, 'UPDATE', kind, 'write');
    CALL app.permit_in_scope(of_table, 'DELETE', kind, 'delete');
    CALL app.let_system_identify(of_table, id);
END
$$;

-- Parts of records: who may write a record of that kind may also delete its parts.
CREATE PROCEDURE app.secure_part_table(of_table text, kind text)
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    CALL app.secure_table(of_table);
    CALL app.permit_in_scope(of_table, 'SELECT', kind, 'read');
    CALL app.permit_in_scope(of_table, 'INSERT', kind, 'write');
    CALL app.permit_in_scope(of_table, 'UPDATE', kind, 'write');
    CALL app.permit_in_scope(of_table, 'DELETE', kind, 'write');
END
$$;

-- What the tenant shares: all rows of the tenant, by one permission to read and another to write and delete.
CREATE PROCEDURE app.secure_shared_table(of_table text, reads text, writes text)
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    CALL app.secure_table(of_table);
    CALL app.permit(of_table, 'SELECT', permission => reads);
    CALL app.permit(of_table, 'INSERT', permission => writes);
    CALL app.permit(of_table, 'UPDATE', permission => writes);
    CALL app.permit(of_table, 'DELETE', permission => writes);
END
$$;

REVOKE ALL ON ALL PROCEDURES IN SCHEMA app FROM PUBLIC, dealgraph_app, dealgraph_system;
