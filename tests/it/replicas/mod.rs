//! A streaming replica, made by the commands of docs/operators/replicas.md: what may be somewhat old is read there and
//! nothing else, no caller gets an older state than they have seen, rights are never old, and whatever becomes of the
//! replica, nobody notices.

mod failures;
mod freshness;
mod pair;
