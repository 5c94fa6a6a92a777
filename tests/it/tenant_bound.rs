//! No statement touches a tenant table without binding the tenant there. Every world judges its statements by this at its end;
//! here it is shown that the judgement is able to fail.

use crate::harness::{faults, unbound};

#[test]
fn a_statement_that_binds_the_tenant_in_every_arm_is_lawful() {
    for lawful in [
        "SELECT t.company_id FROM companies t WHERE t.tenant_id = $1 AND t.name = 'FROM leads x'",
        "SELECT user_id, team_path FROM memberships WHERE tenant_id = $1 AND user_id = ANY($2)",
        "INSERT INTO companies AS t (tenant_id, company_id) VALUES ($1, $2) RETURNING t.company_id",
        "INSERT INTO events (tenant_id, seq) VALUES ($1, $2), ($3, $4)",
        "UPDATE companies t SET name = $1 WHERE t.tenant_id = $2 AND t.company_id = $3",
        "UPDATE companies SET name = $1 FROM contacts c WHERE companies.tenant_id = $2 AND c.tenant_id = $3",
        "DELETE FROM companies WHERE tenant_id = $1",
        "SELECT k.key, c.n FROM unnest($1) AS k(key) CROSS JOIN LATERAL (SELECT count(*) AS n FROM activity_targets l \
         JOIN activities t ON t.tenant_id = $2 AND l.activity_id = t.activity_id WHERE l.tenant_id = $3) c",
        "SELECT t.name FROM companies t WHERE t.tenant_id = $1 AND EXISTS (SELECT FROM contacts r WHERE r.tenant_id = $2 AND r.company_id = t.company_id)",
        "WITH RECURSIVE above AS (SELECT t.company_id FROM companies t WHERE t.tenant_id = $1 UNION ALL SELECT p.company_id FROM above \
         JOIN companies p ON p.company_id = above.company_id AND p.tenant_id = $2) SELECT count(*) FROM above",
        "SELECT 1 FROM users WHERE email_normalized = $1",
        "SELECT t.name FROM companies t LEFT JOIN contacts c ON (c.tenant_id = $2::uuid AND c.company_id = t.company_id) WHERE t.tenant_id = $1",
        "SELECT t.name FROM (SELECT c.name FROM companies c WHERE c.tenant_id = $1 UNION ALL SELECT l.name FROM leads l WHERE l.tenant_id = $2) t",
    ] {
        assert_eq!(unbound(lawful), [""; 0], "{lawful}");
    }
}

