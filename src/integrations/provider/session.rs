//! Asking a service for an account: with its credentials, within its budget.

use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::Value as Json;
use url::Url;

use super::{Budget, ProviderFailure};
use crate::{
    base::{error::Error, secret::Secret},
    platform::{
        outbound::{HeaderName, HeaderValue, Method, Outbound, OutboundRequest, header},
        redis::{Counter, Throttle},
    },
};

/// How long a service has for an answer.
const PATIENCE: Duration = Duration::from_secs(20);
/// The most that is read of an answer.
const MOST_BYTES: usize = 4 << 20;
/// How long a request waits for its turn in the budget; what has to wait longer goes back into the queue.
const TURN: Duration = Duration::from_secs(5);
/// How long a service is left alone that is asked too often and does not say for how long.
const USUAL_PAUSE: Duration = Duration::from_secs(30);

/// A service as one account may ask it.
pub struct Session {
    pub(in crate::integrations) outbound: Outbound,
    pub(in crate::integrations) throttle: Throttle,
    pub(in crate::integrations) counter: Counter,
    pub(in crate::integrations) authorization: (HeaderName, HeaderValue),
}

/// What counts the requests of an account: all servers together.
pub(in crate::integrations) fn counter(account: &str, budget: Budget) -> Counter {
    Counter::steady("integration", account, budget.burst, budget.every)
}

/// The header that credentials are sent in.
pub(in crate::integrations) fn authorization(
    header: &'static str,
    value: &Secret<String>,
) -> Option<(HeaderName, HeaderValue)> {
    let mut value = HeaderValue::from_str(value.expose()).ok()?;
    value.set_sensitive(true);
    Some((HeaderName::from_static(header), value))
}

/// A request to a service.
#[derive(Debug, Clone)]
pub struct Call {
    /// The method.
    pub method: Method,
    /// The address.
    pub address: Url,
    /// The body.
    pub body: Option<Json>,
    /// Sent as `Idempotency-Key`.
    pub idempotency_key: Option<String>,
}

impl Call {
    /// Reads an address.
    #[must_use]
    pub fn get(address: Url) -> Self {
        Self {
            method: Method::GET,
            address,
            body: None,
            idempotency_key: None,
        }
    }

    /// Sends something to an address.
    #[must_use]
    pub fn send(method: Method, address: Url, body: Json, idempotency_key: &str) -> Self {
        Self {
            method,
            address,
            body: Some(body),
            idempotency_key: Some(idempotency_key.to_owned()),
        }
    }
}

/// An answer that is none of those which mean the same for every service.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The status.
    pub status: u16,
    body: Vec<u8>,
}

impl Reply {
    /// What it says.
    ///
    /// # Errors
    /// `ANSWER_UNREADABLE`.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, ProviderFailure> {
        // What is wrong is told by its place: the answer itself may be anything.
        serde_json::from_slice(&self.body).map_err(|error| {
            let place = format!("line {}, column {}", error.line(), error.column());
            ProviderFailure::unreadable(place)
        })
    }
}

impl Session {
    /// Asks the service. Statuses of 2xx, 404, 409 and 410 are answered; what others mean is the same everywhere.
    ///
    /// # Errors
    /// [`ProviderFailure`].
    pub async fn ask(&self, call: Call) -> Result<Reply, ProviderFailure> {
        self.take_turn().await?;
        let mut headers = vec![
            self.authorization.clone(),
            (header::ACCEPT, HeaderValue::from_static("application/json")),
        ];
        if call.body.is_some() {
            let json = HeaderValue::from_static("application/json");
            headers.push((header::CONTENT_TYPE, json));
        }
        if let Some(Ok(key)) = call.idempotency_key.map(|key| HeaderValue::from_str(&key)) {
            headers.push((HeaderName::from_static("idempotency-key"), key));
        }
        let request = OutboundRequest {
            method: call.method,
            address: call.address,
            headers,
            body: call
                .body
                .map(|body| body.to_string())
                .unwrap_or_default()
                .into(),
            deadline: PATIENCE,
            most_bytes: MOST_BYTES,
        };
        let answer = self.outbound.send(request).await?;
        match answer.status {
            200..=299 if answer.is_cut => Err(ProviderFailure::unreadable("it is too long")),
            200..=299 | 404 | 409 | 410 => Ok(Reply {
                status: answer.status,
                body: answer.body,
            }),
            401 => Err(ProviderFailure::Unauthorized),
            429 => {
                let pause = answer.retry_after.unwrap_or(USUAL_PAUSE);
                self.throttle.hold(&self.counter, pause).await;
                Err(ProviderFailure::Limited(pause))
            }
            status @ (408 | 500..=599) => {
                if let Some(pause) = answer.retry_after {
                    self.throttle.hold(&self.counter, pause).await;
                }
                Err(ProviderFailure::Unavailable {
                    code: "SERVICE_FAILED",
                    message: format!("the service answered {status}"),
                })
            }
            403 => Err(ProviderFailure::Refused {
                code: "FORBIDDEN_THERE",
                message: "the account lacks a permission at the service".to_owned(),
            }),
            status => Err(ProviderFailure::Refused {
                code: "REFUSED_THERE",
                message: format!("the service answered {status}"),
            }),
        }
    }

    /// Waits until the budget has room, not for long.
    async fn take_turn(&self) -> Result<(), ProviderFailure> {
        loop {
            match self.throttle.begin(&self.counter).await {
                Ok(()) => return Ok(()),
                Err(Error::TooManyAttempts { retry_after_s }) => {
                    let wait = Duration::from_secs(retry_after_s);
                    if wait > TURN {
                        return Err(ProviderFailure::Limited(wait));
                    }
                    tokio::time::sleep(wait).await;
                }
                Err(_) => return Err(ProviderFailure::Limited(USUAL_PAUSE)),
            }
        }
    }
}
