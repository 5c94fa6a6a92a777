-- Which tenants there are and how large they are; all further files follow this table.
-- Fifty live side by side, one of them 25 times larger. Two more have deals only, to compare due lists.
CREATE SCHEMA bench;

CREATE TABLE bench.tenants AS
SELECT
    nr,
    bench_id AS tenant_id,
    name,
    deals,
    people,
    deals / 5 AS companies,
    CASE WHEN rich THEN 2 * deals ELSE 0 END AS contacts,
    CASE WHEN rich THEN 6 ELSE 0 END AS activities_per_deal
FROM (
    SELECT
        nr,
        ('00000000-0000-7000-8000-' || lpad(nr::text, 12, '0'))::uuid AS bench_id,
        CASE nr WHEN 1 THEN 'large' WHEN 51 THEN 'due-small' WHEN 52 THEN 'due-large' ELSE 'small-' || nr END AS name,
        CASE nr WHEN 1 THEN 25000 WHEN 52 THEN 100000 ELSE 1000 END AS deals,
        CASE WHEN nr IN (1, 52) THEN 100 ELSE 20 END AS people,
        nr <= 50 AS rich
    FROM generate_series(1, 52) nr
) sizes;
