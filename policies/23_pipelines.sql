-- Pipelines: everybody who may read deals sees them; only an admin changes them.
ALTER TABLE pipelines ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
REVOKE ALL ON pipelines FROM PUBLIC, dealgraph_app, dealgraph_system;
GRANT SELECT, DELETE ON pipelines TO dealgraph_app;
GRANT INSERT (
    tenant_id, pipeline_id, name, position, preferred, archived_at, created_at, created_by, updated_at,
    updated_by, version
) ON pipelines TO dealgraph_app;
GRANT UPDATE (
    name, position, preferred, archived_at, updated_at, updated_by, version
) ON pipelines TO dealgraph_app;

DROP POLICY IF EXISTS pipelines_read_tenant ON pipelines;
CREATE POLICY pipelines_read_tenant ON pipelines AS RESTRICTIVE FOR SELECT TO dealgraph_app
    USING (tenant_id = app.tenant_for('opportunities:read'));
DROP POLICY IF EXISTS pipelines_read_scope ON pipelines;
CREATE POLICY pipelines_read_scope ON pipelines FOR SELECT TO dealgraph_app
    USING (true);
DROP POLICY IF EXISTS pipelines_insert_tenant ON pipelines;
CREATE POLICY pipelines_insert_tenant ON pipelines AS RESTRICTIVE FOR INSERT TO dealgraph_app
    WITH CHECK (tenant_id = app.tenant_for('admin'));
DROP POLICY IF EXISTS pipelines_insert_scope ON pipelines;
CREATE POLICY pipelines_insert_scope ON pipelines FOR INSERT TO dealgraph_app
    WITH CHECK (true);
DROP POLICY IF EXISTS pipelines_update_tenant ON pipelines;
CREATE POLICY pipelines_update_tenant ON pipelines AS RESTRICTIVE FOR UPDATE TO dealgraph_app
    USING (tenant_id = app.tenant_for('admin'))
    WITH CHECK (tenant_id = app.tenant_for('admin'));
DROP POLICY IF EXISTS pipelines_update_scope ON pipelines;
CREATE POLICY pipelines_update_scope ON pipelines FOR UPDATE TO dealgraph_app
    USING (true)
    WITH CHECK (true);
DROP POLICY IF EXISTS pipelines_delete_tenant ON pipelines;
CREATE POLICY pipelines_delete_tenant ON pipelines AS RESTRICTIVE FOR DELETE TO dealgraph_app
    USING (tenant_id = app.tenant_for('admin'));
DROP POLICY IF EXISTS pipelines_delete_scope ON pipelines;
CREATE POLICY pipelines_delete_scope ON pipelines FOR DELETE TO dealgraph_app
    USING (true);
DROP POLICY IF EXISTS pipelines_owner ON pipelines;
CREATE POLICY pipelines_owner ON pipelines TO dealgraph_owner USING (true) WITH CHECK (true);

-- Stages follow their pipeline.
ALTER TABLE stages ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
REVOKE ALL ON stages FROM PUBLIC, dealgraph_app, dealgraph_system;
GRANT SELECT, DELETE ON stages TO dealgraph_app;
GRANT INSERT (
    tenant_id, stage_id, pipeline_id, name, position, kind, probability, rotten_after_days
) ON stages TO dealgraph_app;
GRANT UPDATE (
    name, position, kind, probability, rotten_after_days
) ON stages TO dealgraph_app;

DROP POLICY IF EXISTS stages_read_tenant ON stages;
CREATE POLICY stages_read_tenant ON stages AS RESTRICTIVE FOR SELECT TO dealgraph_app
    USING (tenant_id = app.tenant_for('opportunities:read'));
DROP POLICY IF EXISTS stages_read_scope ON stages;
CREATE POLICY stages_read_scope ON stages FOR SELECT TO dealgraph_app
    USING (true);
DROP POLICY IF EXISTS stages_insert_tenant ON stages;
CREATE POLICY stages_insert_tenant ON stages AS RESTRICTIVE FOR INSERT TO dealgraph_app
    WITH CHECK (tenant_id = app.tenant_for('admin'));
DROP POLICY IF EXISTS stages_insert_scope ON stages;
CREATE POLICY stages_insert_scope ON stages FOR INSERT TO dealgraph_app
    WITH CHECK (true);
DROP POLICY IF EXISTS stages_update_tenant ON stages;
CREATE POLICY stages_update_tenant ON stages AS RESTRICTIVE FOR UPDATE TO dealgraph_app
    USING (tenant_id = app.tenant_for('admin'))
    WITH CHECK (tenant_id = app.tenant_for('admin'));
DROP POLICY IF EXISTS stages_update_scope ON stages;
CREATE POLICY stages_update_scope ON stages FOR UPDATE TO dealgraph_app
    USING (true)
    WITH CHECK (true);
DROP POLICY IF EXISTS stages_delete_tenant ON stages;
CREATE POLICY stages_delete_tenant ON stages AS RESTRICTIVE FOR DELETE TO dealgraph_app
    USING (tenant_id = app.tenant_for('admin'));
DROP POLICY IF EXISTS stages_delete_scope ON stages;
CREATE POLICY stages_delete_scope ON stages FOR DELETE TO dealgraph_app
    USING (true);
DROP POLICY IF EXISTS stages_owner ON stages;
CREATE POLICY stages_owner ON stages TO dealgraph_owner USING (true) WITH CHECK (true);

-- Whether an id that somebody was told is none belongs to another tenant is asked afterwards, for both tenants' audit
-- logs. For that the system reads whose an id is, and no other column.
GRANT SELECT (tenant_id, pipeline_id) ON pipelines TO dealgraph_system;
DROP POLICY IF EXISTS pipelines_system ON pipelines;
CREATE POLICY pipelines_system ON pipelines FOR SELECT TO dealgraph_system USING (true);
GRANT SELECT (tenant_id, stage_id) ON stages TO dealgraph_system;
DROP POLICY IF EXISTS stages_system ON stages;
CREATE POLICY stages_system ON stages FOR SELECT TO dealgraph_system USING (true);
