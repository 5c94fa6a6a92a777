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
-- Whoever does not wait for an answer any more hangs up, and the statement need not be finished.
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
