-- Opportunities: read, written and deleted by permission, within the row scope for opportunities.
CALL app.secure_owned_table('opportunities', id => 'opportunity_id', kind => 'opportunities');
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

-- Contacts of a deal follow the deal.
CALL app.secure_part_table('opportunity_contacts', kind => 'opportunities');
GRANT INSERT (
    tenant_id, opportunity_id, contact_id, role, visible_to, created_at
) ON opportunity_contacts TO dealgraph_app;
GRANT UPDATE (
    role, visible_to
) ON opportunity_contacts TO dealgraph_app;

-- Members added to a deal follow the deal.
CALL app.secure_part_table('opportunity_users', kind => 'opportunities');
GRANT INSERT (
    tenant_id, opportunity_id, user_id, role, visible_to, created_at
) ON opportunity_users TO dealgraph_app;
GRANT UPDATE (
    role, visible_to
) ON opportunity_users TO dealgraph_app;

-- Stage history follows the deal and is append-only: nothing but who sees it is ever updated, nothing is deleted
-- (a deal that is deleted for good takes its history along by its foreign key).
CALL app.secure_table('opportunity_stage_history');
CALL app.permit_in_scope('opportunity_stage_history', 'SELECT', kind => 'opportunities', of_right => 'read');
CALL app.permit_in_scope('opportunity_stage_history', 'INSERT', kind => 'opportunities', of_right => 'write');
CALL app.permit_in_scope('opportunity_stage_history', 'UPDATE', kind => 'opportunities', of_right => 'write');
GRANT INSERT (
    tenant_id, stage_change_id, opportunity_id, from_stage_id, to_stage_id, from_status, to_status,
    amount_minor, amount_currency, probability, stood_seconds, changed_at, changed_by, visible_to
) ON opportunity_stage_history TO dealgraph_app;
GRANT UPDATE (
    visible_to
) ON opportunity_stage_history TO dealgraph_app;

-- The position of a card depends on all cards of its column, also on those that the actor does not see: a card that makes
-- room must pass none of them. So these three look beyond the row scope, within the tenant and the right to write deals.
-- They return and change nothing but board positions; the server notifies only subscribers who see the deal.
-- On a Citus cluster each call runs where the tenant is: `of_tenant` says where, and the statements name no other tenant.
-- In PL/pgSQL, because Citus does not plan a function's arguments within SQL functions.
CREATE OR REPLACE FUNCTION app.cards_before(
        of_tenant uuid, stage uuid, place text, card uuid, but_for uuid, most integer
    )
    RETURNS TABLE (opportunity_id uuid, board_position text)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
    AS $$
#variable_conflict use_column
BEGIN
    IF of_tenant = app.tenant_for('opportunities:write') THEN
        RETURN QUERY SELECT t.opportunity_id, t.board_position FROM opportunities t
        WHERE t.tenant_id = of_tenant AND t.stage_id = stage AND t.opportunity_id <> but_for
          AND (t.board_position, t.opportunity_id) <= (place, card)
        ORDER BY t.board_position DESC, t.opportunity_id DESC LIMIT most;
    END IF;
END
$$;

CREATE OR REPLACE FUNCTION app.cards_after(
        of_tenant uuid, stage uuid, place text, card uuid, but_for uuid, most integer
    )
    RETURNS TABLE (opportunity_id uuid, board_position text)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
    AS $$
#variable_conflict use_column
BEGIN
    IF of_tenant = app.tenant_for('opportunities:write') THEN
        RETURN QUERY SELECT t.opportunity_id, t.board_position FROM opportunities t
        WHERE t.tenant_id = of_tenant AND t.stage_id = stage AND t.opportunity_id <> but_for
          AND (t.board_position, t.opportunity_id) > (place, card)
        ORDER BY t.board_position, t.opportunity_id LIMIT most;
    END IF;
END
$$;

CREATE OR REPLACE FUNCTION app.place_cards(of_tenant uuid, stage uuid, cards uuid[], places text[])
    RETURNS TABLE (opportunity_id uuid, board_position text, version integer, visible_to text)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
    AS $$
#variable_conflict use_column
BEGIN
    IF of_tenant = app.tenant_for('opportunities:write') THEN
        -- In the order of their ids, as everything that locks several deals does.
        PERFORM FROM opportunities t
        WHERE t.tenant_id = of_tenant AND t.opportunity_id = ANY (cards)
        ORDER BY t.opportunity_id FOR NO KEY UPDATE;
        RETURN QUERY UPDATE opportunities t SET board_position = v.place FROM unnest(cards, places) AS v (card, place)
        WHERE t.tenant_id = of_tenant AND t.opportunity_id = v.card
          AND t.stage_id = place_cards.stage AND t.board_position <> v.place
        RETURNING t.opportunity_id, t.board_position, t.version, t.visible_to;
    END IF;
END
$$;

-- Servers of the version before call these, without the tenant.
CREATE OR REPLACE FUNCTION app.cards_before(stage uuid, place text, card uuid, but_for uuid, most integer)
    RETURNS TABLE (opportunity_id uuid, board_position text)
    LANGUAGE sql STABLE
    AS $$ SELECT * FROM app.cards_before(app.tenant_id(), stage, place, card, but_for, most) $$;

CREATE OR REPLACE FUNCTION app.cards_after(stage uuid, place text, card uuid, but_for uuid, most integer)
    RETURNS TABLE (opportunity_id uuid, board_position text)
    LANGUAGE sql STABLE
    AS $$ SELECT * FROM app.cards_after(app.tenant_id(), stage, place, card, but_for, most) $$;

CREATE OR REPLACE FUNCTION app.place_cards(stage uuid, cards uuid[], places text[])
    RETURNS TABLE (opportunity_id uuid, board_position text, version integer, visible_to text)
    LANGUAGE sql
    AS $$ SELECT * FROM app.place_cards(app.tenant_id(), stage, cards, places) $$;

REVOKE ALL ON FUNCTION app.cards_before(uuid, uuid, text, uuid, uuid, integer),
    app.cards_after(uuid, uuid, text, uuid, uuid, integer), app.place_cards(uuid, uuid, uuid[], text[]),
    app.cards_before(uuid, text, uuid, uuid, integer), app.cards_after(uuid, text, uuid, uuid, integer),
    app.place_cards(uuid, uuid[], text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.cards_before(uuid, uuid, text, uuid, uuid, integer),
    app.cards_after(uuid, uuid, text, uuid, uuid, integer), app.place_cards(uuid, uuid, uuid[], text[]),
    app.cards_before(uuid, text, uuid, uuid, integer), app.cards_after(uuid, text, uuid, uuid, integer),
    app.place_cards(uuid, uuid[], text[]) TO dealgraph_app;
