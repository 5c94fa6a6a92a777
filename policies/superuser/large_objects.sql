-- Privileges that only a superuser can revoke, in the database of the product: run it once, after the database was made.
-- `dev` does so by itself; `migrate` warns when it was not done.

-- Every login may create large objects, and no policy binds them.
DO $$
DECLARE
    made_for_all regprocedure;
BEGIN
    FOR made_for_all IN
        SELECT p.oid::regprocedure FROM pg_proc p
        WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.proname ~ '^(lo_.*|loread|lowrite)$'
    LOOP
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', made_for_all);
    END LOOP;
END
$$;
