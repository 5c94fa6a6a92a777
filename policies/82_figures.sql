-- Figures of the business. Both tables are the owner's alone; the system counts and reads by the function below, which
-- tells numbers of all tenants together and nothing of any one of them.
CALL app.secure_table('business_figures');
CALL app.secure_table('business_figure_positions');

-- Counts on from where it stopped: what the event log has of a tenant since then, for so many tenants and events at once.
-- Both the totals and how far they are counted are written in one transaction, by one server at a time, so that each
-- event counts once whatever dies in between. What waits now (`deals_due`, `deals_overdue`) is counted again when it is a
-- minute old. `behind` says that there is more to count at once.
-- It runs as the owner, because it looks across all tenants' logs and deals.
CREATE OR REPLACE FUNCTION app.count_figures(tenants_at_once integer, events_at_once integer)
    RETURNS TABLE (figure text, total bigint, behind boolean)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
    AS $$
DECLARE
    has_more boolean := false;
BEGIN
    IF pg_try_advisory_xact_lock(hashtext('app.count_figures')) THEN
        WITH moved AS MATERIALIZED (
            SELECT s.tenant_id, coalesce(p.seq, 0) AS since, s.last_seq,
                   least(s.last_seq, coalesce(p.seq, 0) + count_figures.events_at_once) AS upto
            FROM tenant_seq s LEFT JOIN business_figure_positions p USING (tenant_id)
            WHERE s.last_seq > coalesce(p.seq, 0)
            LIMIT count_figures.tenants_at_once
        ), counted AS (
            SELECT f.name, count(*) AS many
            FROM moved m
            JOIN events e ON e.tenant_id = m.tenant_id AND e.seq > m.since AND e.seq <= m.upto
            CROSS JOIN LATERAL (SELECT CASE
                WHEN e.entity = 'opportunity' AND e.kind = 'WON' THEN 'deals_won'
                WHEN e.entity = 'opportunity' AND e.kind = 'LOST' THEN 'deals_lost'
                WHEN e.entity = 'opportunity' AND e.kind = 'NEXT_ACTION_COMPLETED' THEN 'actions_completed'
                WHEN e.entity = 'lead' AND 'status' = ANY (e.changed) AND e.record ->> 'status' = 'CONVERTED'
                    THEN 'leads_converted'
            END AS name) f
            WHERE f.name IS NOT NULL
            GROUP BY f.name
        ), noted AS (
            INSERT INTO business_figure_positions AS p (tenant_id, seq)
            SELECT m.tenant_id, m.upto FROM moved m
            ON CONFLICT (tenant_id) DO UPDATE SET seq = excluded.seq
        ), added AS (
            INSERT INTO business_figures AS b (figure, total, counted_at)
            SELECT c.name, c.many, now() FROM counted c
            ON CONFLICT ON CONSTRAINT business_figures_pkey
                DO UPDATE SET total = b.total + excluded.total, counted_at = excluded.counted_at
        )
        SELECT count(*) >= count_figures.tenants_at_once OR coalesce(bool_or(m.last_seq > m.upto), false)
        INTO has_more FROM moved m;

        IF NOT EXISTS (SELECT FROM business_figures b
                       WHERE b.figure = 'deals_due' AND b.counted_at > now() - interval '1 minute') THEN
            INSERT INTO business_figures AS b (figure, total, counted_at)
            SELECT w.name, w.many, now() FROM (
                SELECT count(*) AS due, count(*) FILTER (WHERE o.next_action_at < now()) AS overdue
                FROM tenants t JOIN opportunities o USING (tenant_id)
                WHERE o.next_action_at IS NOT NULL AND o.archived_at IS NULL
                  AND o.next_action_at < (date_trunc('day', now() AT TIME ZONE t.time_zone) + interval '1 day') AT TIME ZONE t.time_zone
            ) c CROSS JOIN LATERAL (VALUES ('deals_due', c.due), ('deals_overdue', c.overdue)) w (name, many)
            ON CONFLICT ON CONSTRAINT business_figures_pkey
                DO UPDATE SET total = excluded.total, counted_at = excluded.counted_at;
        END IF;
    END IF;
    RETURN QUERY SELECT b.figure, b.total, has_more FROM business_figures b;
END
$$;
REVOKE ALL ON FUNCTION app.count_figures(integer, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.count_figures(integer, integer) TO dealgraph_system;
