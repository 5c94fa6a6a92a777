-- Opportunities: read, written and deleted by permission, within the row scope for opportunities.
ALTER TABLE opportunities ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
REVOKE ALL ON opportunities FROM PUBLIC, dealgraph_app, dealgraph_system;
GRANT SELECT, DELETE ON opportunities TO dealgraph_app;
GRANT INSERT (
    tenant_id, opportunity_id, name, name_normalized, pipeline_id, stage_id, stage_entered_at, status,
    board_position, amount_minor, amount_currency, probability, probability_manual, forecast_category,
    expected_close_on, won_at, lost_at, lost_reason, lost_note, source, company_id, primary_contact_id,
    next_action_at, next_action_kind, next_action_details, next_action_owner_id, last_activity_at,
    owner_id, team_path, shared_with, tags, archived_at, created_at, created_by, updated_at, updated_by,
    version
) ON opportunities TO dealgraph_app;
GRANT UPDATE (
    name, name_normalized, pipeline_id, stage_id, stage_entered_at, status, board_position,
    amount_minor, amount_currency, probability, probability_manual, forecast_category,
    expected_close_on, won_at, lost_at, lost_reason, lost_note, source, company_id, primary_contact_id,
    next_action_at, next_action_kind, next_action_details, next_action_owner_id, last_activity_at,
    owner_id, team_path, shared_with, tags, archived_at, updated_at, updated_by, version
) ON opportunities TO dealgraph_app;

DROP POLICY IF EXISTS opportunities_read_tenant ON opportunities;
CREATE POLICY opportunities_read_tenant ON opportunities AS RESTRICTIVE FOR SELECT TO dealgraph_app
    USING (tenant_id = app.tenant_for('opportunities:read'));
DROP POLICY IF EXISTS opportunities_read_scope ON opportunities;
CREATE POLICY opportunities_read_scope ON opportunities FOR SELECT TO dealgraph_app
    USING (strpos(visible_to, app.sees('opportunities')) > 0 OR strpos(visible_to, app.me()) > 0);
DROP POLICY IF EXISTS opportunities_insert_tenant ON opportunities;
CREATE POLICY opportunities_insert_tenant ON opportunities AS RESTRICTIVE FOR INSERT TO dealgraph_app
    WITH CHECK (tenant_id = app.tenant_for('opportunities:write'));
DROP POLICY IF EXISTS opportunities_insert_scope ON opportunities;
CREATE POLICY opportunities_insert_scope ON opportunities FOR INSERT TO dealgraph_app
    WITH CHECK (strpos(visible_to, app.edits('opportunities')) > 0 OR strpos(visible_to, app.me()) > 0);
DROP POLICY IF EXISTS opportunities_update_tenant ON opportunities;
CREATE POLICY opportunities_update_tenant ON opportunities AS RESTRICTIVE FOR UPDATE TO dealgraph_app
    USING (tenant_id = app.tenant_for('opportunities:write'))
    WITH CHECK (tenant_id = app.tenant_for('opportunities:write'));
DROP POLICY IF EXISTS opportunities_update_scope ON opportunities;
CREATE POLICY opportunities_update_scope ON opportunities FOR UPDATE TO dealgraph_app
    USING (strpos(visible_to, app.edits('opportunities')) > 0 OR strpos(visible_to, app.me()) > 0)
    WITH CHECK (strpos(visible_to, app.edits('opportunities')) > 0 OR strpos(visible_to, app.me()) > 0);
DROP POLICY IF EXISTS opportunities_delete_tenant ON opportunities;
CREATE POLICY opportunities_delete_tenant ON opportunities AS RESTRICTIVE FOR DELETE TO dealgraph_app
    USING (tenant_id = app.tenant_for('opportunities:delete'));
DROP POLICY IF EXISTS opportunities_delete_scope ON opportunities;
CREATE POLICY opportunities_delete_scope ON opportunities FOR DELETE TO dealgraph_app
    USING (strpos(visible_to, app.deletes('opportunities')) > 0 OR strpos(visible_to, app.me()) > 0);
DROP POLICY IF EXISTS opportunities_owner ON opportunities;
CREATE POLICY opportunities_owner ON opportunities TO dealgraph_owner USING (true) WITH CHECK (true);

