//! Filters by chance: each is refused before anything is read, or costs what it says.

use std::sync::Arc;

use dealgraph::{
    api::{
        Spend,
        limits::{Limits, Points},
    },
    tools::app::Serving,
};
use fastrand::Rng;
use serde_json::{Map, Value, json};

use crate::{
    defaults::served::Served,
    harness::{A, Planner, Schema, Who, World, global_id, test},
    live::seed,
};

/// What chance may make of a filter: often too much, and never what is no filter.
fn wild(rng: &mut Rng, schema: &Schema, of: &str, depth: usize) -> Value {
    let mut filter = Map::new();
    for field in schema.fields(of) {
        if rng.u8(..8) > 0 {
            continue;
        }
        let operators = schema.fields(&field.of.name);
        let is_comparator = operators.iter().any(|operator| operator.name == "eq");
        let value = match field.of.name.as_str() {
            "Boolean" => json!(rng.bool()),
            _ if is_comparator => {
                let usual = operators.iter().filter(|operator| operator.name != "null");
                let usual: Vec<_> = usual.collect();
                let operator = usual[rng.usize(..usual.len())];
                let one = value_of(schema, &operator.of.name, (of, &field.name));
                let value = match operator.of.is_list {
                    true => Value::Array(vec![one; rng.usize(..110)]),
                    false => one,
                };
                json!({ &operator.name: value })
            }
            _ if depth == 0 => continue,
            inner if field.of.is_list => {
                let arms = rng.usize(..5);
                (0..arms)
                    .map(|_| wild(rng, schema, inner, depth - 1))
                    .collect()
            }
            inner => wild(rng, schema, inner, depth - 1),
        };
        filter.insert(field.name.clone(), value);
    }
    Value::Object(filter)
}

fn value_of(schema: &Schema, scalar: &str, (filter, field): (&str, &str)) -> Value {
    let own = filter.trim_end_matches("Filter").to_lowercase();
    let kind = match field {
        "id" => &own,
        "ownerId" => "user",
        "companyId" | "parentCompanyId" => "company",
        "pipelineId" => "pipeline",
        "stageId" => "stage",
        "primaryContactId" | "reportsToId" => "contact",
        other => other,
    };
    match scalar {
        "ID" => json!(global_id(kind, A.uuid(kind, 1))),
        "String" => json!("x"),
        "Int" | "BigInt" => json!(7),
        "DateTime" => json!("2026-06-01T12:00:00Z"),
        "Date" => json!("2026-06-01"),
        named => json!(schema.values(named)[0]),
    }
}

/// A filter says what it costs: Postgres expects no more of it than so much for each point, on a tenant of thousands of rows.
const COST_PER_POINT: f64 = 400.0;

/// A server that prices what it answers and charges nobody, so that each filter is judged by itself.
async fn uncharged(world: &World) -> Served {
    let limits = Limits {
        points: Points {
            spend: Spend::Measure,
            ..Points::default()
        },
        ..Limits::default()
    };
    let serving = Serving {
        cache_bytes: 0,
        ..Serving::default()
    };
    let tokens = Arc::clone(&world.tokens);
    Served::of(world.db.clone(), tokens, None, (limits, serving)).await
}

#[test]
fn whatever_the_filter_it_is_refused_or_cheap() {
    const REFUSALS: [&str; 5] = [
        "TOO_MANY_CONDITIONS",
        "TOO_MANY_RELATIONS",
        "TOO_MANY_VALUES",
        "FILTER_TOO_DEEP",
        "NESTED_TOO_DEEP",
    ];
    test(async |world: &World| {
        // The same filters each time, unless others are asked for: what Postgres expects of them is no matter of chance.
        let seed = std::env::var_os("SEED").map_or(1, |_| seed());
        let (schema, admin) = (Schema::of_server(), world.a(Who::Admin));
        let server = uncharged(world).await;
        let (mut planner, mut rng) = (Planner::connect().await, Rng::with_seed(seed));
        let (mut refused, mut answered) = (0, 0);
        for round in 0..300 {
            let (list, of) = [
                ("companies", "CompanyFilter"),
                ("contacts", "ContactFilter"),
                ("opportunities", "OpportunityFilter"),
            ][round % 3];
            let filter = wild(&mut rng, &schema, of, 1 + round % 7);
            let document =
                format!("query($f: {of}) {{ {list}(first: 5, filter: $f) {{ nodes {{ id }} }} }}");
            let variables = json!({ "f": filter });
            let asked = server.send(admin.token(), &document, &variables);
            let (answer, statements) = world.statements.during(asked).await;
            world.statements.are_by_chance(&statements);
            let read = statements.iter().filter(|sql| sql.contains(" t WHERE "));
            let read: Vec<_> = read.collect();
            let code = answer["errors"][0]["extensions"]["code"].as_str();
            if code.is_some_and(|code| REFUSALS.contains(&code)) {
                assert!(read.is_empty(), "seed {seed}, {filter}");
                refused += 1;
                continue;
            }
            assert_eq!(code, None, "seed {seed}, {filter}: {answer}");
            answered += 1;
            let points = answer["extensions"]["cost"]["requested"].as_f64();
            let points = points.expect("a price");
            for sql in read {
                assert!(sql.len() < 20_000, "seed {seed}, {filter}");
                let cost = planner.cost(sql).await;
                assert!(
                    cost <= COST_PER_POINT * points,
                    "seed {seed}: {cost} for {points} points, {filter}"
                );
            }
        }
        assert!(refused > 20 && answered > 100, "{refused} and {answered}");
        server.stop().await;
    });
}
