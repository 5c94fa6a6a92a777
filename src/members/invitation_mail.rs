//! The mail that brings an invitation.

use super::InvitationSecret;

/// The address that an invited person opens. The secret is in the fragment, which no browser sends to a server.
#[must_use]
pub fn link(app_url: &str, secret: &InvitationSecret) -> String {
    let base = app_url.trim_end_matches('/');
    format!("{base}/account/accept-invitation#token={}", secret.expose())
}

/// What the mail is about.
#[must_use]
pub fn subject(tenant: &str) -> String {
    format!("You are invited to {tenant}")
}

/// What the mail says.
#[must_use]
pub fn text(tenant: &str, by: Option<&str>, link: &str) -> String {
    let who = by.map_or_else(
        || format!("You are invited to join {tenant} on Dealgraph."),
        |by| format!("{by} invites you to join {tenant} on Dealgraph."),
    );
    format!(
        "{who}\n\nAccept the invitation here:\n\n{link}\n\nThe link works once. If you did not expect this, ignore it: \
         nothing happens without you.\n"
    )
}
