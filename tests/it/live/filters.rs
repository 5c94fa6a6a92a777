//! A filter that is judged in memory, on a record as the log keeps it, comes to what the database says of the row.

use std::collections::BTreeSet;

use chrono::{DateTime, NaiveDate, Utc};
use dealgraph::{
    crm::{
        activities::Activity, companies::Company, contacts::Contact, leads::Lead,
        opportunities::Opportunity, products::Product,
    },
    db::{
        Comparison, KnownRow, Predicate, Registered as _, Value,
        list::{self, Record as _, Table},
    },
};
use fastrand::Rng;
use serde_json::{Value as Json, json};
use uuid::Uuid;

use super::act;
use crate::harness::{A, Who, World, global_id, test};

const ROUNDS: usize = 400;

/// What a column holds.
#[derive(Clone, Copy)]
enum Holds {
    Text,
    Int,
    Id,
    Time,
    Date,
}

use Holds::{Date, Id, Int, Text, Time};

/// The columns that filters compare, of each kind of record.
const KINDS: [(&str, Table, &[(&str, Holds)]); 6] = [
    (
        Company::KIND,
        Company::SOURCE,
        &[
            ("company_id", Id),
            ("name_normalized", Text),
            ("domain", Text),
            ("industry", Text),
            ("country", Text),
            ("employee_count", Int),
            ("owner_id", Id),
            ("parent_company_id", Id),
            ("created_at", Time),
            ("updated_at", Time),
        ],
    ),
    (
        Contact::KIND,
        Contact::SOURCE,
        &[
            ("contact_id", Id),
            ("name_normalized", Text),
            ("email_normalized", Text),
            ("company_id", Id),
            ("owner_id", Id),
            ("reports_to_id", Id),
            ("warmness_score", Int),
            ("last_contacted_at", Time),
            ("created_at", Time),
            ("updated_at", Time),
        ],
    ),
    (
        Lead::KIND,
        Lead::SOURCE,
        &[
            ("lead_id", Id),
            ("name_normalized", Text),
            ("email_normalized", Text),
            ("status", Text),
            ("source", Text),
            ("owner_id", Id),
            ("next_action_at", Time),
            ("created_at", Time),
            ("updated_at", Time),
        ],
    ),
    (
        Opportunity::KIND,
        Opportunity::SOURCE,
        &[
            ("opportunity_id", Id),
            ("name_normalized", Text),
            ("status", Text),
            ("pipeline_id", Id),
            ("stage_id", Id),
            ("amount_minor", Int),
            ("amount_currency", Text),
            ("probability", Int),
            ("forecast_category", Text),
            ("expected_close_on", Date),
            ("source", Text),
            ("company_id", Id),
            ("primary_contact_id", Id),
            ("owner_id", Id),
            ("next_action_at", Time),
            ("last_activity_at", Time),
            ("stage_entered_at", Time),
            ("won_at", Time),
            ("lost_at", Time),
            ("created_at", Time),
            ("updated_at", Time),
        ],
    ),
    (
        Activity::KIND,
        Activity::SOURCE,
        &[
            ("activity_id", Id),
            ("kind", Text),
            ("status", Text),
            ("direction", Text),
            ("owner_id", Id),
            ("due_at", Time),
            ("occurred_at", Time),
            ("done_at", Time),
            ("created_at", Time),
            ("updated_at", Time),
        ],
    ),
    (
        Product::KIND,
        Product::SOURCE,
        &[
            ("product_id", Id),
            ("name_normalized", Text),
            ("code_normalized", Text),
            ("unit_price_minor", Int),
            ("created_at", Time),
            ("updated_at", Time),
        ],
    ),
];

/// A value to compare with: one that a record has, or a neighbour of it.
fn value(rng: &mut Rng, holds: Holds, records: &[(Uuid, KnownRow)], column: &str) -> Value {
    let stored = records[rng.usize(..records.len())]
        .1
        .get(column)
        .cloned()
        .unwrap_or(Json::Null);
    let text = stored.as_str();
    match holds {
        Text => {
            let text = text.unwrap_or("deal");
            let end = rng.usize(..=text.len());
            Value::Text(if rng.bool() {
                text.to_owned()
            } else {
                text.get(..end).unwrap_or(text).to_owned()
            })
        }
        Int => Value::Int(stored.as_i64().unwrap_or(0) + rng.i64(-1..=1)),
        Id => {
            let known = text
                .map(|id| id.rsplit(':').next().unwrap_or(id))
                .and_then(|id| id.parse().ok());
            Value::Uuid(known.unwrap_or_else(|| A.uuid("user", 1)))
        }
        Time => {
            let known = text.and_then(|time| time.parse::<DateTime<Utc>>().ok());
            Value::Time(
                known.unwrap_or_default() + chrono::TimeDelta::microseconds(rng.i64(-1..=1)),
            )
        }
        Date => Value::Date(
            text.and_then(|date| date.parse().ok())
                .unwrap_or(NaiveDate::MIN.max(NaiveDate::from_ymd_opt(2026, 1, 1).expect("a day"))),
        ),
    }
}

