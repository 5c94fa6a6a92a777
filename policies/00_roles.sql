-- The three roles. A cluster has them once, so a database that finds them only checks them.
DO $$
DECLARE
    wanted text;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['dealgraph_app', 'dealgraph_system'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted) THEN
            EXECUTE format('CREATE ROLE %I LOGIN NOINHERIT', wanted);
        END IF;
    END LOOP;
    IF EXISTS (SELECT FROM pg_roles
               WHERE rolname IN ('dealgraph_app', 'dealgraph_system') AND (rolsuper OR rolbypassrls OR rolcreaterole)) THEN
        RAISE EXCEPTION 'dealgraph_app and dealgraph_system must be plain logins: no superuser, no bypassrls, no createrole';
    END IF;
END
$$;

-- Limits of last resort; the server has its own, shorter ones.
ALTER ROLE dealgraph_app SET statement_timeout = '5s';
ALTER ROLE dealgraph_app SET lock_timeout = '2s';
-- Memory of one step of a plan. A filter may reach through ten relations, each a hash table: 40 MB at most for a
-- statement, where a hash table may usually take twice as much, and a cluster may give all logins more. What does not
-- fit goes to disk; a hundred thousand ids still fit. Workers beside a statement would each take as much again,
-- and the processors from others.
ALTER ROLE dealgraph_app SET work_mem = '4MB';
ALTER ROLE dealgraph_app SET hash_mem_multiplier = 1;
ALTER ROLE dealgraph_app SET max_parallel_workers_per_gather = 0;
-- A caller who stops waiting for the answer hangs up, and the statement need not be finished.
ALTER ROLE dealgraph_app SET client_connection_check_interval = '500ms';
ALTER ROLE dealgraph_app SET idle_in_transaction_session_timeout = '10s';
ALTER ROLE dealgraph_app SET search_path = public;
ALTER ROLE dealgraph_system SET statement_timeout = '60s';
ALTER ROLE dealgraph_system SET lock_timeout = '2s';
ALTER ROLE dealgraph_system SET idle_in_transaction_session_timeout = '30s';
ALTER ROLE dealgraph_system SET search_path = public;

REVOKE ALL ON SCHEMA public FROM PUBLIC;
REVOKE ALL ON SCHEMA app FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO dealgraph_app, dealgraph_system;
GRANT USAGE ON SCHEMA app TO dealgraph_app, dealgraph_system;
