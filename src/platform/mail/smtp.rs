//! Mails by SMTP, over TLS by rustls.

use std::time::Duration;

use lettre::{
    AsyncSmtpTransport, AsyncTransport as _, Tokio1Executor,
    message::{Mailbox, MultiPart, SinglePart},
};

use super::{BadWay, Failed, Message, folder::line};

/// The longest that a relay is waited for.
const PATIENCE: Duration = Duration::from_secs(20);

/// A relay that takes mails.
#[derive(Clone)]
pub struct Relay(AsyncSmtpTransport<Tokio1Executor>);

impl Relay {
    pub(super) fn parse(address: &str) -> Result<Self, BadWay> {
        // The library's error may repeat the address, which holds the password.
        let transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(address)
            .map_err(|_| BadWay("not an address of a mail relay".to_owned()))?;
        Ok(Self(transport.timeout(Some(PATIENCE)).build()))
    }

    pub(super) async fn send(&self, from: &Mailbox, message: &Message) -> Result<(), Failed> {
        let mail = compose(from, message)?;
        let sent = self.0.send(mail).await;
        sent.map(drop).map_err(|error| {
            if error.is_permanent() {
                Failed::ForGood(error.to_string())
            } else {
                Failed::ForNow(error.to_string())
            }
        })
    }
}

impl Relay {
    /// Connects, greets and signs in, and sends nothing.
    ///
    /// # Errors
    /// What the relay or the network said.
    pub(super) async fn greet(&self) -> Result<(), String> {
        match self.0.test_connection().await {
            Ok(true) => Ok(()),
            Ok(false) => Err("it does not answer as a relay".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }
}

impl std::fmt::Debug for Relay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Relay")
    }
}

/// Puts a mail together. The address is parsed and the subject is one line, so nothing a person typed becomes a header.
pub(super) fn compose(from: &Mailbox, message: &Message) -> Result<lettre::Message, Failed> {
    let bad = |error: &dyn std::error::Error| Failed::ForGood(error.to_string());
    let to = message.to.parse().map_err(|error| bad(&error))?;
    let mail = lettre::Message::builder()
        .from(from.clone())
        .to(Mailbox::new(None, to))
        .subject(line(&message.subject));
    let text = SinglePart::plain(message.text.clone());
    let mail = match &message.html {
        Some(html) => mail.multipart(
            MultiPart::alternative()
                .singlepart(text)
                .singlepart(SinglePart::html(html.clone())),
        ),
        None => mail.singlepart(text),
    };
    mail.map_err(|error| bad(&error))
}
