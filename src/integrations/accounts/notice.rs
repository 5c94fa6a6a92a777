//! Telling people that an account has to be authorised again: nobody looks at records that do not change.

use super::Integration;
use crate::{
    base::{
        error::Result,
        ids::{Typed as _, UserId},
    },
    db::{Sql, Tx},
    platform::mail::{Message, letter},
};

/// Admins who are told where nobody answers for the account by themselves.
const MOST: i64 = 10;

/// The addresses of those who are told: whoever authorised the account last, or the tenant's admins where that is a program
/// or somebody who is gone.
pub(super) async fn recipients(tx: &mut Tx, integration: &Integration) -> Result<Vec<String>> {
    let person: Option<UserId> = integration.fields.runs_as.parse().ok();
    let active = |tx: &Tx| {
        Sql::new("SELECT m.email FROM memberships m WHERE m.status = 'ACTIVE' AND m.tenant_id = ")
            .bind(tx.tenant())
    };
    if let Some(person) = person {
        let sql = active(tx).push(" AND m.user_id = ").bind(person.uuid());
        let found: Vec<String> = tx.column(sql).await?;
        if !found.is_empty() {
            return Ok(found);
        }
    }
    let sql = active(tx).push(" AND m.role = 'ADMIN' ORDER BY m.user_id LIMIT ");
    tx.column(sql.bind(MOST)).await
}

/// What they are told. Names are what somebody typed, and stand in no mail.
pub(super) fn reauthorization(to: &str, app_url: &str, integration: &Integration) -> Message {
    let what = format!(
        "Dealgraph does not keep the records of the integration {} in step any more, since the service does not take its \
         credentials, or whoever connected it is not in the tenant any more.",
        integration.id
    );
    letter(
        to,
        "An integration has to be authorised again",
        &[
            &what,
            "Authorise it again with integrationAuthorize, or integrationConnect where the service takes a key. Nothing is \
             lost: it goes on where it was.",
        ],
        Some(("Open Dealgraph", app_url)),
    )
}
