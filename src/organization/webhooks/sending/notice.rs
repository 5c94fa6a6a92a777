//! Telling people that an endpoint was disabled: nobody looks at a log that does not grow.

use crate::{
    base::{
        error::Result,
        ids::{Typed as _, UserId},
    },
    db::{Sql, Tx},
    organization::webhooks::{DisabledReason, WebhookEndpoint},
    platform::mail::{Message, letter},
};

/// Admins who are told where nobody answers for the endpoint by themselves.
const MOST: i64 = 10;

/// The addresses of those who are told: whoever answers for the endpoint, or the tenant's admins where that is a program or
/// somebody who is gone.
pub(super) async fn recipients(tx: &mut Tx, endpoint: &WebhookEndpoint) -> Result<Vec<String>> {
    let person: Option<UserId> = endpoint.fields.runs_as.parse().ok();
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
    let sql = sql.bind(MOST);
    tx.column(sql).await
}

/// What they are told. Names and addresses of endpoints are what somebody typed, and stand in no mail.
pub(super) fn disabled(
    to: &str,
    app_url: &str,
    endpoint: &WebhookEndpoint,
    reason: DisabledReason,
) -> Message {
    let why = match reason {
        DisabledReason::ByHand => "somebody disabled it",
        DisabledReason::Gone => "it answered 410, which says that it wants no more",
        DisabledReason::Failing => "nothing has arrived there for five days",
        DisabledReason::OwnerGone => "whoever changed it last is not in the tenant any more",
        DisabledReason::Unreadable => {
            "a subscription of it does not fit the schema, or the rights of who changed it last, any more"
        }
        DisabledReason::LogLost => {
            "it was so far behind that what it has not been sent is not kept any more"
        }
    };
    let what = format!(
        "Dealgraph does not send anything to the endpoint {} any more, since {why}.",
        endpoint.id
    );
    letter(
        to,
        "A webhook endpoint was disabled",
        &[
            &what,
            "Once it is mended, enable it again with webhookEndpointUpdate. What happened meanwhile is sent with \
             webhookEndpointReplay, for as long as the event log keeps it.",
        ],
        Some(("Open Dealgraph", app_url)),
    )
}