-- Contacts of a deal follow the deal.
ALTER TABLE opportunity_contacts ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
REVOKE ALL ON opportunity_contacts FROM PUBLIC, dealgraph_app, dealgraph_system;
GRANT SELECT, DELETE ON opportunity_contacts TO dealgraph_app;
GRANT INSERT (
    tenant_id, opportunity_id, contact_id, role, visible_to, created_at
) ON opportunity_contacts TO dealgraph_app;
GRANT UPDATE (
    role, visible_to
) ON opportunity_contacts TO dealgraph_app;

DROP POLICY IF EXISTS opportunity_contacts_read_tenant ON opportunity_contacts;
CREATE POLICY opportunity_contacts_read_tenant ON opportunity_contacts AS RESTRICTIVE FOR SELECT TO dealgraph_app
    USING (tenant_id = app.tenant_for('opportunities:read'));
DROP POLICY IF EXISTS opportunity_contacts_read_scope ON opportunity_contacts;
CREATE POLICY opportunity_contacts_read_scope ON opportunity_contacts FOR SELECT TO dealgraph_app
    USING (strpos(visible_to, app.sees('opportunities')) > 0 OR strpos(visible_to, app.me()) > 0);
DROP POLICY IF EXISTS opportunity_contacts_insert_tenant ON opportunity_contacts;
CREATE POLICY opportunity_contacts_insert_tenant ON opportunity_contacts AS RESTRICTIVE FOR INSERT TO dealgraph_app
    WITH CHECK (tenant_id = app.tenant_for('opportunities:write'));
DROP POLICY IF EXISTS opportunity_contacts_insert_scope ON opportunity_contacts;
CREATE POLICY opportunity_contacts_insert_scope ON opportunity_contacts FOR INSERT TO dealgraph_app
    WITH CHECK (strpos(visible_to, app.edits('opportunities')) > 0 OR strpos(visible_to, app.me()) > 0);
DROP POLICY IF EXISTS opportunity_contacts_update_tenant ON opportunity_contacts;
CREATE POLICY opportunity_contacts_update_tenant ON opportunity_contacts AS RESTRICTIVE FOR UPDATE TO dealgraph_app
    USING (tenant_id = app.tenant_for('opportunities:write'))
    WITH CHECK (tenant_id = app.tenant_for('opportunities:write'));
DROP POLICY IF EXISTS opportunity_contacts_update_scope ON opportunity_contacts;
CREATE POLICY opportunity_contacts_update_scope ON opportunity_contacts FOR UPDATE TO dealgraph_app
    USING (strpos(visible_to, app.edits('opportunities')) > 0 OR strpos(visible_to, app.me()) > 0)
    WITH CHECK (strpos(visible_to, app.edits('opportunities')) > 0 OR strpos(visible_to, app.me()) > 0);
DROP POLICY IF EXISTS opportunity_contacts_delete_tenant ON opportunity_contacts;
CREATE POLICY opportunity_contacts_delete_tenant ON opportunity_contacts AS RESTRICTIVE FOR DELETE TO dealgraph_app
    USING (tenant_id = app.tenant_for('opportunities:write'));
DROP POLICY IF EXISTS opportunity_contacts_delete_scope ON opportunity_contacts;
CREATE POLICY opportunity_contacts_delete_scope ON opportunity_contacts FOR DELETE TO dealgraph_app
    USING (strpos(visible_to, app.edits('opportunities')) > 0 OR strpos(visible_to, app.me()) > 0);
DROP POLICY IF EXISTS opportunity_contacts_owner ON opportunity_contacts;
CREATE POLICY opportunity_contacts_owner ON opportunity_contacts TO dealgraph_owner USING (true) WITH CHECK (true);

-- People added to a deal follow the deal.
ALTER TABLE opportunity_users ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
REVOKE ALL ON opportunity_users FROM PUBLIC, dealgraph_app, dealgraph_system;
GRANT SELECT, DELETE ON opportunity_users TO dealgraph_app;
GRANT INSERT (
    tenant_id, opportunity_id, user_id, role, visible_to, created_at
) ON opportunity_users TO dealgraph_app;
GRANT UPDATE (
    role, visible_to
) ON opportunity_users TO dealgraph_app;

DROP POLICY IF EXISTS opportunity_users_read_tenant ON opportunity_users;
CREATE POLICY opportunity_users_read_tenant ON opportunity_users AS RESTRICTIVE FOR SELECT TO dealgraph_app
    USING (tenant_id = app.tenant_for('opportunities:read'));
DROP POLICY IF EXISTS opportunity_users_read_scope ON opportunity_users;
CREATE POLICY opportunity_users_read_scope ON opportunity_users FOR SELECT TO dealgraph_app
    USING (strpos(visible_to, app.sees('opportunities')) > 0 OR strpos(visible_to, app.me()) > 0);
