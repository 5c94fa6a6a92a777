//! Whether a captcha was solved: Turnstile, hCaptcha and reCAPTCHA are asked alike, and so is what is built like them.

use std::{net::IpAddr, time::Duration};

use serde::Deserialize;
use url::Url;

use crate::{
    base::error::{Error, Result},
    platform::outbound::{Outbound, OutboundRequest},
};

/// How long the service may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// Bytes of its answer that are read.
const ANSWER_BYTES: usize = 16 * 1024;
/// Characters of what a page got for a solved captcha.
const TOKEN_CHARS: usize = 4096;

/// Asks the services that tenants name.
#[derive(Clone)]
pub struct Captcha(Outbound);

#[derive(Deserialize)]
struct Verdict {
    success: bool,
}

impl Captcha {
    /// Through this client.
    #[must_use]
    pub fn new(outbound: Outbound) -> Self {
        Self(outbound)
    }

    /// Whether a token stands for a captcha that was solved. Without an answer nobody knows, and nothing is taken.
    ///
    /// # Errors
    /// `Unavailable`.
    pub(super) async fn is_solved(
        &self,
        (url, secret): (&str, &str),
        token: &str,
        address: Option<IpAddr>,
    ) -> Result<bool> {
        if token.is_empty() || token.len() > TOKEN_CHARS {
            return Ok(false);
        }
        let url = Url::parse(url).map_err(Error::internal)?;
        let address = address.map(|address| address.to_string());
        let mut fields = vec![("secret", secret), ("response", token)];
        fields.extend(address.as_deref().map(|address| ("remoteip", address)));
        let request = OutboundRequest::form(url, &fields, PATIENCE, ANSWER_BYTES);
        let unavailable = Error::Unavailable("the service that verifies captchas");
        let answer = self.0.send(request).await.map_err(|error| {
            tracing::warn!(code = error.code(), %error, "a captcha was not verified");
            unavailable.clone()
        })?;
        let verdict: Option<Verdict> = serde_json::from_slice(&answer.body).ok();
        match (answer.status, verdict) {
            (200, Some(verdict)) => Ok(verdict.success),
            (status, _) => {
                tracing::warn!(status, "a captcha was not verified");
                Err(unavailable)
            }
        }
    }
}
