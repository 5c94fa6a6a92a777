//! Telling people that an account has to be authorised again: nobody looks at records that do not change.

use super::Integration;
use crate::platform::mail::{Message, letter};

/// What who answers for it is told. Names are what somebody typed, and stand in no mail.
pub(super) fn reauthorization(to: &str, app_url: &str, integration: &Integration) -> Message {
    let what = format!(
        "Dealgraph does not keep the records of the integration {} in step any more, since the service does not take its \
         credentials, or whoever connected it may not answer for it any more.",
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
