//! The laws of Dealgraph, each proven against a real Postgres and over real HTTP.
//!
//! One binary, because linking is the slow part. Every test that needs a world runs inside [`harness::test`], which
//! judges at its end what the test did by the way: what was logged, and every SQL statement that was run.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on should panic where it stands"
)]
#![expect(
    clippy::type_complexity,
    reason = "rows of the catalogue are read once, where they are judged"
)]

mod access;
mod accounts;
mod activities;
mod api_keys;
mod architecture;
mod attacks;
mod audit;
mod budgets;
mod cached;
mod can;
mod citus;
mod clients;
mod coding;
mod command;
mod companies;
mod contacts;
mod counts;
mod defaults;
mod doctor;
mod documents;
mod escalation;
mod events;
mod explain;
mod filters;
mod harness;
mod http;
mod idempotency;
mod identities;
mod identity;
mod inbound;
mod integrations;
mod isolation;
mod jobs;
mod lead_forms;
mod leads;
mod live;
mod masks;
mod members;
mod migrations;
mod operating;
mod opportunities;
mod outbound;
mod pipelines;
mod plans;
mod points;
mod policies;
mod policy_files;
mod pool;
mod products;
mod projection;
mod readme;
mod records;
mod reference;
mod replicas;
mod reported;
mod restores;
mod roles;
mod schema;
mod second_factor;
mod sensitivity;
mod sizes;
mod snapshot;
mod teams;
mod tenant_bound;
mod tenants;
mod updates;
mod values;
mod viewer;
mod webhooks;
