-- Deals come about evenly over two years. Half of them are open, spread over four stages; six of ten open ones wait
-- for a member, half of those longer than they should.
INSERT INTO opportunities (
    tenant_id, opportunity_id, name, name_normalized, pipeline_id, stage_id, stage_entered_at, status, board_position,
    amount_minor, amount_currency, probability, expected_close_on, won_at, lost_at, lost_reason, source, company_id,
    primary_contact_id, next_action_at, next_action_kind, next_action_details, next_action_owner_id, last_activity_at,
    owner_id, team_path, created_at, created_by, updated_at, updated_by
)
SELECT
    t.tenant_id,
    bench.id(7, t.nr, n),
    'Deal ' || n || ' of company ' || 1 + n % t.companies,
    'deal ' || n || ' of company ' || 1 + n % t.companies,
    bench.id(3, t.nr, 0),
    bench.id(4, t.nr, s.stage),
    s.born + interval '3 days',
    s.status,
    lpad(bench.dice(n, 1, 1000000000)::text, 10, '0') || 'V',
    100 * (500 + bench.dice(n, 2, 50000)),
    'USD',
    s.probability,
    (s.born + interval '90 days')::date,
    CASE s.status WHEN 'WON' THEN s.born + interval '3 days' END,
    CASE s.status WHEN 'LOST' THEN s.born + interval '3 days' END,
    CASE s.status WHEN 'LOST' THEN 'price' END,
    (ARRAY['referral', 'web', 'event', 'cold call'])[1 + bench.dice(n, 3, 4)],
    bench.id(5, t.nr, 1 + (2 * n) % t.companies),
    CASE WHEN t.contacts > 0 THEN bench.id(6, t.nr, 2 * n) END,
    a.at,
    CASE WHEN a.at IS NOT NULL THEN (ARRAY['CALL', 'EMAIL', 'MEETING', 'TASK'])[1 + bench.dice(n, 4, 4)] END,
    CASE WHEN a.at IS NOT NULL THEN 'ask whether the offer arrived' END,
    CASE WHEN a.at IS NOT NULL THEN bench.id(2, t.nr, o.person) END,
    s.born + interval '20 days',
    bench.id(2, t.nr, o.person),
    bench.place(t.nr, o.person),
    s.born,
    'import:bench',
    s.born,
    'import:bench'
FROM bench.tenants t
CROSS JOIN LATERAL generate_series(1, t.deals) n
CROSS JOIN LATERAL (SELECT 1 + bench.dice(n, 5, t.people) AS person) o
CROSS JOIN LATERAL (SELECT bench.dice(n, 6, 100) AS percent) d
CROSS JOIN LATERAL (
    SELECT
        now() - interval '730 days' / t.deals * (t.deals - n) - interval '1 hour' AS born,
        CASE WHEN percent < 50 THEN bench.dice(n, 7, 4) WHEN percent < 80 THEN 4 ELSE 5 END AS stage,
        CASE WHEN percent < 50 THEN 'OPEN' WHEN percent < 80 THEN 'WON' ELSE 'LOST' END AS status,
        CASE WHEN percent < 50 THEN (ARRAY[10, 30, 50, 80])[1 + bench.dice(n, 7, 4)] WHEN percent < 80 THEN 100 ELSE 0 END AS probability
) s
CROSS JOIN LATERAL (
    SELECT CASE
        WHEN s.status = 'OPEN' AND bench.dice(n, 8, 10) < 6 THEN now() + interval '1 minute' * (bench.dice(n, 9, 57600) - 28800)
    END AS at
) a;

INSERT INTO opportunity_contacts (tenant_id, opportunity_id, contact_id, role, visible_to, created_at)
SELECT tenant_id, opportunity_id, primary_contact_id, 'decision maker', visible_to, created_at
FROM opportunities
WHERE primary_contact_id IS NOT NULL;

INSERT INTO opportunity_stage_history (
    tenant_id, stage_change_id, opportunity_id, to_stage_id, to_status, amount_minor, amount_currency, probability,
    changed_at, changed_by, visible_to
)
SELECT
    o.tenant_id, gen_random_uuid(), o.opportunity_id, o.stage_id, o.status, o.amount_minor, o.amount_currency,
    o.probability, o.stage_entered_at, 'import:bench', o.visible_to
FROM opportunities o
WHERE o.primary_contact_id IS NOT NULL;
