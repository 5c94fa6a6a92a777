//! Whether both give the same data, whatever the shape of their answers.

use chrono::DateTime;
use serde_json::Value as Json;

use super::postgraphile::PostGraphile;
use crate::{
    Outcome,
    attack::Target,
    client::{Connection, Question},
    server::Server,
    workload::{Workload, WorkloadKind},
};

/// Asks both for everything that is read in a workload, and compares.
pub(super) async fn data(
    (server, ours): (&Server, &Workload),
    (peer, theirs): (&PostGraphile, &Workload),
) -> Outcome<()> {
    let is_read = !matches!(
        ours.kind,
        WorkloadKind::Move | WorkloadKind::Create | WorkloadKind::Mixed
    );
    for (our, their) in ours.variants.iter().zip(&theirs.variants) {
        let (left, right) = (
            answer(server, &our.questions[0]).await?,
            answer(peer, &their.questions[0]).await?,
        );
        if is_read && (left != right || left.is_empty()) {
            let differing = left.iter().zip(&right).find(|(left, right)| left != right);
            return Err(format!(
                "{}: the data differs in tenant {}: {} and {} records, for example {differing:?}",
                ours.name,
                our.tenant,
                left.len(),
                right.len()
            )
            .into());
        }
    }
    Ok(())
}

/// The values of each record of an answer, with those of what hangs on it.
async fn answer(target: &impl Target, question: &Question) -> Outcome<Vec<Vec<String>>> {
    let mut connection = Connection::open(target.address()).await?;
    let answer: Json = serde_json::from_slice(&connection.ask(question).await?)?;
    let mut records = Vec::new();
    find(&answer["data"], &mut records);
    Ok(records)
}

/// The uppermost objects with an id.
fn find(json: &Json, records: &mut Vec<Vec<String>>) {
    match json {
        Json::Array(items) => items.iter().for_each(|item| find(item, records)),
        Json::Object(fields) if fields.contains_key("id") => {
            let mut values = Vec::new();
            collect(json, &mut values);
            values.sort_unstable();
            records.push(values);
        }
        Json::Object(fields) => fields.values().for_each(|value| find(value, records)),
        _ => {}
    }
}

fn collect(json: &Json, values: &mut Vec<String>) {
    match json {
        Json::Null => {}
        Json::Array(items) => items.iter().for_each(|item| collect(item, values)),
        Json::Object(fields) => fields.values().for_each(|value| collect(value, values)),
        Json::String(text) => values.push(plain(text)),
        other => values.push(other.to_string()),
    }
}

/// Ids without the type before them, instants in one notation.
fn plain(text: &str) -> String {
    if let Ok(instant) = DateTime::parse_from_rfc3339(text) {
        return instant.timestamp_micros().to_string();
    }
    match text.split_once(':') {
        Some((_, id)) if id.parse::<uuid::Uuid>().is_ok() => id.to_owned(),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn shapes_and_notations_do_not_matter_and_values_do() {
        let records = |answer: Json| {
            let mut records = Vec::new();
            find(&answer, &mut records);
            records
        };
        let id = uuid::Uuid::nil();
        let ours = json!({ "deals": { "nodes": [{ "id": format!("opportunity:{id}"), "at": "2026-01-01T00:00:00+00:00",
            "amount": { "amountMinor": 5, "currency": "EUR" }, "owner": null }] } });
        let theirs = json!({ "all": { "nodes": [{ "id": id, "at": "2026-01-01T01:00:00.000+01:00", "amountMinor": "5",
            "currency": "EUR" }] } });
        assert_eq!(records(ours.clone()), records(theirs));
        let other = json!([{ "id": id, "at": "2026-01-01T00:00:00Z", "amountMinor": "6", "currency": "EUR" }]);
        assert_ne!(records(ours), records(other));
    }
}
