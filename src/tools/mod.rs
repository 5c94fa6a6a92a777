//! The command line, and one command on one machine with real data to look at.

pub mod cli;
pub mod demo;
pub mod dev;