#[test]
fn a_statement_that_forgets_the_tenant_in_one_arm_is_found() {
    for (unlawful, table) in [
        ("SELECT count(*) FROM companies", "companies"),
        (
            "SELECT t.name FROM companies t WHERE t.company_id = $1",
            "companies",
        ),
        (
            "SELECT t.name FROM companies t JOIN contacts c ON c.company_id = t.company_id WHERE t.tenant_id = $1",
            "contacts",
        ),
        (
            "SELECT t.name FROM companies t, leads l WHERE t.tenant_id = $1",
            "leads",
        ),
        (
            "SELECT t.name FROM companies t JOIN contacts c ON c.tenant_id = t.tenant_id WHERE t.tenant_id = $1",
            "contacts",
        ),
        (
            "SELECT t.name FROM companies t WHERE t.tenant_id = $1 AND EXISTS (SELECT FROM leads r WHERE r.owner_id = t.owner_id)",
            "leads",
        ),
        (
            "UPDATE companies t SET name = $1 WHERE t.company_id = $2",
            "companies",
        ),
        (
            "UPDATE companies SET name = $1 FROM contacts c WHERE c.company_id = companies.company_id AND c.tenant_id = $2",
            "companies",
        ),
        ("DELETE FROM events WHERE seq < $1", "events"),
        // A condition that need not hold, or that holds elsewhere, binds nothing.
        (
            "SELECT t.name FROM companies t WHERE t.tenant_id = $1 OR t.name = $2",
            "companies",
        ),
        (
            "SELECT t.name FROM companies t WHERE NOT (t.tenant_id = $1)",
            "companies",
        ),
        (
            "SELECT t.name FROM companies t WHERE t.company_id IN (SELECT t.company_id FROM contacts t WHERE t.tenant_id = $1)",
            "companies",
        ),
        (
            "SELECT t.name FROM companies t WHERE t.tenant_id = $1 AND EXISTS (SELECT FROM companies c WHERE c.parent_company_id = t.company_id)",
            "companies",
        ),
        (
            "SELECT t.name FROM companies t LEFT JOIN contacts c ON t.tenant_id = $1 AND c.tenant_id = $1",
            "companies",
        ),
        (
            "SELECT t.name FROM companies t FULL JOIN contacts c ON c.tenant_id = $1 WHERE t.tenant_id = $1",
            "contacts",
        ),
        (
            "SELECT c.name FROM companies c WHERE c.tenant_id = $1 UNION ALL SELECT l.name FROM leads l",
            "leads",
        ),
        (
            "WITH x AS (SELECT l.name FROM leads l) SELECT x.name FROM x",
            "leads",
        ),
        (
            "SELECT t.name FROM companies t WHERE t.tenant_id = app.tenant_for('companies:read')",
            "companies",
        ),
        (
            "INSERT INTO leads (tenant_id, lead_id) VALUES ($1, $2), (gen_random_uuid(), $4)",
            "leads",
        ),
        (
            "INSERT INTO leads (lead_id, tenant_id) VALUES ($1, $2)",
            "leads",
        ),
    ] {
        assert_eq!(unbound(unlawful), [table], "{unlawful}");
    }
}

#[test]
fn what_citus_refuses_or_does_on_one_node_alone_is_found() {
    for (rule, sql) in [
        (
            "lock-across-tenants",
            "SELECT t.name FROM memberships t WHERE t.moving FOR UPDATE SKIP LOCKED",
        ),
        (
            "insert-of-made-rows",
            "INSERT INTO leads (tenant_id, lead_id) SELECT * FROM unnest($1, $2)",
        ),
        (
            "insert-of-made-rows",
            "WITH made AS (SELECT $1 AS id) INSERT INTO leads (tenant_id, lead_id) SELECT l.tenant_id, made.id FROM leads l, made WHERE l.tenant_id = $2",
        ),
        (
            "insert-beside-writing-cte",
            "WITH taken AS (UPDATE tenant_seq SET last_seq = last_seq + 1 WHERE tenant_id = $1 RETURNING last_seq) \
             INSERT INTO events (tenant_id, seq) VALUES ($2, $3)",
        ),
        (
            "merge",
            "MERGE INTO leads t USING companies c ON c.company_id = t.lead_id WHEN MATCHED THEN DELETE",
        ),
        (
            "set_config",
            "SELECT pg_catalog.set_config('app.tenant_id', $1, true)",
        ),
        (
            "function-of-one-node",
            "SELECT pg_advisory_xact_lock(hashtextextended(t.stage_id::text, 0)) FROM opportunities t WHERE t.tenant_id = $1",
        ),
        ("unreadable", "SELECT FROM WHERE tenant_id = $1 oops oops"),
    ] {
        // Looking across tenants on purpose excuses none of these.
        for is_beyond_tenants in [false, true] {
            let found = faults(sql, is_beyond_tenants);
            assert!(
                found.iter().any(|fault| fault.rule == rule),
                "{sql}\n{found:?}"
            );
        }
    }
    let across = "SELECT m.tenant_id FROM memberships m WHERE m.user_id = $1";
    assert_eq!(faults(across, true), []);
    let one_nodes_own = "SELECT pg_advisory_xact_lock($1)";
    assert_eq!(faults(one_nodes_own, false), []);
}
