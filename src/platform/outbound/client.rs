//! The one client for addresses that tenants name.

use std::{error::Error, io, time::Duration};

use axum::http::{HeaderName, HeaderValue, Method, header};
use bytes::Bytes;
use url::Url;

use super::{
    answer::OutboundAnswer,
    error::{BadOutbound, Refused, SendError},
    exchange::exchange,
    resolver::{PublicResolver, Unresolved},
    rules::Rules,
    settings::OutboundSettings,
};
use crate::base::clock::Clock;

/// How long a connection may take to be made, encryption included; what remains of one that nobody waits for any more ends then.
const CONNECT_PATIENCE: Duration = Duration::from_secs(10);
/// How long a connection is kept for the next request, and how many of one receiver: bursts use them. A kept connection leads
/// to the address that was checked when it was made.
const KEPT: (Duration, usize) = (Duration::from_secs(5), 2);

/// What HTTP itself says about a request; no caller does, since it might pass on what a tenant has entered.
const OF_HTTP: [HeaderName; 8] = [
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::EXPECT,
    header::HOST,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// Asks servers that tenants name, and no others. Cheap to clone.
#[derive(Clone)]
pub struct Outbound {
    client: reqwest::Client,
    rules: Rules,
    clock: Clock,
}

/// A request to a server that a tenant named.
#[derive(Debug, Clone)]
pub struct OutboundRequest {
    /// The method.
    pub method: Method,
    /// The address; it is checked again.
    pub address: Url,
    /// Headers. Those of HTTP itself, such as `host` and `content-length`, are left out.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// The body.
    pub body: Bytes,
    /// How long all of it may take: resolving, connecting, sending, reading.
    pub deadline: Duration,
    /// So many bytes of the answer's body are read; the rest is left.
    pub most_bytes: usize,
}

impl Outbound {
    /// A client by these settings.
    ///
    /// # Errors
    /// [`BadOutbound`].
    pub fn new(settings: OutboundSettings) -> Result<Self, BadOutbound> {
        let builder = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .http1_only()
            .connect_timeout(CONNECT_PATIENCE)
            .pool_idle_timeout(KEPT.0)
            .pool_max_idle_per_host(KEPT.1)
            .user_agent("dealgraph");
        let allows_loopback = settings.allows_loopback;
        let builder = match settings.proxy {
            // All connections are to the proxy then. Its own name is the operator's, and of our network.
            Some(proxy) => builder.proxy(reqwest::Proxy::all(proxy)?),
            None => builder.no_proxy().dns_resolver(PublicResolver::new(
                &settings.name_servers,
                allows_loopback,
            )?),
        };
        Ok(Self {
            client: builder.build()?,
            rules: Rules { allows_loopback },
            clock: Clock::system(),
        })
    }

    /// Whether an address may be asked at all, before anything is resolved: for inputs.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn check(&self, address: &str) -> Result<Url, Refused> {
        self.rules.read(address)
    }

    /// Sends a request, once, and reads the answer.
    ///
    /// # Errors
    /// [`SendError`]; of most, the request may have arrived nevertheless.
    pub async fn send(&self, request: OutboundRequest) -> Result<OutboundAnswer, SendError> {
        // Numbers for hosts are never resolved, so this is all that stands before them.
        self.rules.check(&request.address)?;
        let mut sent = reqwest::Request::new(request.method, request.address);
        let mut headers = request.headers;
        headers.retain(|(name, _)| !OF_HTTP.contains(name));
        for (name, value) in headers {
            sent.headers_mut().append(name, value);
        }
        *sent.body_mut() = Some(request.body.into());
        let exchange = exchange(&self.client, sent, request.most_bytes);
        match tokio::time::timeout(request.deadline, exchange).await {
            Ok(Ok(answer)) => Ok(OutboundAnswer::new(answer, self.clock.now())),
            Ok(Err(error)) => Err(reason(&error)),
            Err(_) => Err(SendError::TimedOut),
        }
    }
}

/// What an error comes from. The log has all of it, for the operator.
fn reason(error: &reqwest::Error) -> SendError {
    let chain = std::iter::successors(Some(error as &(dyn Error + 'static)), |&error| {
        error.source()
    });
    let causes: Vec<_> = chain.collect();
    tracing::debug!(
        target: "dealgraph::fetch",
        causes = ?causes.iter().skip(1).map(ToString::to_string).collect::<Vec<_>>(),
        "no answer from a server that a tenant named"
    );
    for cause in &causes {
        match cause.downcast_ref() {
            Some(Unresolved::Inside) => return Refused::leads_inside().into(),
            Some(Unresolved::Unknown) => return SendError::Unresolved,
            None => {}
        }
    }
    if error.is_timeout() {
        return SendError::TimedOut;
    }
    if !error.is_connect() {
        return SendError::Broken;
    }
    let mut failures = causes.iter().filter_map(|cause| cause.downcast_ref());
    if failures.any(is_of_tls) {
        SendError::Tls
    } else {
        SendError::Unreachable
    }
}

/// Whether a failure to connect is one of TLS, as rustls tells of certificates and of what does not speak it. It may stand within
/// another of its kind, which does not name it as its source.
fn is_of_tls(error: &io::Error) -> bool {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
    match error.kind() {
        io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => true,
        _ => inner.is_some_and(is_of_tls),
    }
}
