-- The event counter. Nobody sets it: it is moved by a function, and only upwards. While a tenant is suspended or about
-- to be deleted it stands still for all but the system, and with it every write. All members of a tenant may read it,
-- which reveals nothing of what happened.
CALL app.secure_table('tenant_seq');
CALL app.let_system_reach('tenant_seq');
CREATE POLICY tenant_seq_read_tenant ON tenant_seq AS RESTRICTIVE FOR SELECT TO dealgraph_app
    USING (tenant_id = app.tenant_id());
CREATE POLICY tenant_seq_read_scope ON tenant_seq FOR SELECT TO dealgraph_app USING (true);
GRANT SELECT ON tenant_seq TO dealgraph_app, dealgraph_system;
GRANT UPDATE (open) ON tenant_seq TO dealgraph_system;
GRANT INSERT ON tenant_seq TO dealgraph_system;

-- Takes the numbers of a transaction's events and audit entries, moves the chain's head on, and notes which kinds of
-- records have changed by then; nothing when the actor may not write the tenant. It runs as the owner, so that a writer
-- who can run any statement still can't wind the numbers or the chain back. A policy could not hold that: it sees the row
-- after an UPDATE and not the one before. On a Citus cluster the call runs where the tenant is, so it names no other; in
-- PL/pgSQL, because Citus does not plan a function's arguments within SQL functions.
CREATE OR REPLACE FUNCTION app.take_numbers(
        of_tenant uuid, event_count bigint, entry_count bigint, digest bytea, kinds text[]
    )
    RETURNS TABLE (last_seq bigint, last_audit bigint, audit_hash bytea)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
    AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY UPDATE public.tenant_seq s SET
        last_seq = s.last_seq + take_numbers.event_count,
        last_audit = s.last_audit + take_numbers.entry_count,
        audit_hash = sha256(s.audit_hash || take_numbers.digest),
        changed = s.changed || coalesce(
            (SELECT jsonb_object_agg(kind, s.last_audit + take_numbers.entry_count) FROM unnest(take_numbers.kinds) kind),
            '{}')
    WHERE s.tenant_id = take_numbers.of_tenant AND take_numbers.event_count >= 0 AND take_numbers.entry_count >= 0
      AND (session_user = 'dealgraph_system'
           OR (s.open AND take_numbers.of_tenant = app.tenant_for_writers()))
    RETURNING s.last_seq, s.last_audit, s.audit_hash;
END
$$;
REVOKE ALL ON FUNCTION app.take_numbers(uuid, bigint, bigint, bytea, text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.take_numbers(uuid, bigint, bigint, bytea, text[]) TO dealgraph_app, dealgraph_system;

-- The event log: writers append in their own name, nobody changes or deletes. Reading is the system's, because an event
-- carries what some members may not see; the hub applies the rule of the policies in memory.
-- The partitions are reached through the table only: nothing is granted on them, and they have no policy.
CALL app.secure_table('events');
ALTER TABLE events_default ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
REVOKE ALL ON events_default FROM PUBLIC, dealgraph_app, dealgraph_system;
CREATE POLICY events_append ON events FOR INSERT TO dealgraph_app
    WITH CHECK (tenant_id = app.tenant_for_writers() AND actor = app.author());
CREATE POLICY events_system ON events FOR SELECT TO dealgraph_system USING (true);
-- Becoming a member is an event too, and happens before there is an actor.
CREATE POLICY events_append_system ON events FOR INSERT TO dealgraph_system WITH CHECK (true);
GRANT INSERT ON events TO dealgraph_app;
GRANT SELECT, INSERT ON events TO dealgraph_system;

-- Which history a tenant's numbers belong to. Numbers mean nothing after a restore, which takes some of them back: the
-- tenant's own epoch is mixed with what a copy of the database does not share (the cluster, its timeline, the
-- database). An operator who puts back a disk's snapshot, which shows in none of these, sets the tenant's own.
CREATE OR REPLACE FUNCTION app.epoch(of_tenant uuid) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN left(encode(sha256(convert_to(concat_ws(
        ' ', of_tenant, (SELECT system_identifier FROM pg_control_system()),
        -- The timeline that is written to; the control file says the new one only after the next checkpoint.
        CASE WHEN pg_is_in_recovery() THEN (SELECT timeline_id FROM pg_control_checkpoint())
            ELSE ('x' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))::bit(32)::integer END,
        (SELECT oid FROM pg_database WHERE datname = current_database())
    ), 'UTF8')), 'hex'), 16);
REVOKE ALL ON FUNCTION app.epoch(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.epoch(uuid) TO dealgraph_app, dealgraph_system;

-- Makes the partitions of today and the three days to come, and drops those whose last event is older than so many
-- days; returns how many were dropped. It runs as the owner: this is all that the system login may do to the shape of a
-- table.
-- A partition is attached and not created in place, since that would lock out readers and writers; taking one away
-- does, for as long as it takes or half a second, and is tried again the next time.
CREATE OR REPLACE FUNCTION app.keep_events(days integer) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
    SET lock_timeout = '500ms'
    AS $$
DECLARE
    today date := (now() AT TIME ZONE 'UTC')::date;
    oldest date := today - greatest(days, 1);
    day date;
    name text;
    dropped integer := 0;
BEGIN
    -- One server at a time; the others find it done.
    IF NOT pg_try_advisory_xact_lock(hashtext('app.keep_events')) THEN
        RETURN 0;
    END IF;
    FOR day IN SELECT today + n FROM generate_series(0, 3) n LOOP
        name := 'events_' || to_char(day, 'YYYYMMDD');
        CONTINUE WHEN to_regclass('public.' || name) IS NOT NULL;
        BEGIN
            EXECUTE format('CREATE TABLE public.%I (LIKE public.events INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', name);
            EXECUTE format('ALTER TABLE public.%I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', name);
            EXECUTE format('ALTER TABLE public.%I ADD PRIMARY KEY (tenant_id, seq, logged_at)', name);
            EXECUTE format('ALTER TABLE public.events ATTACH PARTITION public.%I FOR VALUES FROM (%L) TO (%L)',
                           name, day::text || ' 00:00+00', (day + 1)::text || ' 00:00+00');
        EXCEPTION
            -- Rows of that day are in the default partition already; they stay there.
            WHEN check_violation OR lock_not_available THEN NULL;
        END;
    END LOOP;
    FOR name IN
        SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'public.events'::regclass AND c.relname ~ '^events_[0-9]{8}$'
          AND to_date(right(c.relname, 8), 'YYYYMMDD') < oldest
    LOOP
        BEGIN
            EXECUTE format('DROP TABLE public.%I', name);
            dropped := dropped + 1;
        EXCEPTION
            WHEN lock_not_available THEN NULL;
        END;
    END LOOP;
    DELETE FROM events WHERE tableoid = 'public.events_default'::regclass AND logged_at < oldest;
    RETURN dropped;
END
$$;
REVOKE ALL ON FUNCTION app.keep_events(integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.keep_events(integer) TO dealgraph_system;
SELECT app.keep_events(7);