fn predicate(
    rng: &mut Rng,
    depth: u8,
    columns: &[(&'static str, Holds)],
    records: &[(Uuid, KnownRow)],
) -> Predicate {
    if depth > 0 && rng.bool() {
        let parts: Vec<_> = (0..rng.usize(1..=3))
            .map(|_| predicate(rng, depth - 1, columns, records))
            .collect();
        return match rng.u8(..3) {
            0 => Predicate::All(parts),
            1 => Predicate::Any(parts),
            _ => Predicate::Not(Box::new(Predicate::All(parts))),
        };
    }
    let (column, holds) = columns[rng.usize(..columns.len())];
    match rng.u8(..4) {
        0 => Predicate::Empty(column.into()),
        1 => Predicate::In(
            column.into(),
            (0..rng.usize(..3))
                .map(|_| value(rng, holds, records, column))
                .collect(),
        ),
        _ => {
            use Comparison::{Eq, Gt, Gte, Lt, Lte, Neq, StartsWith};
            let comparisons = match holds {
                Text => &[Eq, Neq, StartsWith][..],
                Id => &[Eq, Neq],
                _ => &[Eq, Neq, Lt, Lte, Gt, Gte],
            };
            let comparison = comparisons[rng.usize(..comparisons.len())];
            Predicate::Compare(
                column.into(),
                comparison,
                value(rng, holds, records, column),
            )
        }
    }
}

/// Changes every record, so that the log has it as it is now.
async fn touch_everything(world: &World) {
    let admin = world.a(Who::Admin);
    let id = |kind: &str, n| global_id(kind, A.uuid(kind, n));
    for n in 1..=4 {
        act(
            &admin,
            "companyUpdate",
            json!({ "id": id("company", n), "employeeCount": n * 10 }),
        )
        .await;
        act(
            &admin,
            "contactUpdate",
            json!({ "id": id("contact", n), "warmnessScore": n * 10 }),
        )
        .await;
        act(
            &admin,
            "leadUpdate",
            json!({ "id": id("lead", n), "source": format!("source {n}") }),
        )
        .await;
        act(&admin, "opportunityUpdate", json!({ "id": id("opportunity", n), "expectedCloseOn": format!("2027-01-0{n}"), "probability": n * 10 })).await;
        act(
            &admin,
            "activityUpdate",
            json!({ "id": id("activity", n), "outcome": format!("outcome {n}") }),
        )
        .await;
        act(
            &admin,
            "productUpdate",
            json!({ "id": id("product", n), "description": format!("batch {n}") }),
        )
        .await;
    }
    act(
        &admin,
        "opportunityWin",
        json!({ "id": id("opportunity", 2) }),
    )
    .await;
    act(
        &admin,
        "opportunityLose",
        json!({ "id": id("opportunity", 3), "reason": "price" }),
    )
    .await;
    act(
        &admin,
        "leadUpdate",
        json!({ "id": id("lead", 2), "source": null }),
    )
    .await;
}

#[test]
fn a_filter_in_memory_comes_to_what_the_database_says() {
    test(async |world: &World| {
        touch_everything(world).await;
        let seed = super::seed();
        let mut rng = Rng::with_seed(seed);
        let mut superuser = world.database.superuser().await;
        let actor = A.actor(Who::Admin);
        for (entity, table, columns) in KINDS {
            let rows: Vec<(Uuid, Json)> = sqlx::query_as(
                "SELECT DISTINCT ON (entity_id) entity_id, record FROM events WHERE tenant_id = $1 AND entity = $2 AND record <> '{}'
                 ORDER BY entity_id, seq DESC",
            )
            .bind(A.uuid("tenant", 1))
            .bind(entity)
            .fetch_all(&mut superuser)
            .await
            .expect("events can be read");
            let records: Vec<(Uuid, KnownRow)> = rows
                .into_iter()
                .map(|(id, record)| (id, record.as_object().cloned().expect("an object")))
                .collect();
            assert_eq!(records.len(), 4, "{entity}");
            let (mut met, mut unmet) = (0, 0);
            for _ in 0..ROUNDS {
                let predicate = predicate(&mut rng, 2, columns, &records);
                let in_memory: BTreeSet<Uuid> = records
                    .iter()
                    .filter(|(_, record)| {
                        predicate.judge(record).unwrap_or_else(|| {
                            panic!("SEED={seed}: {entity} lacks a column of {predicate:?}")
                        })
                    })
                    .map(|(id, _)| *id)
                    .collect();
                let ids = records.iter().map(|(id, _)| *id).collect();
                let session = world.db.read_session(actor.clone());
                let asked =
                    session.run(async |tx| list::matching(tx, table, ids, &predicate).await);
                let in_database: BTreeSet<Uuid> =
                    asked.await.expect("it can be asked").into_iter().collect();
                assert_eq!(in_memory, in_database, "SEED={seed} {entity} {predicate:?}");
                met += in_memory.len();
                unmet += records.len() - in_memory.len();
            }
            assert!(met > 50 && unmet > 50, "both happen: {met} and {unmet}");
        }
    });
}
