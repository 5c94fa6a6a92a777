//! No statement touches a tenant table without binding the tenant there. Every world judges its statements by this at its end;
//! here it is shown that the judgement is able to fail.

use crate::harness::unbound;

#[test]
fn a_statement_that_binds_the_tenant_in_every_arm_is_lawful() {
    for lawful in [
        "SELECT t.company_id FROM companies t WHERE t.tenant_id = $1 AND t.name = 'FROM leads x'",
        "SELECT user_id, team_path FROM memberships WHERE tenant_id = $1 AND user_id = ANY($2)",
        "INSERT INTO companies AS t (tenant_id, company_id) VALUES ($1, $2) RETURNING t.company_id",
        "INSERT INTO events (tenant_id, seq) VALUES ($1, $2), ($3, $4)",
        "UPDATE companies t SET name = $1 WHERE t.tenant_id = $2 AND t.company_id = $3",
        "DELETE FROM companies WHERE tenant_id = $1",
        "SELECT k.key, c.n FROM unnest($1) AS k(key) CROSS JOIN LATERAL (SELECT count(*) AS n FROM activity_targets l \
         JOIN activities t ON t.tenant_id = $2 AND l.activity_id = t.activity_id WHERE l.tenant_id = $3) c",
        "SELECT t.name FROM companies t WHERE t.tenant_id = $1 AND EXISTS (SELECT FROM contacts r WHERE r.tenant_id = $2 AND r.company_id = t.company_id)",
        "WITH RECURSIVE above AS (SELECT t.company_id FROM companies t WHERE t.tenant_id = $1 UNION ALL SELECT p.company_id FROM above \
         JOIN companies p ON p.company_id = above.company_id AND p.tenant_id = $2) SELECT count(*) FROM above",
        "SELECT 1 FROM users WHERE email_normalized = $1",
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
            "UPDATE companies SET name = $1 FROM contacts c WHERE companies.tenant_id = $2 AND c.tenant_id = $3",
            "companies",
        ),
        ("DELETE FROM events WHERE seq < $1", "events"),
        (
            "INSERT INTO leads (lead_id, tenant_id) VALUES ($1, $2)",
            "leads",
        ),
    ] {
        assert_eq!(unbound(unlawful), [table], "{unlawful}");
    }
}
