//! The service: everything put together.

pub mod app;
