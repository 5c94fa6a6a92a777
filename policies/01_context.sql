-- How a policy learns who is asking. The door in src/db sets these by SET LOCAL and nothing else does:
--   app.tenant_id    the tenant of the token
--   app.user_id      the person
--   app.permissions  ',companies:read,companies:write,'
--   app.sees         what rows a reader sees: '|' all, '|<team path>' a team with its sub-teams, '|u:<user>|' own
--   app.edits        the same for writing
--   app.sees_<kind>, app.edits_<kind>   where a role's scope differs for one kind of record
-- Unset reads as NULL in a fresh session and as '' later on; both mean nobody. 'none' can't occur in visible_to.
-- Plain SQL, STABLE and without sub-queries, so that the planner inlines them and Citus accepts them.

CREATE OR REPLACE FUNCTION app.tenant_for(permission text) RETURNS uuid
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN CASE
        WHEN strpos(current_setting('app.permissions', true), ',' || permission || ',') > 0
        THEN nullif(current_setting('app.tenant_id', true), '')::uuid
    END;

CREATE OR REPLACE FUNCTION app.tenant_id() RETURNS uuid
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN nullif(current_setting('app.tenant_id', true), '')::uuid;

CREATE OR REPLACE FUNCTION app.me() RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN coalesce('|u:' || nullif(current_setting('app.user_id', true), '') || '|', 'none');

CREATE OR REPLACE FUNCTION app.sees(kind text) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN coalesce(
        nullif(current_setting('app.sees_' || kind, true), ''),
        nullif(current_setting('app.sees', true), ''),
        'none'
    );

CREATE OR REPLACE FUNCTION app.edits(kind text) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN coalesce(
        nullif(current_setting('app.edits_' || kind, true), ''),
        nullif(current_setting('app.edits', true), ''),
        'none'
    );

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA app FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.tenant_for(text), app.tenant_id(), app.me(), app.sees(text), app.edits(text)
    TO dealgraph_app;
