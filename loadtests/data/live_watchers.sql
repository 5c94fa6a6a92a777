-- People of the large tenant who see all of it: eight analysts, and a viewer, who is of another visibility class.
INSERT INTO users (user_id, email, email_normalized, name, created_at)
SELECT bench.id(2, 1, 10000 + n), email, email, name, now()
FROM generate_series(1, 9) n, LATERAL (SELECT 'watcher' || n || '@large.example' AS email, 'Watcher ' || n AS name) w
ON CONFLICT DO NOTHING;

INSERT INTO memberships (tenant_id, user_id, email, name, name_normalized, role, created_at)
SELECT t.tenant_id, u.user_id, u.email, u.name, lower(u.name), CASE n WHEN 9 THEN 'VIEWER' ELSE 'ANALYST' END, now()
FROM bench.tenants t, generate_series(1, 9) n JOIN users u ON u.user_id = bench.id(2, 1, 10000 + n)
WHERE t.nr = 1
ON CONFLICT DO NOTHING;
