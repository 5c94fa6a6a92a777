//! The settings of people's accounts.

use std::time::Duration;

use lettre::message::Mailbox;
use url::Url;

use super::reader::Reader;
use crate::{base::secret::Secret, platform::mail::Way};

/// How people's accounts are kept.
#[derive(Debug, Clone)]
pub struct AccountsConfig {
    /// Whether strangers may register.
    pub registration: bool,
    /// Life of a session.
    pub session_ttl: Duration,
    /// Where mails go, if they go anywhere.
    pub mail_url: Option<Secret<String>>,
    /// What mails name as the sender.
    pub mail_from: Mailbox,
    /// Where people find the frontend.
    pub app_url: Url,
}

impl AccountsConfig {
    pub(super) fn read(reader: &mut Reader) -> Self {
        let ttl_s = reader.number("DEALGRAPH_SESSION_TTL_S", 60..=31_536_000);
        Self {
            registration: reader.switch("DEALGRAPH_REGISTRATION"),
            session_ttl: Duration::from_secs(ttl_s.into()),
            mail_url: reader.secret(
                "DEALGRAPH_MAIL_URL",
                "an address such as smtps://login:password@host or file:///folder",
                |value| Way::parse(value).is_ok(),
            ),
            mail_from: reader.setting(
                "DEALGRAPH_MAIL_FROM",
                "an e-mail address, with a name or without",
                |value| value.parse().ok(),
            ),
            app_url: reader.setting(
                "DEALGRAPH_APP_URL",
                "a web address such as https://crm.example.com",
                |value| {
                    Url::parse(value).ok().filter(|url| {
                        let bare = url.query().is_none() && url.fragment().is_none();
                        bare && url.has_host() && matches!(url.scheme(), "http" | "https")
                    })
                },
            ),
        }
    }
}
