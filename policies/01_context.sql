-- How a policy learns who the actor is. A transaction of src/db begins by setting these with SET LOCAL; nothing else
-- does:
--   app.tenant_id    the tenant of the token
--   app.user_id      the member
--   app.permissions  ',companies:read,companies:write,'
--   app.sees         what rows a reader sees: '|' all, '|<team path>' a team with its sub-teams, '|u:<user>|' own
--   app.edits        the same for writing
--   app.deletes      the same for deleting
--   app.author       in whose name what a writer does is recorded: 'user:<uuid>', 'apiKey:<uuid>', 'import:<source>',
--                    'system:<what>'
--   app.sees_<kind>, app.edits_<kind>, app.deletes_<kind>   where a role's scope differs for one kind of record
--   app.masks        ',amounts,emails,' the sensitive fields that a reader is not shown; set for reading only,
--                    because a write hands back what it read
-- Unset reads as NULL in a fresh session and as '' later on; both mean no actor. 'none' can't occur in visible_to.
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

CREATE OR REPLACE FUNCTION app.deletes(kind text) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN coalesce(
        nullif(current_setting('app.deletes_' || kind, true), ''),
        nullif(current_setting('app.deletes', true), ''),
        'none'
    );

-- The tenant, for an actor who may change anything at all in it: every change also writes the event log and the audit
-- log.
CREATE OR REPLACE FUNCTION app.tenant_for_writers() RETURNS uuid
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN CASE
        WHEN current_setting('app.permissions', true) ~ ':(write|delete),|,admin,'
        THEN nullif(current_setting('app.tenant_id', true), '')::uuid
    END;

CREATE OR REPLACE FUNCTION app.author() RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN nullif(current_setting('app.author', true), '');

CREATE OR REPLACE FUNCTION app.shows(what text) RETURNS boolean
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN strpos(coalesce(current_setting('app.masks', true), ''), ',' || what || ',') = 0;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA app FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.tenant_for(text), app.tenant_id(), app.me(), app.sees(text), app.edits(text),
    app.deletes(text), app.tenant_for_writers(), app.author(), app.shows(text)
    TO dealgraph_app;
