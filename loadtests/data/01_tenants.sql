-- The tenants of bench.tenants, with their people, teams and stages; all further files follow that table too.
-- The nth record of a kind in a tenant: a version 7 id whose time grows with n.
CREATE FUNCTION bench.id(kind integer, tenant integer, n integer) RETURNS uuid
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN (lpad(to_hex(1735689600000 + n::bigint * 60000), 12, '0') || '7' || lpad(to_hex(kind), 3, '0')
            || '8' || lpad(to_hex(tenant), 3, '0') || substr(md5(kind || '.' || tenant || '.' || n), 1, 12))::uuid;

-- A number below `below` that looks like chance and is the same each time.
CREATE FUNCTION bench.dice(n integer, salt integer, below integer) RETURNS integer
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN (abs(hashint8(n::bigint * 1000 + salt)::bigint) % below)::integer;

-- The place of the nth person of a tenant: the four teams hang below one.
CREATE FUNCTION bench.segment(tenant integer, team integer) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN right(bench.id(1, tenant, team)::text, 12) || '.';
CREATE FUNCTION bench.place(tenant integer, person integer) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN bench.segment(tenant, 0) || bench.segment(tenant, 1 + person % 4);

INSERT INTO tenants (tenant_id, slug, name, base_currency, created_at, updated_at)
SELECT tenant_id, name, initcap(name), 'USD', now(), now() FROM bench.tenants;

INSERT INTO tenant_seq (tenant_id, epoch)
SELECT tenant_id, gen_random_uuid() FROM bench.tenants;

INSERT INTO teams (tenant_id, team_id, name, parent_team_id, path, created_at)
SELECT
    t.tenant_id,
    bench.id(1, t.nr, team),
    CASE team WHEN 0 THEN 'Sales' ELSE 'Sales ' || team END,
    CASE WHEN team > 0 THEN bench.id(1, t.nr, 0) END,
    bench.segment(t.nr, 0) || CASE WHEN team > 0 THEN bench.segment(t.nr, team) ELSE '' END,
    now()
FROM bench.tenants t CROSS JOIN generate_series(0, 4) team
ORDER BY team;

INSERT INTO users (user_id, email, email_normalized, name, created_at)
SELECT
    bench.id(2, t.nr, person),
    'person' || person || '@' || t.name || '.example',
    'person' || person || '@' || t.name || '.example',
    'Person ' || person || ' Of ' || initcap(t.name),
    now()
FROM bench.tenants t CROSS JOIN LATERAL generate_series(1, t.people) person;

-- The first person of a tenant is its admin and sees all.
INSERT INTO memberships (tenant_id, user_id, email, name, name_normalized, role, team_id, team_path, created_at)
SELECT
    t.tenant_id,
    u.user_id,
    u.email,
    u.name,
    lower(u.name),
    CASE person WHEN 1 THEN 'ADMIN' ELSE 'SALES_REP' END,
    bench.id(1, t.nr, 1 + person % 4),
    bench.place(t.nr, person),
    now()
FROM bench.tenants t
CROSS JOIN LATERAL generate_series(1, t.people) person
JOIN users u ON u.user_id = bench.id(2, t.nr, person);

INSERT INTO pipelines (tenant_id, pipeline_id, name, position, preferred, created_at, created_by, updated_at, updated_by)
SELECT tenant_id, bench.id(3, nr, 0), 'Sales', 0, true, now(), 'import:bench', now(), 'import:bench' FROM bench.tenants;

INSERT INTO stages (tenant_id, stage_id, pipeline_id, name, position, kind, probability, rotten_after_days)
SELECT t.tenant_id, bench.id(4, t.nr, s.n), bench.id(3, t.nr, 0), s.name, s.n, s.kind, s.probability, s.rotten
FROM bench.tenants t
CROSS JOIN (VALUES
    (0, 'Prospecting', 'OPEN', 10, 30),
    (1, 'Engaging', 'OPEN', 30, 30),
    (2, 'Proposal', 'OPEN', 50, 20),
    (3, 'Negotiation', 'OPEN', 80, 10),
    (4, 'Won', 'WON', 100, NULL),
    (5, 'Lost', 'LOST', 0, NULL)
) s (n, name, kind, probability, rotten);
