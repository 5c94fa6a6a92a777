//! Asking the web addresses that the operator configured: https, bounded in size and time, no redirects, no proxy.

use std::time::Duration;

use openidconnect::http::{self, header};
use url::{Host, Url};

use super::exchange::exchange;

/// The longest an answer may take to arrive as a whole.
const PATIENCE: Duration = Duration::from_secs(3);
/// The largest answer that is read, in bytes.
const MAX_BYTES: usize = 256 * 1024;

/// Why there is no answer. It is only logged.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    /// The address is not one to be asked.
    #[error("{0} is neither https nor on this machine")]
    Address(String),
    /// The request can't be made or the answer did not come.
    #[error("no answer")]
    Transport(#[from] reqwest::Error),
    /// The answer is too long.
    #[error("the answer has more than {MAX_BYTES} bytes")]
    TooLarge,
    /// The answer is not the one that was hoped for.
    #[error("the answer is {0}")]
    Status(u16),
    /// The answer can't be read.
    #[error("the answer is not what was asked for: {0}")]
    Content(String),
    /// The pieces of an answer don't make one.
    #[error("not an answer of HTTP")]
    Http(#[from] http::Error),
}

/// Asks other servers.
#[derive(Clone)]
pub(crate) struct Fetch {
    client: reqwest::Client,
    local: Local,
}

/// Whether servers on this machine may be asked without encryption.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Local {
    Plain,
    Refused,
}

impl Fetch {
    /// A client for one outside server. What that server names further (a token endpoint, keys) may be plain http on
    /// this machine only if the server itself is: a server elsewhere must not point into ours.
    ///
    /// # Errors
    /// [`FetchError::Transport`] when the machine has no certificates to trust.
    pub(crate) fn from(server: &Url) -> Result<Self, FetchError> {
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .timeout(PATIENCE)
            .connect_timeout(PATIENCE)
            .user_agent("dealgraph")
            .build()?;
        let local = if server.scheme() == "http" {
            Local::Plain
        } else {
            Local::Refused
        };
        Ok(Self { client, local })
    }

    /// Reads a document.
    ///
    /// # Errors
    /// [`FetchError`].
    pub(crate) async fn get(&self, address: &Url) -> Result<Vec<u8>, FetchError> {
        let request = http::Request::get(address.as_str())
            .header(header::ACCEPT, "application/json")
            .body(Vec::new())?;
        let response = self.send(request).await?;
        match response.status().as_u16() {
            200 => Ok(response.into_body()),
            status => Err(FetchError::Status(status)),
        }
    }

    /// Sends a request and reads the answer, whatever its status.
    ///
    /// # Errors
    /// [`FetchError`].
    pub(crate) async fn send(
        &self,
        request: http::Request<Vec<u8>>,
    ) -> Result<http::Response<Vec<u8>>, FetchError> {
        let address = request.uri().to_string();
        let may_ask = Url::parse(&address).is_ok_and(|url| match self.local {
            Local::Plain => is_safe(&url),
            Local::Refused => url.scheme() == "https",
        });
        if !may_ask {
            return Err(FetchError::Address(address));
        }
        let answer = exchange(&self.client, request.try_into()?, MAX_BYTES).await?;
        if answer.is_cut {
            return Err(FetchError::TooLarge);
        }
        let mut response = http::Response::new(answer.body);
        *response.status_mut() = answer.status;
        *response.headers_mut() = answer.headers;
        Ok(response)
    }
}

/// Whether an address is https, or http on this very machine.
pub(crate) fn is_safe(url: &Url) -> bool {
    let is_here = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    match url.scheme() {
        "https" => url.has_host(),
        "http" => is_here,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_https_and_this_machine_are_asked() {
        for (address, safe) in [
            ("https://id.example/a", true),
            ("http://127.0.0.1:1/a", true),
            ("http://localhost/a", true),
            ("http://[::1]:1/", true),
            ("http://id.example/", false),
            ("http://localhost.example/", false),
            ("http://10.0.0.1/", false),
            ("file:///etc/passwd", false),
            ("ftp://127.0.0.1/", false),
        ] {
            let url = Url::parse(address).expect("an address");
            assert_eq!(is_safe(&url), safe, "{address}");
        }
    }

    #[tokio::test]
    async fn a_server_elsewhere_does_not_point_into_this_machine() {
        let elsewhere = Url::parse("https://id.example").expect("an address");
        let fetch = Fetch::from(&elsewhere).expect("a client");
        for inside in ["http://127.0.0.1:9/", "http://localhost:9/keys"] {
            let answer = fetch.get(&Url::parse(inside).expect("an address")).await;
            assert!(matches!(answer, Err(FetchError::Address(_))), "{inside}");
        }
    }
}
