-- Pipelines: all who may read deals see them; only an admin changes them.
CALL app.secure_shared_table('pipelines', reads => 'opportunities:read', writes => 'admin');
CALL app.let_system_identify('pipelines', id => 'pipeline_id');
GRANT INSERT (
    tenant_id, pipeline_id, name, position, preferred, archived_at, created_at, created_by, updated_at,
    updated_by, version
) ON pipelines TO dealgraph_app;
GRANT UPDATE (
    name, position, preferred, archived_at, updated_at, updated_by, version
) ON pipelines TO dealgraph_app;

-- Stages follow their pipeline.
CALL app.secure_shared_table('stages', reads => 'opportunities:read', writes => 'admin');
CALL app.let_system_identify('stages', id => 'stage_id');
GRANT INSERT (
    tenant_id, stage_id, pipeline_id, name, position, kind, probability, rotten_after_days
) ON stages TO dealgraph_app;
GRANT UPDATE (
    name, position, kind, probability, rotten_after_days
) ON stages TO dealgraph_app;
