//! What everything is said in: ids, text, money, instants, and the one error.

pub mod clock;
pub(crate) mod entities;
pub mod error;
pub mod ids;
pub mod money;
pub mod secret;
pub mod text;
pub mod times;
