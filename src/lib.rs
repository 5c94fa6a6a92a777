//! Dealgraph: a GraphQL, multi-tenant CRM platform under Postgres row-level security.
//!
//! # The layers
//! Each names only those before it; `tests/it/architecture` holds them to it.
//! - [`base`]: what everything is said in: ids, text, money, instants, secrets, the one error.
//! - [`access`]: who acts and what they may: [`access::Actor`], rights, roles, sensitivity. Pure.
//! - [`platform`]: telemetry, Redis, mail, asking other servers, the accept loop.
//! - [`db`]: the only owner of connections, and the only way from an actor to row-level security; admission control, the
//!   unit of work with its [`db::journal`] of events and audit entries, lists, migrations.
//! - [`entity`]: what all records have in common: stamps, owners, being changed, archived, deleted.
//! - [`events`]: following the event log, numbered per tenant in commit order.
//! - [`jobs`]: work that outlives a request, in queues of tenants, once or by a schedule.
//! - [`graphql`]: the kit that domains make their part of the schema from.
//! - [`organization`]: accounts, sign-in, tenants, members, roles, keys, the audit log; webhooks, both ways.
//! - [`crm`]: companies, contacts, leads, pipelines, opportunities, activities, products.
//! - [`data`]: data in bulk.
//! - [`integrations`]: records kept in step with services elsewhere: the contract, accounts, runs, links.
//! - [`api`]: the service: schema, HTTP, sockets, subscriptions, response cache, query cost, explorer.
//! - [`tools`]: the executable: configuration, everything put together, the command line, one command on one machine.
//!
//! Domains are all alike inside. `mod.rs` has the verbs, `model.rs` the types and rules, `record.rs` what follows from a
//! record's changes, `store.rs` the SQL. Of the schema, `model.rs` has the fields that are columns as they are, `graphql.rs`
//! what else can be read, `filter.rs` which and in what order, `mutation.rs` what can be changed, `subscription.rs` what can
//! be watched, and `projection.rs` which other fields follow from columns. Then one file per business act.
//!
//! Beside `src`: `migrations/` says how tables came about, `policies/` says who may see what now.
//!
//! # The walk of a query
//! 1. [`platform::server`] accepts, with limits on heads and time. [`tools::app`] gives the request an id, a span and a log
//!    line.
//! 2. [`api::http`] reads the body, bounded, and scans the text before any parser sees it.
//! 3. `api/operation` reads and validates the document; [`api::shape`] measures it: depth, aliases, how many objects it could
//!    answer.
//! 4. [`api::Api::authenticate`]: the token's claims become an [`access::Actor`], once. A query that has an entry in the
//!    response cache ends here: `api/response_cache` asks how far the data is and finds it. One that may be somewhat old
//!    goes to a replica, if there is one (`api/staleness`).
//! 5. `api/operation` puts variables and defaults in and judges directives. [`graphql::RequestContext`] carries the actor,
//!    loaders and a [`db::ReadSession`].
//! 6. A resolver in a domain's `graphql.rs` translates its arguments and asks for a page or a record. Where all that is
//!    asked of it follows from columns, `graphql/projection` reads just these and writes the JSON; else the executor
//!    asks whole records for each field.
//! 7. The first statement begins one read-only snapshot, in one message with the actor's settings; all further
//!    ones of the request take turns on it.
//! 8. [`db::list`] renders the statement: the tenant, the filter, the keyset, the limit. Postgres adds the policies.
//! 9. Nested fields batch: one statement per level and type, with the page limit inside, per parent.
//! 10. `api/operation` completes the answer, and it leaves. The snapshot ends in the message that begins the connection's
//!     next one, or after a millisecond; nobody waits for it.
//!
//! A mutation's field is one [`db::Db::write`]: lock, rule, write, events, commit; what it answers is read afterwards
//! from a fresh snapshot.
//!
//! # The walk of an event
//! 1. [`db::journal`] appends it as the last thing before COMMIT, with the tenant's next number: no holes, in commit order.
//! 2. After the commit a hint says how far the log is: in this process, and by Redis to the other servers.
//! 3. An [`events::Feed`] per tenant and server reads what is new, once. The poll of the [`events::Hub`] finds what no
//!    hint told of.
//! 4. Each visibility class that watches holds it against its rights and filters in memory ([`events::Watched`]).
//! 5. What remains is answered by the executor under row-level security, once per document and class ([`api::live`]).
//! 6. The answer goes into the queue of each client, and over its WebSocket or event stream.
//!
//! What else follows from it is done by consumers of the log ([`jobs::consumers`]), each with its own mark:
//! [`organization::webhooks`] sends it to other servers, [`integrations::sync`] writes it to services.

// The schema's roots are one future within another per domain, and there are many domains.
#![recursion_limit = "256"]

pub mod access;
pub mod api;
pub mod base;
pub mod crm;
pub mod data;
pub mod db;
pub mod entity;
pub mod events;
pub mod graphql;
pub mod integrations;
pub mod jobs;
pub mod organization;
pub mod platform;
pub mod tools;
