//! Asking other servers by HTTP: those that the operator configured ([`Fetch`]), and those that tenants name
//! ([`Outbound`]), whose addresses are hostile until shown otherwise.
//!
//! Both follow no redirects, heed no proxy of the environment, unpack nothing, read no more than was agreed and end in time.

mod answer;
mod client;
mod error;
mod exchange;
mod fetch;
mod form;
mod public;
mod resolver;
mod rules;
mod settings;

pub use answer::OutboundAnswer;
pub(crate) use axum::http::{HeaderName, HeaderValue, Method, header};
pub use client::{Outbound, OutboundRequest};
pub use error::{BadOutbound, Refused, SendError};
pub(crate) use fetch::{Fetch, FetchError, is_safe};
pub use settings::OutboundSettings;
