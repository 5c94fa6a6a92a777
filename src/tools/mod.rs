//! The executable: its configuration, everything put together ([`app`]), the command line, and one command on one machine with real data to look at.

pub mod app;
pub mod cli;
pub mod config;
pub mod demo;
pub mod dev;
pub mod doctor;
