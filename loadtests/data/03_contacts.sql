INSERT INTO contacts (
    tenant_id, contact_id, first_name, last_name, name_normalized, job_title, company_id, owner_id, team_path,
    warmness_score, email_normalized, created_at, created_by, updated_at, updated_by
)
SELECT
    t.tenant_id,
    bench.id(6, t.nr, n),
    'First' || bench.dice(n, 1, 400),
    'Last' || n,
    'first' || bench.dice(n, 1, 400) || ' last' || n,
    (ARRAY['Head of purchasing', 'Engineer', 'Managing director', 'Assistant'])[1 + bench.dice(n, 2, 4)],
    bench.id(5, t.nr, 1 + n % t.companies),
    bench.id(2, t.nr, o.person),
    bench.place(t.nr, o.person),
    bench.dice(n, 3, 101),
    'contact' || n || '@company' || 1 + n % t.companies || '.example',
    now() - interval '1 day' * (730 - n % 730),
    'import:bench',
    now() - interval '1 day' * (730 - n % 730),
    'import:bench'
FROM bench.tenants t
CROSS JOIN LATERAL generate_series(1, t.contacts) n
CROSS JOIN LATERAL (SELECT 1 + bench.dice(n, 4, t.people) AS person) o;
