-- How people sign in: beyond tenants, and reached by the system login alone. Where it acts for somebody on their own
-- account, the door in src/db says so by SET LOCAL, and these tables are theirs alone for that transaction:
--   app.account   whose account
--   app.session   the session that they ask with; a token that the operator made has none
--   app.provider  the provider that they came through, where it is trusted with some tenants only: then they reach the
--                 devices that came through it as well, and nothing else

CREATE OR REPLACE FUNCTION app.account() RETURNS uuid
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN nullif(current_setting('app.account', true), '')::uuid;

CREATE OR REPLACE FUNCTION app.reaches_devices(of_account uuid, through text) RETURNS boolean
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN app.account() IS NULL OR (
        of_account = app.account()
        AND (nullif(current_setting('app.provider', true), '') IS NULL
             OR through = current_setting('app.provider', true))
    );

CREATE OR REPLACE FUNCTION app.acts_on(of_account uuid) RETURNS boolean
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$
        SELECT app.account() IS NULL OR (
            of_account = app.account()
            AND nullif(current_setting('app.provider', true), '') IS NULL
            AND (nullif(current_setting('app.session', true), '') IS NULL
                 OR EXISTS (SELECT FROM public.sessions s
                            WHERE s.session_id = nullif(current_setting('app.session', true), '')::uuid
                              AND s.user_id = of_account AND s.account AND s.ended_at IS NULL))
        )
    $$;
