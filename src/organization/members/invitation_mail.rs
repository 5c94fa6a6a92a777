//! The mail that brings an invitation.

use super::InvitationSecret;
use crate::platform::mail::{self, Message};

/// The act of the account pages that a mailed link opens.
pub const ACT: &str = "accept-invitation";

/// Puts the mail together.
#[must_use]
pub fn message(to: &str, tenant: &str, by: Option<&str>, link: &str) -> Message {
    let subject = format!("You are invited to {tenant}");
    let who = match by {
        Some(by) => format!("{by} invites you to join {tenant} on Dealgraph."),
        None => format!("You are invited to join {tenant} on Dealgraph."),
    };
    let rest =
        "The link works once. If you did not expect this, ignore it: nothing happens without you.";
    mail::letter(
        to,
        &subject,
        &[&who, rest],
        Some(("Accept the invitation", link)),
    )
}

/// The address that an invited person opens. The secret is in the fragment, which no browser sends to a server.
#[must_use]
pub fn link(app_url: &str, secret: &InvitationSecret) -> String {
    let base = app_url.trim_end_matches('/');
    format!("{base}/account/{ACT}#token={}", secret.expose())
}
