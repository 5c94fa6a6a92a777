//! Webhooks in: addresses that other services send messages to, and the messages that came.
//!
//! # What holds
//! - A message is verified before anything of it is stored, by the kind of its endpoint ([`verify`]).
//! - It is stored, and the job that handles it put into the queue, in one transaction before it is answered. A sender that
//!   heard nothing sends it again, and no endpoint has two messages of one id.
//! - It is received in the tenant, under row-level security, with the one permission that this takes. The tenant comes from
//!   the address: which endpoint is asked for is known without looking across tenants.
//! - To a sender that is not verified all endpoints look alike, those that there are not among them.
//! - What a message comes to is done by an [`InboundHandler`], in the transaction that notes it. It can be had done again.

mod address;
mod endpoint;
mod filter;
mod graphql;
mod handler;
mod message;
mod model;
mod mutation;
mod process;
mod receive;
mod replay;
mod secret;
mod store;
pub mod verify;

pub use address::EndpointAddress;
pub use endpoint::{NewEndpoint, create, rotate, update};
pub use filter::{InboundEndpointFilter, InboundMessageFilter};
pub use graphql::InboundQuery;
pub use handler::{Handled, InboundHandler, InboundHandlers, Incoming};
pub use message::{InboundMessage, InboundMessageOrderField, InboundMessageStatus};
pub use model::{
    InboundEndpoint, InboundEndpointOrderField, InboundHandlerKind, InboundVerification,
    SignatureEncoding,
};
pub use mutation::InboundMutation;
pub use process::{ForgetHandler, ProcessHandler};
pub use receive::{BODY_BYTES, Delivery, Inbound, Received, Refused};
pub use replay::{replay, replay_many};
pub use secret::EndpointSecret;
