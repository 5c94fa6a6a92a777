//! Dealgraph: a GraphQL, multi-tenant CRM platform under Postgres row-level security.
//!
//! # The house
//! - [`tenants`], [`members`], [`roles`], [`api_keys`], [`companies`], [`contacts`], [`leads`], [`pipelines`], [`opportunities`],
//!   [`activities`]: the domains, all alike inside. `mod.rs` has the verbs, `model.rs` the types and rules (pure),
//!   `store.rs` the SQL. Of the schema, `graphql.rs` has what can be read, `filter.rs` which and in what order,
//!   `mutation.rs` what can be changed, and `projection.rs` which fields are plain columns. Then one file per business
//!   act. [`records`] is what they share.
//! - [`accounts`]: people beyond tenants: registering, signing in, sessions. [`mail`]: what is sent to them.
//! - [`auth`]: who is asking. Token -> claims -> actor; the built-in roles.
//! - [`db`]: the only owner of connections, and the one door from an actor to row-level security.
//! - [`graphql`]: the thin shell. Schema, request context, loaders, filters, connections, limits, HTTP.
//! - [`events`]: what happened, numbered per tenant in commit order, and reading along. [`graphql::live`]: subscriptions.
//! - [`cache`]: what servers remember together. [`presence`]: who is looking at a record.
//! - [`server`]: the accept loop. [`app`]: everything put together. [`config`], [`telemetry`].
//! - [`cli`]: the command line. [`dev`], [`demo`], [`import`]: one command on one machine, and real data to look at.
//! - [`ids`], [`text`], [`money`], [`clock`], [`error`]: the small words everything is said in.
//!
//! Beside `src`: `migrations/` says how tables came about, `policies/` says who may see what now.
//!
//! # The walk of a query
//! 1. [`server`] accepts, with limits on heads and time. [`app`] gives the request an id, a span and a log line.
//! 2. `graphql/http` reads the body, bounded, and scans the text before any parser sees it.
//! 3. `graphql/operation` reads and validates the document; [`graphql::shape`] measures it: depth, aliases, how many objects
//!    it could answer.
//! 4. [`graphql::Api::authenticate`]: the token's claims become an [`auth::Actor`], once.
//!    A query whose answer is kept ends here: `graphql/cached` asks how far the data is and finds it.
//! 5. `graphql/operation` puts variables and defaults in and judges directives. [`graphql::RequestContext`] carries the
//!    actor, loaders and a [`db::ReadSession`].
//! 6. A resolver in a domain's `graphql.rs` translates its arguments and asks for a page or a record. Where all that is
//!    asked of it follows from columns, `graphql/projection` reads just these and writes the JSON; else the executor
//!    asks whole records for each field.
//! 7. The first statement begins one read-only snapshot, in one message with the actor's settings; all further
//!    ones of the request take turns on it.
//! 8. [`db::list`] renders the statement: the tenant, the filter, the keyset, the limit. Postgres adds the policies.
//! 9. Nested fields batch: one statement per level and type, with the page limit inside, per parent.
//! 10. `graphql/operation` completes the answer, and it leaves. The snapshot ends in the message that begins the connection's next one, or after a
//!     millisecond; nobody waits for it.
//!
//! A mutation's field is one [`db::Db::write`]: lock, rule, write, events, commit; what it answers is read afterwards
//! from a fresh snapshot.
//!
//! # The walk of an event
//! 1. The door appends it as the last thing before COMMIT, with the tenant's next number: no holes, in commit order.
//! 2. After the commit a hint says how far the log is: in this process, and by Redis to the other servers.
//! 3. A [`events::Feed`] per tenant and server reads what is new, once. The poll of the [`events::Hub`] finds what no
//!    hint told of.
//! 4. Each visibility class that watches holds it against its rights and filters in memory ([`events::Watched`]).
//! 5. What remains is answered by the executor under row-level security, once per document and class.
//! 6. The answer goes into the queue of each client, and over its WebSocket or event stream.

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
pub mod organization;
pub mod platform;
pub mod tools;
