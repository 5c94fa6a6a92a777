INSERT INTO companies (
    tenant_id, company_id, name, name_normalized, domain, industry, employee_count, city, country, owner_id, team_path,
    created_at, created_by, updated_at, updated_by
)
SELECT
    t.tenant_id,
    bench.id(5, t.nr, n),
    'Company ' || n || ' Holding',
    'company ' || n || ' holding',
    'company' || n || '.example',
    (ARRAY['software', 'retail', 'finance', 'medical', 'marketing'])[1 + bench.dice(n, 1, 5)],
    10 + bench.dice(n, 2, 5000),
    'Springfield',
    'US',
    bench.id(2, t.nr, o.person),
    bench.place(t.nr, o.person),
    now() - interval '1 day' * (730 - n % 730),
    'import:bench',
    now() - interval '1 day' * (730 - n % 730),
    'import:bench'
FROM bench.tenants t
CROSS JOIN LATERAL generate_series(1, t.companies) n
CROSS JOIN LATERAL (SELECT 1 + bench.dice(n, 3, t.people) AS person) o;
