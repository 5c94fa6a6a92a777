//! What is written, looked for, and sent beyond what can be stored: values at their edges.

mod filters;
mod ids;
mod nul;
mod pages;
mod snapshot;
mod upgrade;
mod written;