REVOKE ALL ON FUNCTION app.account(), app.reaches_devices(uuid, text), app.acts_on(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.account(), app.reaches_devices(uuid, text), app.acts_on(uuid) TO dealgraph_system;

-- Beside the policy of 10_identity.sql.
DROP POLICY IF EXISTS users_account ON users;
CREATE POLICY users_account ON users AS RESTRICTIVE FOR UPDATE TO dealgraph_system USING (app.acts_on(user_id));

ALTER TABLE recovery_codes ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
REVOKE ALL ON recovery_codes FROM PUBLIC, dealgraph_app, dealgraph_system;
GRANT SELECT, INSERT, DELETE ON recovery_codes TO dealgraph_system;
GRANT UPDATE (used_at) ON recovery_codes TO dealgraph_system;
DROP POLICY IF EXISTS recovery_codes_system ON recovery_codes;
CREATE POLICY recovery_codes_system ON recovery_codes TO dealgraph_system USING (true) WITH CHECK (true);
DROP POLICY IF EXISTS recovery_codes_account ON recovery_codes;
CREATE POLICY recovery_codes_account ON recovery_codes AS RESTRICTIVE TO dealgraph_system
    USING (app.acts_on(user_id)) WITH CHECK (app.acts_on(user_id));
DROP POLICY IF EXISTS recovery_codes_owner ON recovery_codes;
CREATE POLICY recovery_codes_owner ON recovery_codes TO dealgraph_owner USING (true) WITH CHECK (true);

ALTER TABLE sessions ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
REVOKE ALL ON sessions FROM PUBLIC, dealgraph_app, dealgraph_system;
GRANT SELECT, INSERT, DELETE ON sessions TO dealgraph_system;
GRANT UPDATE (
    tenant_id, beside, second_factor, account, address, user_agent, last_used_at, expires_at, ended_at, ended_because
) ON sessions TO dealgraph_system;
DROP POLICY IF EXISTS sessions_system ON sessions;
CREATE POLICY sessions_system ON sessions TO dealgraph_system USING (true) WITH CHECK (true);
DROP POLICY IF EXISTS sessions_account ON sessions;
CREATE POLICY sessions_account ON sessions AS RESTRICTIVE TO dealgraph_system
    USING (app.reaches_devices(user_id, provider)) WITH CHECK (app.reaches_devices(user_id, provider));
DROP POLICY IF EXISTS sessions_owner ON sessions;
CREATE POLICY sessions_owner ON sessions TO dealgraph_owner USING (true) WITH CHECK (true);

ALTER TABLE refresh_tokens ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
REVOKE ALL ON refresh_tokens FROM PUBLIC, dealgraph_app, dealgraph_system;
GRANT SELECT, INSERT, DELETE ON refresh_tokens TO dealgraph_system;
GRANT UPDATE (used_at) ON refresh_tokens TO dealgraph_system;
DROP POLICY IF EXISTS refresh_tokens_system ON refresh_tokens;
CREATE POLICY refresh_tokens_system ON refresh_tokens TO dealgraph_system USING (true) WITH CHECK (true);
DROP POLICY IF EXISTS refresh_tokens_owner ON refresh_tokens;
CREATE POLICY refresh_tokens_owner ON refresh_tokens TO dealgraph_owner USING (true) WITH CHECK (true);

ALTER TABLE one_time_tokens ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
REVOKE ALL ON one_time_tokens FROM PUBLIC, dealgraph_app, dealgraph_system;
GRANT SELECT, INSERT, DELETE ON one_time_tokens TO dealgraph_system;
GRANT UPDATE (data, attempts, used_at) ON one_time_tokens TO dealgraph_system;
DROP POLICY IF EXISTS one_time_tokens_system ON one_time_tokens;
CREATE POLICY one_time_tokens_system ON one_time_tokens TO dealgraph_system USING (true) WITH CHECK (true);
DROP POLICY IF EXISTS one_time_tokens_account ON one_time_tokens;
CREATE POLICY one_time_tokens_account ON one_time_tokens AS RESTRICTIVE TO dealgraph_system
    USING (app.reaches_devices(user_id, data ->> 'provider'))
    WITH CHECK (app.reaches_devices(user_id, data ->> 'provider'));
DROP POLICY IF EXISTS one_time_tokens_owner ON one_time_tokens;
CREATE POLICY one_time_tokens_owner ON one_time_tokens TO dealgraph_owner USING (true) WITH CHECK (true);

ALTER TABLE identities ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
REVOKE ALL ON identities FROM PUBLIC, dealgraph_app, dealgraph_system;
GRANT SELECT, INSERT, DELETE ON identities TO dealgraph_system;
GRANT UPDATE (email) ON identities TO dealgraph_system;
DROP POLICY IF EXISTS identities_system ON identities;
CREATE POLICY identities_system ON identities TO dealgraph_system USING (true) WITH CHECK (true);
DROP POLICY IF EXISTS identities_account ON identities;
CREATE POLICY identities_account ON identities AS RESTRICTIVE TO dealgraph_system
    USING (app.acts_on(user_id)) WITH CHECK (app.acts_on(user_id));
DROP POLICY IF EXISTS identities_owner ON identities;
CREATE POLICY identities_owner ON identities TO dealgraph_owner USING (true) WITH CHECK (true);

ALTER TABLE signing_keys ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
REVOKE ALL ON signing_keys FROM PUBLIC, dealgraph_app, dealgraph_system;
GRANT SELECT, INSERT, DELETE ON signing_keys TO dealgraph_system;
GRANT UPDATE (checks_until) ON signing_keys TO dealgraph_system;
DROP POLICY IF EXISTS signing_keys_system ON signing_keys;
CREATE POLICY signing_keys_system ON signing_keys TO dealgraph_system USING (true) WITH CHECK (true);
DROP POLICY IF EXISTS signing_keys_owner ON signing_keys;
CREATE POLICY signing_keys_owner ON signing_keys TO dealgraph_owner USING (true) WITH CHECK (true);

-- Whoever changes somebody's rights says so here, in the same transaction, for all servers to read along.
ALTER TABLE access_changes ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
REVOKE ALL ON access_changes FROM PUBLIC, dealgraph_app, dealgraph_system;
GRANT INSERT (change_id, tenant_id, user_id) ON access_changes TO dealgraph_app;
GRANT SELECT, INSERT, DELETE ON access_changes TO dealgraph_system;
DROP POLICY IF EXISTS access_changes_tell ON access_changes;
CREATE POLICY access_changes_tell ON access_changes FOR INSERT TO dealgraph_app
    WITH CHECK (tenant_id = app.tenant_for_writers());
DROP POLICY IF EXISTS access_changes_system ON access_changes;
CREATE POLICY access_changes_system ON access_changes TO dealgraph_system USING (true) WITH CHECK (true);
DROP POLICY IF EXISTS access_changes_owner ON access_changes;
CREATE POLICY access_changes_owner ON access_changes TO dealgraph_owner USING (true) WITH CHECK (true);
