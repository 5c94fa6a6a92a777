//! The event log of each tenant, numbered in commit order, and following it.
//!
//! A verb emits events into its unit of work, which appends them as its last statements ([`append`]). The table is the
//! truth. A [`Hints`] message after the commit only says when to look; [`Hub`] has a [`Feed`] for each tenant that is
//! watched here, which reads the log once for all subscribers. [`Watched::relevance`] decides which of them is notified
//! of what. [`VersionReader`] shows whether anything has changed without reading the log, and a
//! [`Position`] says how far a client has seen.

mod anew;
mod bus;
mod cursor;
mod feed;
mod hub;
mod logged;
mod position;
mod relevance;
mod versions;

pub use anew::begin_anew;
pub use bus::redis_answers;
pub use cursor::{BadCursor, Epoch, EventCursor};
pub use feed::{Feed, FeedError};
pub use hub::Hub;
pub use logged::{LoggedEvent, after, here};
pub use position::{BadPosition, Position};
pub use relevance::{Change, Relevance, Watched};
pub use versions::{VersionReader, Versions};
