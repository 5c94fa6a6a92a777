//! Telling people that an endpoint was disabled: nobody looks at a log that does not grow.

use crate::{
    organization::webhooks::{DisabledReason, WebhookEndpoint},
    platform::mail::{Message, letter},
};

/// What who answers for it is told. Names and addresses of endpoints are what somebody typed, and stand in no mail.
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
