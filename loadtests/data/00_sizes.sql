-- Two tenants alike in all but their size, for comparing what a page takes; {deals} is put in by the program.
CREATE SCHEMA bench;

CREATE TABLE bench.tenants AS
SELECT
    nr,
    ('00000000-0000-7000-8000-' || lpad(nr::text, 12, '0'))::uuid AS tenant_id,
    name,
    deals,
    100 AS people,
    deals / 5 AS companies,
    0 AS contacts,
    0 AS activities_per_deal
FROM (VALUES (1, 'small', 10000), (2, 'large', {deals})) sizes (nr, name, deals);
