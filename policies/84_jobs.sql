-- Jobs: whoever may act in a tenant may have something done in their own name, and sees what became of it. An admin, and
-- the server itself, which acts for the tenant as one, see and change all of the tenant's. What follows from an act that
-- was permitted is done in the server's own name; whose act it was sees it.
CALL app.secure_table('job_queues');
CREATE POLICY job_queues_tenant ON job_queues AS RESTRICTIVE TO dealgraph_app
    USING (tenant_id = app.tenant_id()) WITH CHECK (tenant_id = app.tenant_id());
CREATE POLICY job_queues_move ON job_queues TO dealgraph_app USING (true) WITH CHECK (true);
GRANT SELECT ON job_queues TO dealgraph_app;
GRANT INSERT (tenant_id, due_at), UPDATE (due_at) ON job_queues TO dealgraph_app;
-- Which tenants have something to do is asked for all of them at once.
CREATE POLICY job_queues_due ON job_queues FOR SELECT TO dealgraph_system USING (true);
GRANT SELECT ON job_queues TO dealgraph_system;

CALL app.secure_table('jobs');
CREATE POLICY jobs_tenant ON jobs AS RESTRICTIVE TO dealgraph_app
    USING (tenant_id = app.tenant_id()) WITH CHECK (tenant_id = app.tenant_id());
CREATE POLICY jobs_own ON jobs TO dealgraph_app
    USING (visible_to = app.me() OR app.tenant_for('admin') IS NOT NULL)
    WITH CHECK ((visible_to = app.me() AND (author = app.author() OR author ^@ 'system:'))
                OR app.tenant_for('admin') IS NOT NULL);
GRANT SELECT ON jobs TO dealgraph_app;
GRANT INSERT (
    tenant_id, job_id, kind, arguments, unique_key, due_at, author, visible_to, request_id, trace_parent, gives_up_at,
    schedule_id, planned_for, created_at
) ON jobs TO dealgraph_app;
-- In whose name it runs, and what it is, stands.
GRANT UPDATE (
    status, due_at, attempts, fence, again, progress_done, progress_total, progress_message, cancel_requested_at, result,
    error_code, error_message, started_at, ended_at
) ON jobs TO dealgraph_app;
-- What is done all day long leaves nothing behind when it has gone well.
CREATE POLICY jobs_vanish ON jobs AS RESTRICTIVE FOR DELETE TO dealgraph_app
    USING (status = 'SUCCEEDED' AND app.tenant_for('admin') IS NOT NULL);
GRANT DELETE ON jobs TO dealgraph_app;
CREATE POLICY jobs_forget ON jobs FOR DELETE TO dealgraph_system USING (ended_at IS NOT NULL);
CREATE POLICY jobs_old ON jobs FOR SELECT TO dealgraph_system USING (ended_at IS NOT NULL);
GRANT SELECT (tenant_id, job_id, ended_at), DELETE ON jobs TO dealgraph_system;

CALL app.secure_table('job_schedules');
CREATE POLICY job_schedules_tenant ON job_schedules AS RESTRICTIVE TO dealgraph_app
    USING (tenant_id = app.tenant_id()) WITH CHECK (tenant_id = app.tenant_id());
CREATE POLICY job_schedules_own ON job_schedules TO dealgraph_app
    USING (visible_to = app.me() OR app.tenant_for('admin') IS NOT NULL)
    WITH CHECK ((visible_to = app.me() AND author = app.author()) OR app.tenant_for('admin') IS NOT NULL);
GRANT SELECT, DELETE ON job_schedules TO dealgraph_app;
GRANT INSERT (
    tenant_id, schedule_id, name, kind, arguments, cron, time_zone, missed, author, visible_to, created_at
) ON job_schedules TO dealgraph_app;
GRANT UPDATE (kind, arguments, cron, time_zone, missed) ON job_schedules TO dealgraph_app;

-- Consumers of the event log: what they are and how far they have come is the server's business, which acts for the tenant
-- as an admin; who sets one up may read it and put it there.
CALL app.secure_table('event_consumers');
CREATE POLICY event_consumers_tenant ON event_consumers AS RESTRICTIVE TO dealgraph_app
    USING (tenant_id = app.tenant_for('integrations:write')) WITH CHECK (tenant_id = app.tenant_for('integrations:write'));
CREATE POLICY event_consumers_move ON event_consumers TO dealgraph_app USING (true) WITH CHECK (true);
GRANT SELECT, DELETE ON event_consumers TO dealgraph_app;
GRANT INSERT (tenant_id, kind, instance, seq), UPDATE (seq) ON event_consumers TO dealgraph_app;
-- Of which tenants consumers are behind is asked for all of them at once.
CREATE POLICY event_consumers_behind ON event_consumers FOR SELECT TO dealgraph_system USING (true);
GRANT SELECT (tenant_id, seq) ON event_consumers TO dealgraph_system;
