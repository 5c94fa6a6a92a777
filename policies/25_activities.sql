-- Activities: by permission, and within the row scope either as their own or through a record they are about.
CALL app.secure_owned_table('activities', id => 'activity_id', kind => 'activities');
GRANT INSERT (
    tenant_id, activity_id, kind, subject, body, direction, status, due_at, start_at, end_at, done_at,
    outcome, occurred_at, owner_id, team_path, targets_visible_to, archived_at, created_at, created_by,
    updated_at, updated_by, version
) ON activities TO dealgraph_app;
GRANT UPDATE (
    kind, subject, body, direction, status, due_at, start_at, end_at, done_at, outcome, occurred_at,
    owner_id, team_path, targets_visible_to, archived_at, updated_at, updated_by, version
) ON activities TO dealgraph_app;

-- What an activity is about follows the activity.
CALL app.secure_part_table('activity_targets', kind => 'activities');
GRANT INSERT (
    tenant_id, activity_id, company_id, contact_id, lead_id, opportunity_id, occurred_at,
    target_visible_to, visible_to
) ON activity_targets TO dealgraph_app;
GRANT UPDATE (
    occurred_at, target_visible_to, visible_to
) ON activity_targets TO dealgraph_app;
