//! All SQL that only companies need.

use crate::{
    base::{
        error::{Error, Result},
        ids::{CompanyId, Typed as _},
    },
    db::{Sql, Tx},
};

/// Refuses a parent that is the company itself or below it.
pub(super) async fn refuse_loop(
    tx: &mut Tx,
    id: CompanyId,
    parent: Option<CompanyId>,
) -> Result<()> {
    let Some(parent) = parent else { return Ok(()) };
    let sql = Sql::new(
        "WITH RECURSIVE above AS (\
         SELECT t.company_id, t.parent_company_id, 1 AS depth FROM companies t WHERE t.tenant_id = ",
    )
    .bind(tx.tenant())
    .push(" AND t.company_id = ")
    .bind(parent)
    .push(
        " UNION ALL SELECT p.company_id, p.parent_company_id, above.depth + 1 FROM above \
         JOIN companies p ON p.company_id = above.parent_company_id AND p.tenant_id = ",
    )
    .bind(tx.tenant())
    .push(" WHERE above.depth < 100) SELECT count(*) FROM above WHERE company_id = ")
    .bind(id.uuid());
    match tx.column::<i64>(sql).await?.first() {
        Some(0) => Ok(()),
        _ => Err(Error::invalid(
            "LOOP",
            "parentCompanyId",
            "a company can't be above itself",
        )),
    }
}
