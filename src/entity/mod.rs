//! What the records of all domains have in common.

pub mod records;
