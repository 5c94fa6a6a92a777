//! What the logs have of a record is declared with it: nobody sees what nobody declared, so a name that was forgotten is
//! one that even an admin reads as masked.

use std::collections::BTreeSet;

use dealgraph::{
    api::DECLARED,
    db::{journal::is_circumstance, sensitivity},
};
use sqlx::PgConnection;

/// Kinds and the names that the audit log and the event log have of them.
const LOGGED: &str = "SELECT DISTINCT a.entity, n.name FROM audit_log a \
                    CROSS JOIN LATERAL jsonb_object_keys(a.changes::jsonb) AS n (name) WHERE a.entity IS NOT NULL \
                    UNION SELECT DISTINCT e.entity, n.name FROM events e CROSS JOIN LATERAL unnest(e.changed) AS n (name)";

/// The names that the logs have and the records of that kind do not declare, as `kind.name`.
pub(super) async fn undeclared(superuser: &mut PgConnection) -> BTreeSet<String> {
    let logged: Vec<(String, String)> = sqlx::query_as(LOGGED)
        .fetch_all(superuser)
        .await
        .expect("the logs can be read");
    let is_undeclared = |kind: &str, name: &str| {
        let declared = DECLARED.iter().find(|(known, ..)| *known == kind);
        let sensitivity = declared.map(|(.., parts)| sensitivity(parts, name));
        sensitivity == Some(None) && !is_circumstance(name)
    };
    logged
        .into_iter()
        .filter(|(kind, name)| is_undeclared(kind, name))
        .map(|(kind, name)| format!("{kind}.{name}"))
        .collect()
}