DROP POLICY IF EXISTS opportunity_users_insert_tenant ON opportunity_users;
CREATE POLICY opportunity_users_insert_tenant ON opportunity_users AS RESTRICTIVE FOR INSERT TO dealgraph_app
    WITH CHECK (tenant_id = app.tenant_for('opportunities:write'));
DROP POLICY IF EXISTS opportunity_users_insert_scope ON opportunity_users;
CREATE POLICY opportunity_users_insert_scope ON opportunity_users FOR INSERT TO dealgraph_app
    WITH CHECK (strpos(visible_to, app.edits('opportunities')) > 0 OR strpos(visible_to, app.me()) > 0);
DROP POLICY IF EXISTS opportunity_users_update_tenant ON opportunity_users;
CREATE POLICY opportunity_users_update_tenant ON opportunity_users AS RESTRICTIVE FOR UPDATE TO dealgraph_app
    USING (tenant_id = app.tenant_for('opportunities:write'))
    WITH CHECK (tenant_id = app.tenant_for('opportunities:write'));
DROP POLICY IF EXISTS opportunity_users_update_scope ON opportunity_users;
CREATE POLICY opportunity_users_update_scope ON opportunity_users FOR UPDATE TO dealgraph_app
    USING (strpos(visible_to, app.edits('opportunities')) > 0 OR strpos(visible_to, app.me()) > 0)
    WITH CHECK (strpos(visible_to, app.edits('opportunities')) > 0 OR strpos(visible_to, app.me()) > 0);
DROP POLICY IF EXISTS opportunity_users_delete_tenant ON opportunity_users;
CREATE POLICY opportunity_users_delete_tenant ON opportunity_users AS RESTRICTIVE FOR DELETE TO dealgraph_app
    USING (tenant_id = app.tenant_for('opportunities:write'));
DROP POLICY IF EXISTS opportunity_users_delete_scope ON opportunity_users;
CREATE POLICY opportunity_users_delete_scope ON opportunity_users FOR DELETE TO dealgraph_app
    USING (strpos(visible_to, app.edits('opportunities')) > 0 OR strpos(visible_to, app.me()) > 0);
DROP POLICY IF EXISTS opportunity_users_owner ON opportunity_users;
CREATE POLICY opportunity_users_owner ON opportunity_users TO dealgraph_owner USING (true) WITH CHECK (true);

-- Stage history follows the deal and is append-only: nothing but who sees it is ever updated, nothing is deleted
-- (a deal that is deleted for good takes its history along by its foreign key).
ALTER TABLE opportunity_stage_history ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
REVOKE ALL ON opportunity_stage_history FROM PUBLIC, dealgraph_app, dealgraph_system;
GRANT SELECT ON opportunity_stage_history TO dealgraph_app;
GRANT INSERT (
    tenant_id, stage_change_id, opportunity_id, from_stage_id, to_stage_id, from_status, to_status,
    amount_minor, amount_currency, probability, stood_seconds, changed_at, changed_by, visible_to
) ON opportunity_stage_history TO dealgraph_app;
GRANT UPDATE (
    visible_to
) ON opportunity_stage_history TO dealgraph_app;

DROP POLICY IF EXISTS opportunity_stage_history_read_tenant ON opportunity_stage_history;
CREATE POLICY opportunity_stage_history_read_tenant ON opportunity_stage_history AS RESTRICTIVE FOR SELECT TO dealgraph_app
    USING (tenant_id = app.tenant_for('opportunities:read'));
DROP POLICY IF EXISTS opportunity_stage_history_read_scope ON opportunity_stage_history;
CREATE POLICY opportunity_stage_history_read_scope ON opportunity_stage_history FOR SELECT TO dealgraph_app
    USING (strpos(visible_to, app.sees('opportunities')) > 0 OR strpos(visible_to, app.me()) > 0);
DROP POLICY IF EXISTS opportunity_stage_history_insert_tenant ON opportunity_stage_history;
CREATE POLICY opportunity_stage_history_insert_tenant ON opportunity_stage_history AS RESTRICTIVE FOR INSERT TO dealgraph_app
    WITH CHECK (tenant_id = app.tenant_for('opportunities:write'));
DROP POLICY IF EXISTS opportunity_stage_history_insert_scope ON opportunity_stage_history;
CREATE POLICY opportunity_stage_history_insert_scope ON opportunity_stage_history FOR INSERT TO dealgraph_app
    WITH CHECK (strpos(visible_to, app.edits('opportunities')) > 0 OR strpos(visible_to, app.me()) > 0);
