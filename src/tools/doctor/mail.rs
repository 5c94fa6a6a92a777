//! Whether mails would be taken. None is sent, unless the operator says to whom.

use url::Url;

use super::{Finding, Subject};
use crate::platform::mail::{Post, Way, letter};

const CHECK: &str = "mail";

pub(super) async fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let set = &subject.config.accounts;
    let Some(address) = &set.mail_url else {
        let advice = "set DEALGRAPH_MAIL_URL: nobody finishes a registration or gets a password back without mails";
        return vec![Finding::warning(CHECK, "no mails are sent", advice)];
    };
    let Ok(way) = Way::parse(address.expose()) else {
        // The configuration's own topic says so.
        return Vec::new();
    };
    let mut findings = Vec::new();
    match (&way, way.examine().await) {
        (Way::Folder(_), Ok(())) => findings.push(Finding::warning(
            CHECK,
            "mails go to a folder",
            "that is for development: set DEALGRAPH_MAIL_URL to a relay",
        )),
        (_, Ok(())) => findings.push(Finding::ok(CHECK, "the relay greets and lets us in")),
        (_, Err(why)) => {
            let found = format!("no mail would be taken: {why}");
            let advice =
                "look at DEALGRAPH_MAIL_URL: the host, the port, tls=required or smtps, the login";
            findings.push(Finding::error(CHECK, found, advice));
        }
    }
    if matches!(way, Way::Smtp(_)) && !is_encrypted(address.expose()) {
        let found = "mails, and the login if there is one, go to the relay in the clear";
        let advice = "use smtps://, or add ?tls=required";
        findings.push(Finding::warning(CHECK, found, advice));
    }
    if let Some(to) = &subject.asked.mail_to {
        let text = "This mail was sent by `dealgraph doctor`, to see whether mails arrive.";
        let message = letter(to, "A mail to see whether mails arrive", &[text], None);
        let post = Post {
            way,
            from: set.mail_from.clone(),
        };
        findings.push(match post.try_to(&message, subject.clock).await {
            Ok(()) => Finding::ok(CHECK, format!("a mail to {to} was taken")),
            Err(why) => Finding::error(
                CHECK,
                format!("a mail to {to} was not taken: {why}"),
                "look at DEALGRAPH_MAIL_FROM, and whom the relay takes mails for",
            ),
        });
    }
    findings
}

/// Whether the address leaves no other choice than TLS, or the relay is on this machine.
fn is_encrypted(address: &str) -> bool {
    Url::parse(address).is_ok_and(|url| {
        let is_local = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
        let is_required = url
            .query_pairs()
            .any(|(name, value)| name == "tls" && value == "required");
        url.scheme() == "smtps" || is_required || is_local
    })
}
