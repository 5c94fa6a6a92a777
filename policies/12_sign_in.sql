-- How people sign in: beyond tenants, and reached by the system login alone. Where it acts for a user on their own
-- account, the transaction says so by SET LOCAL, and of these tables it reaches that user's rows alone:
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

-- Users are identities across tenants.
CALL app.secure_table('users');
CALL app.let_system_reach('users');
CREATE POLICY users_account ON users AS RESTRICTIVE FOR UPDATE TO dealgraph_system USING (app.acts_on(user_id));
GRANT SELECT, INSERT ON users TO dealgraph_system;
GRANT UPDATE (
    name, active, last_login_at, password_hash, password_changed_at, email_verified_at,
    totp_secret, totp_pending, totp_confirmed_at, totp_last_step, totp_own
) ON users TO dealgraph_system;

CALL app.secure_table('recovery_codes');
CALL app.let_system_reach('recovery_codes');
CREATE POLICY recovery_codes_account ON recovery_codes AS RESTRICTIVE TO dealgraph_system
    USING (app.acts_on(user_id)) WITH CHECK (app.acts_on(user_id));
GRANT SELECT, INSERT, DELETE ON recovery_codes TO dealgraph_system;
GRANT UPDATE (used_at) ON recovery_codes TO dealgraph_system;

CALL app.secure_table('sessions');
CALL app.let_system_reach('sessions');
CREATE POLICY sessions_account ON sessions AS RESTRICTIVE TO dealgraph_system
    USING (app.reaches_devices(user_id, provider)) WITH CHECK (app.reaches_devices(user_id, provider));
GRANT SELECT, INSERT, DELETE ON sessions TO dealgraph_system;
GRANT UPDATE (
    tenant_id, beside, second_factor, account, address, user_agent, last_used_at, expires_at, ended_at, ended_because
) ON sessions TO dealgraph_system;

CALL app.secure_table('refresh_tokens');
CALL app.let_system_reach('refresh_tokens');
GRANT SELECT, INSERT, DELETE ON refresh_tokens TO dealgraph_system;
GRANT UPDATE (used_at) ON refresh_tokens TO dealgraph_system;

CALL app.secure_table('one_time_tokens');
CALL app.let_system_reach('one_time_tokens');
CREATE POLICY one_time_tokens_account ON one_time_tokens AS RESTRICTIVE TO dealgraph_system
    USING (app.reaches_devices(user_id, data ->> 'provider'))
    WITH CHECK (app.reaches_devices(user_id, data ->> 'provider'));
GRANT SELECT, INSERT, DELETE ON one_time_tokens TO dealgraph_system;
GRANT UPDATE (data, attempts, used_at) ON one_time_tokens TO dealgraph_system;

CALL app.secure_table('identities');
CALL app.let_system_reach('identities');
CREATE POLICY identities_account ON identities AS RESTRICTIVE TO dealgraph_system
    USING (app.acts_on(user_id)) WITH CHECK (app.acts_on(user_id));
GRANT SELECT, INSERT, DELETE ON identities TO dealgraph_system;
GRANT UPDATE (email) ON identities TO dealgraph_system;

CALL app.secure_table('signing_keys');
CALL app.let_system_reach('signing_keys');
GRANT SELECT, INSERT, DELETE ON signing_keys TO dealgraph_system;
GRANT UPDATE (checks_until) ON signing_keys TO dealgraph_system;

-- A change of a user's rights is noted here in the same transaction; all servers follow this table.
CALL app.secure_table('access_changes');
CALL app.let_system_reach('access_changes');
CREATE POLICY access_changes_tell ON access_changes FOR INSERT TO dealgraph_app
    WITH CHECK (tenant_id = app.tenant_for_writers());
GRANT INSERT (change_id, tenant_id, user_id) ON access_changes TO dealgraph_app;
GRANT SELECT, INSERT, DELETE ON access_changes TO dealgraph_system;
