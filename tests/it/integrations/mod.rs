//! Integrations: the contract, proven by a service that runs in this process.

mod authorizing;
mod disconnecting;
mod documented;
mod failing;
mod people;
mod pushing;
mod syncing;

use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, raw_sql};

use crate::harness::{A, Side, Who, World};

/// What a mutation's payload is, by whom.
async fn call(world: &World, (side, who): (Side, Who), verb: &str, input: Value) -> Value {
    let input_type = match verb {
        "integrationAuthorize" => "IntegrationAuthorizeInput",
        "integrationAuthorizeFinish" => "IntegrationAuthorizeFinishInput",
        "integrationConnect" => "IntegrationConnectInput",
        "integrationUpdate" => "IntegrationUpdateInput",
        "integrationPause" | "integrationResume" => "IntegrationRefInput",
        "integrationSync" => "IntegrationSyncInput",
        "integrationDisconnect" => "IntegrationDisconnectInput",
        other => panic!("{other}"),
    };
    let of = match verb {
        "integrationAuthorize" => "authorizationUrl",
        _ => "",
    };
    let document = format!(
        "mutation($input: {input_type}!) {{ {verb}(input: $input) {{ integration {{ id status version }} {of}
             userErrors {{ code field }} }} }}"
    );
    let client = world.member(side, who);
    client
        .query_with(&document, json!({ "input": input }))
        .await[verb]
        .clone()
}

/// The same, which is done.
async fn done(world: &World, who: (Side, Who), verb: &str, input: Value) -> Value {
    let payload = call(world, who, verb, input).await;
    assert_eq!(payload["userErrors"], json!([]), "{verb}: {payload}");
    payload
}

/// The code and the field of why it is not.
async fn refused(world: &World, who: (Side, Who), verb: &str, input: Value) -> (String, String) {
    let payload = call(world, who, verb, input).await;
    let error = &payload["userErrors"][0];
    let field = error["field"].as_array().and_then(|path| path.last());
    let text = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_owned();
    (text(Some(&error["code"])), text(field))
}

const BACK: &str = "https://crm.example/back";

/// Sends somebody to the service, who agrees: what they come back with.
async fn agreed(world: &World, who: (Side, Who), input: Value) -> Value {
    let begun = done(world, who, "integrationAuthorize", input).await;
    let address = begun["authorizationUrl"].as_str().expect("an address");
    let (state, code) = world.rolodex.agree(address).await;
    json!({ "state": state, "code": code })
}

/// Connects an account of the service; its id.
async fn connected(world: &World, who: (Side, Who), provider: &str) -> Value {
    let input = json!({ "provider": provider, "redirectUri": BACK });
    let back = agreed(world, who, input).await;
    let finished = done(world, who, "integrationAuthorizeFinish", back).await;
    assert_eq!(finished["integration"]["status"], "ACTIVE");
    finished["integration"]["id"].clone()
}

const SEEN: &str = "id providerKey status statusReason externalAccount externalName version
    user { id } runsAs { kind user { id } } health { state since errorCode }
    streams { kind running syncedAt fullySyncedAt nextAt failures errorCode }";

/// An account as somebody sees it.
async fn seen(world: &World, who: (Side, Who), id: &Value) -> Value {
    let document = format!("query($id: ID!) {{ integration(id: $id) {{ {SEEN} }} }}");
    let client = world.member(who.0, who.1);
    client.query_with(&document, json!({ "id": id })).await["integration"].clone()
}

/// Waits until an account is as wanted.
async fn until(world: &World, id: &Value, is_so: impl Fn(&Value) -> bool) -> Value {
    for _ in 0..600 {
        let now = seen(world, (A, Who::Admin), id).await;
        if is_so(&now) {
            return now;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let runs = runs(world, id).await;
    panic!("{} {runs:#?}", seen(world, (A, Who::Admin), id).await);
}

/// The runs of an account, the first first.
async fn runs(world: &World, id: &Value) -> Vec<Value> {
    let document = "query($id: ID!) { syncRuns(first: 50, filter: { integrationId: { eq: $id } },
        orderBy: [{ field: STARTED_AT, direction: ASC }]) { nodes { id kind mode trigger status cursorBefore cursorAfter
        counts { read created updated unchanged removed skipped failed } problems { externalId code field }
        errorCode nextAttemptAt endedAt } } }";
    let answer = world
        .a(Who::Admin)
        .query_with(document, json!({ "id": id }))
        .await;
    answer["syncRuns"]["nodes"]
        .as_array()
        .expect("a list")
        .clone()
}

/// Waits until so many runs of an account are over.
async fn ran(world: &World, id: &Value, many: usize) -> Vec<Value> {
    for _ in 0..1_200 {
        let all = runs(world, id).await;
        let over = all.iter().filter(|run| !run["endedAt"].is_null()).count();
        if over >= many {
            return all;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!(
        "{:#?} {}",
        runs(world, id).await,
        seen(world, (A, Who::Admin), id).await
    );
}

/// Brings an account in step now, and waits for the run.
async fn synced(world: &World, id: &Value, mode: &str) -> Value {
    let before = runs(world, id).await.len();
    let input = json!({ "id": id, "mode": mode });
    done(world, (A, Who::Admin), "integrationSync", input).await;
    ran(world, id, before + 1).await.pop().expect("a run")
}

/// What of a run's counts is not none.
fn counts(run: &Value) -> Value {
    let counts = run["counts"].as_object().expect("counts");
    let number = |count: &Value| count.to_string().trim_matches('"').parse::<i64>();
    let counts = counts
        .iter()
        .map(|(name, count)| (name, number(count).expect("a number")));
    let some = counts.filter(|(_, count)| *count != 0);
    some.map(|(name, count)| (name.clone(), json!(count)))
        .collect()
}

/// Contacts of tenant A by their last names, with what is asked of them.
async fn contacts(world: &World, last: &str, of: &str) -> Vec<Value> {
    let document = format!(
        "query($last: String!) {{ contacts(first: 100, includeArchived: true, filter: {{ name: {{ startsWith: $last }} }}) {{
             nodes {{ id lastName {of} }} }} }}"
    );
    let variables = json!({ "last": last });
    let answer = world.a(Who::Admin).query_with(&document, variables).await;
    let found = answer["contacts"]["nodes"]
        .as_array()
        .expect("a list")
        .clone();
    let named = found
        .into_iter()
        .filter(|contact| contact["lastName"] == last);
    named
        .map(|mut contact| {
            contact
                .as_object_mut()
                .expect("an object")
                .remove("lastName");
            contact
        })
        .collect()
}

async fn arrange(world: &World, sql: &str) {
    let mut superuser = world.database.superuser().await;
    let arranged = raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut superuser);
    arranged.await.expect("a test can arrange rows");
}

async fn count(world: &World, sql: &str) -> i64 {
    let mut superuser = world.database.superuser().await;
    let counted = sqlx::query_scalar(AssertSqlSafe(sql.to_owned())).fetch_one(&mut superuser);
    counted.await.expect("rows can be counted")
}

/// Fills the service with people.
fn fill(world: &World, many: usize) {
    for n in 0..many {
        let email = format!("person{n}@rolo.example");
        world
            .rolodex
            .put(&n.to_string(), "Person", &format!("No{n}"), Some(&email));
    }
}
