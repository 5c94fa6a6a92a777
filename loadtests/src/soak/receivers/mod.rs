//! Receivers of webhooks: servers elsewhere that keep what they are sent and that have bad moments. Each tenant has one, with
//! an endpoint of its admin, who sees everything, and one of a member whose role shows them a team's rows without amounts.

mod inbox;
mod moods;
mod set_up;
mod settle;

pub(crate) use set_up::{Hook, set_up};
pub(crate) use settle::settle;

use std::sync::Arc;

use bytes::Bytes;
use hyper::{HeaderMap, StatusCode};

use self::inbox::Inbox;
use crate::receiver::{Reply, Takes};

/// The endpoints of a tenant, each at the path of its number.
struct Receiver(Vec<Arc<Inbox>>);

impl Takes for Receiver {
    fn take(&self, path: &str, headers: &HeaderMap, body: &Bytes) -> Reply {
        let number = path.trim_start_matches('/').parse::<usize>().ok();
        match number.and_then(|number| self.0.get(number)) {
            Some(inbox) => inbox.take(headers, body),
            None => Reply::Now(StatusCode::NOT_FOUND),
        }
    }
}