DROP POLICY IF EXISTS opportunity_stage_history_update_tenant ON opportunity_stage_history;
CREATE POLICY opportunity_stage_history_update_tenant ON opportunity_stage_history AS RESTRICTIVE FOR UPDATE TO dealgraph_app
    USING (tenant_id = app.tenant_for('opportunities:write'))
    WITH CHECK (tenant_id = app.tenant_for('opportunities:write'));
DROP POLICY IF EXISTS opportunity_stage_history_update_scope ON opportunity_stage_history;
CREATE POLICY opportunity_stage_history_update_scope ON opportunity_stage_history FOR UPDATE TO dealgraph_app
    USING (strpos(visible_to, app.edits('opportunities')) > 0 OR strpos(visible_to, app.me()) > 0)
    WITH CHECK (strpos(visible_to, app.edits('opportunities')) > 0 OR strpos(visible_to, app.me()) > 0);
DROP POLICY IF EXISTS opportunity_stage_history_owner ON opportunity_stage_history;
CREATE POLICY opportunity_stage_history_owner ON opportunity_stage_history TO dealgraph_owner USING (true) WITH CHECK (true);

-- Whether an id that somebody was told is none belongs to another tenant is asked afterwards, for both tenants' audit
-- logs. For that the system reads whose an id is, and no other column.
GRANT SELECT (tenant_id, opportunity_id) ON opportunities TO dealgraph_system;
DROP POLICY IF EXISTS opportunities_system ON opportunities;
CREATE POLICY opportunities_system ON opportunities FOR SELECT TO dealgraph_system USING (true);

-- Where a card stands is a matter of all cards of its column, also of those that whoever moves it does not see: a card
-- that makes room must pass none of them. So these three look beyond the row scope, within the tenant and the right to
-- write deals. They say and change nothing but places in a column; the server tells of them only those who see the deal.
CREATE OR REPLACE FUNCTION app.cards_before(stage uuid, place text, card uuid, but_for uuid, most integer)
    RETURNS TABLE (opportunity_id uuid, board_position text)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
    AS $$
    SELECT t.opportunity_id, t.board_position FROM opportunities t
    WHERE t.tenant_id = app.tenant_for('opportunities:write') AND t.stage_id = stage AND t.opportunity_id <> but_for
      AND (t.board_position, t.opportunity_id) <= (place, card)
    ORDER BY t.board_position DESC, t.opportunity_id DESC LIMIT most
    $$;

CREATE OR REPLACE FUNCTION app.cards_after(stage uuid, place text, card uuid, but_for uuid, most integer)
    RETURNS TABLE (opportunity_id uuid, board_position text)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
    AS $$
    SELECT t.opportunity_id, t.board_position FROM opportunities t
    WHERE t.tenant_id = app.tenant_for('opportunities:write') AND t.stage_id = stage AND t.opportunity_id <> but_for
      AND (t.board_position, t.opportunity_id) > (place, card)
    ORDER BY t.board_position, t.opportunity_id LIMIT most
    $$;

CREATE OR REPLACE FUNCTION app.place_cards(stage uuid, cards uuid[], places text[])
    RETURNS TABLE (opportunity_id uuid, board_position text, version integer, visible_to text)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
    AS $$
#variable_conflict use_column
BEGIN
    -- In the order of their ids, as all who lock several deals do.
    PERFORM FROM opportunities t
    WHERE t.tenant_id = app.tenant_for('opportunities:write') AND t.opportunity_id = ANY (cards)
    ORDER BY t.opportunity_id FOR NO KEY UPDATE;
    RETURN QUERY UPDATE opportunities t SET board_position = v.place FROM unnest(cards, places) AS v (card, place)
    WHERE t.tenant_id = app.tenant_for('opportunities:write') AND t.opportunity_id = v.card
      AND t.stage_id = place_cards.stage AND t.board_position <> v.place
    RETURNING t.opportunity_id, t.board_position, t.version, t.visible_to;
END
$$;

REVOKE ALL ON FUNCTION app.cards_before(uuid, text, uuid, uuid, integer), app.cards_after(uuid, text, uuid, uuid, integer),
    app.place_cards(uuid, uuid[], text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.cards_before(uuid, text, uuid, uuid, integer), app.cards_after(uuid, text, uuid, uuid, integer),
    app.place_cards(uuid, uuid[], text[]) TO dealgraph_app;
