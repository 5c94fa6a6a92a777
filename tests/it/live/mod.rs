//! Subscriptions: every subscriber sees every change that it may see, once, in order.

mod events;
mod filters;
mod history;
mod isolation;
pub(crate) mod node;
mod presence;
mod protocol;
mod pulse;
mod returns;
mod rights;
pub(crate) mod rule;
mod servers;
mod sight;
mod slow;
pub(crate) mod socket;
mod stats;

pub(crate) use socket::Socket;

use std::sync::LazyLock;

use serde_json::{Value, json};

use crate::harness::{A, Client, Schema, global_id};

/// What happens to deals, with all that an event says.
pub(crate) const DEALS: &str = "subscription($filter: OpportunityFilter, $after: EventCursor) {
    opportunityEvents(filter: $filter, after: $after) {
        kind cursor recordId version changes { field before after masked } by { user { name } } occurredAt
        opportunity { id name status amount { amountMinor } stage { name } owner { name } } } }";

/// A deal of A.
pub(crate) fn deal(n: u32) -> String {
    global_id("opportunity", A.uuid("opportunity", n))
}

/// Runs a mutation that must be taken.
pub(crate) async fn act(client: &Client<'_>, mutation: &str, input: Value) -> Value {
    let document = document(mutation);
    let answer = client
        .query_with(&document, json!({ "input": input }))
        .await;
    assert_eq!(answer[mutation]["userErrors"], json!([]), "{mutation}");
    answer
}

/// The document of a mutation, by the name of its input.
pub(crate) fn document(mutation: &str) -> String {
    static SCHEMA: LazyLock<Schema> = LazyLock::new(Schema::of_server);
    let field = SCHEMA
        .fields("Mutation")
        .iter()
        .find(|field| field.name == mutation)
        .unwrap_or_else(|| panic!("there is no {mutation}"));
    let of = &field.argument("input").expect("an input").of.name;
    format!(
        "mutation($input: {of}!) {{ {mutation}(input: $input) {{ userErrors {{ code message field }} }} }}"
    )
}

/// Gives a deal another name.
pub(crate) async fn rename(client: &Client<'_>, n: u32, name: &str) {
    act(
        client,
        "opportunityUpdate",
        json!({ "id": deal(n), "name": name }),
    )
    .await;
}

/// What chance begins with: another one each time, or the one that a failure named, as `SEED=…`.
pub(crate) fn seed() -> u64 {
    let named = std::env::var_os("SEED").and_then(|seed| seed.to_str()?.parse().ok());
    named.unwrap_or_else(|| fastrand::u64(..))
}
