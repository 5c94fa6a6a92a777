//! What happened, in the order it was committed: the numbered event log of each tenant, and following it.
//!
//! A verb emits events into its transaction; the door in `db/` appends them as its last statements ([`append`]). The
//! table is the truth. A [`Hints`] message after the commit only says when to look; [`Hub`] has a [`Feed`] for each
//! tenant that is watched here, which reads the log once for all who watch. Who is told what is [`Watched::outlook`]. [`Progress`]
//! tells without reading the log whether anything has changed.

mod bus;
mod cursor;
mod feed;
mod hub;
mod logged;
mod relevance;
mod versions;

pub use bus::redis_answers;
pub use cursor::{BadCursor, Epoch, EventCursor};
pub use feed::{Feed, FeedError};
pub use hub::Hub;
pub use logged::{Logged, here};
pub use relevance::{Change, Outlook, Watched};
pub use versions::{Progress, Versions};
