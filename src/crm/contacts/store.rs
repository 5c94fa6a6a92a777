//! All SQL that only contacts need; that of their methods is in `methods/`.

use super::model::refused_loop;
use crate::{
    base::{
        error::Result,
        ids::{ContactId, Typed as _},
    },
    db::{Sql, Tx},
};

/// Refuses a boss who is the contact itself or below it.
pub(super) async fn refuse_loop(tx: &mut Tx, id: ContactId, boss: Option<ContactId>) -> Result<()> {
    let Some(boss) = boss else { return Ok(()) };
    let sql = Sql::new(
        "WITH RECURSIVE above AS (\
         SELECT t.contact_id, t.reports_to_id, 1 AS depth FROM contacts t WHERE t.tenant_id = ",
    )
    .bind(tx.tenant())
    .push(" AND t.contact_id = ")
    .bind(boss)
    .push(
        " UNION ALL SELECT b.contact_id, b.reports_to_id, above.depth + 1 FROM above \
         JOIN contacts b ON b.contact_id = above.reports_to_id AND b.tenant_id = ",
    )
    .bind(tx.tenant())
    .push(" WHERE above.depth < 100) SELECT count(*) FROM above WHERE contact_id = ")
    .bind(id.uuid());
    match tx.column::<i64>(sql).await?.first() {
        Some(0) => Ok(()),
        _ => Err(refused_loop()),
    }
}
