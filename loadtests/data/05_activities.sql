-- What was done about each deal, mostly by its owner.
INSERT INTO activities (
    tenant_id, activity_id, kind, subject, body, direction, status, due_at, done_at, outcome, occurred_at, owner_id, team_path,
    targets_visible_to, created_at, created_by, updated_at, updated_by
)
SELECT
    t.tenant_id,
    bench.id(8, t.nr, a.n),
    (ARRAY['CALL', 'EMAIL', 'MEETING', 'NOTE'])[1 + bench.dice(a.n, 1, 4)],
    'Talked about the offer, part ' || i,
    'They want to look at the numbers again and will come back to us next week.',
    'OUTBOUND',
    'DONE',
    NULL,
    a.at,
    'interested',
    a.at,
    o.person_id,
    o.place,
    substr(d.visible_to, 2),
    a.at,
    'import:bench',
    a.at,
    'import:bench'
FROM bench.tenants t
CROSS JOIN LATERAL generate_series(1, t.deals) n
CROSS JOIN LATERAL generate_series(1, t.activities_per_deal) i
JOIN opportunities d ON d.tenant_id = t.tenant_id AND d.opportunity_id = bench.id(7, t.nr, n)
CROSS JOIN LATERAL (
    SELECT n * t.activities_per_deal + i AS n, d.created_at + interval '3 days' * i + interval '1 minute' * bench.dice(n * 10 + i, 2, 4000) AS at
) a
CROSS JOIN LATERAL (SELECT 1 + bench.dice(a.n, 3, t.people) AS person, bench.dice(a.n, 4, 10) < 7 AS own) w
CROSS JOIN LATERAL (
    SELECT
        CASE WHEN own THEN d.owner_id ELSE bench.id(2, t.nr, person) END AS person_id,
        CASE WHEN own THEN d.team_path ELSE bench.place(t.nr, person) END AS place
) o;

INSERT INTO activity_targets (tenant_id, activity_id, opportunity_id, occurred_at, target_visible_to, visible_to)
SELECT a.tenant_id, a.activity_id, bench.id(7, t.nr, n), a.occurred_at, a.targets_visible_to, a.visible_to
FROM bench.tenants t
CROSS JOIN LATERAL generate_series(1, t.deals) n
CROSS JOIN LATERAL generate_series(1, t.activities_per_deal) i
JOIN activities a ON a.tenant_id = t.tenant_id AND a.activity_id = bench.id(8, t.nr, n * t.activities_per_deal + i);
