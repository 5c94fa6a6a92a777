//! People beyond tenants: registering, signing in, staying signed in, and all who must not get in.

mod guessing;
mod operator;
mod own;
mod password;
mod profile;
mod refresh;
mod register;
mod sessions;
mod sign_in;
mod switch;
mod throttle;
mod timing;

use serde_json::{Value, json};

use crate::harness::{Answer, Side, Who, World};

/// The password of everyone to whom a test gives one.
pub(crate) const PASSWORD: &str = "correct horse battery";

/// What clients ask of a session.
pub(crate) const SESSION: &str = "session { accessToken accessTokenExpiresAt refreshToken refreshTokenExpiresAt \
    tenant { id slug name role } tenants { id slug name role } } secondFactor { token setUpRequired } \
    userErrors { code message field }";

/// The address of a member of the world.
pub(crate) async fn address(world: &World, side: Side, who: Who) -> String {
    let mut superuser = world.database.superuser().await;
    let sql = "SELECT email FROM users WHERE user_id = $1";
    let found = sqlx::query_scalar(sql).bind(side.user(who));
    found
        .fetch_one(&mut superuser)
        .await
        .expect("the person is there")
}

/// Arranges rows as nobody in the product could.
pub(crate) async fn arrange(world: &World, sql: &'static str) {
    let mut superuser = world.database.superuser().await;
    sqlx::raw_sql(sql)
        .execute(&mut superuser)
        .await
        .expect("the arrangement fits");
}

/// A number that the database has.
pub(crate) async fn count(world: &World, sql: &'static str) -> i64 {
    let mut superuser = world.database.superuser().await;
    sqlx::query_scalar(sql)
        .fetch_one(&mut superuser)
        .await
        .expect("a number")
}

/// How often something stands in the audit logs, once it was written.
pub(crate) async fn audited(world: &World, action: &str) -> i64 {
    world.accounts.recorder.flush().await;
    let mut superuser = world.database.superuser().await;
    sqlx::query_scalar("SELECT count(*) FROM audit_log WHERE action = $1")
        .bind(action)
        .fetch_one(&mut superuser)
        .await
        .expect("a number")
}

/// Sends a mutation of one input without a token.
pub(crate) async fn anonymous(world: &World, mutation: &str, input: Value, asks: &str) -> Answer {
    mutate(world, None, (mutation, asks), input).await
}

/// Sends a mutation of one input; the name of the input type follows from the mutation's.
pub(crate) async fn mutate(
    world: &World,
    token: Option<&str>,
    (mutation, asks): (&str, &str),
    input: Value,
) -> Answer {
    let kind = mutation[..1].to_uppercase() + &mutation[1..];
    let document =
        format!("mutation($input: {kind}Input!) {{ {mutation}(input: $input) {{ {asks} }} }}");
    let client = world.anybody(token.map(str::to_owned));
    client.send(&document, json!({ "input": input })).await
}

/// Sends a sign-in from an address.
pub(crate) async fn sign_in_from(
    world: &World,
    from: &str,
    (email, password): (&str, &str),
) -> Answer {
    sign_in_by(world, from, (email, password), None).await
}

/// The same by a device that shows a refresh token of before.
pub(crate) async fn sign_in_by(
    world: &World,
    from: &str,
    (email, password): (&str, &str),
    before: Option<&str>,
) -> Answer {
    let document =
        format!("mutation($input: SignInInput!) {{ signIn(input: $input) {{ {SESSION} }} }}");
    let input = json!({ "email": email, "password": password, "previousRefreshToken": before });
    let body = json!({ "query": document, "variables": { "input": input } });
    let client = world.anybody(None);
    let request = client.post().header("x-forwarded-for", from).json(&body);
    client.send_request(request, &body.to_string()).await
}

/// Tries to sign in.
pub(crate) async fn try_sign_in(
    world: &World,
    email: &str,
    password: &str,
    tenant: Option<&str>,
) -> Answer {
    let input = json!({ "email": email, "password": password, "tenant": tenant });
    anonymous(world, "signIn", input, SESSION).await
}

/// Gives a member of tenant A a password and signs them in.
pub(crate) async fn signed_in(world: &World, who: Who) -> Value {
    world.set_password(Side::A.user(who), PASSWORD).await;
    sign_in_again(world, who).await
}

/// Signs a member of tenant A in who has a password already.
pub(crate) async fn sign_in_again(world: &World, who: Who) -> Value {
    let email = address(world, Side::A, who).await;
    let answer = try_sign_in(world, &email, PASSWORD, None).await.data();
    let payload = &answer["signIn"];
    assert_eq!(payload["userErrors"], json!([]));
    payload["session"].clone()
}

/// A text in an answer.
pub(crate) fn text(value: &Value) -> &str {
    value
        .as_str()
        .unwrap_or_else(|| panic!("{value} is no text"))
}

/// Whether an access token is good.
pub(crate) async fn is_in(world: &World, access: &str) -> bool {
    let client = world.anybody(Some(access.to_owned()));
    let answer = client.send("{ viewer { id } }", json!({})).await;
    answer.body.pointer("/data/viewer/id").is_some()
}

/// Waits until an access token is refused, which takes a second at most where no server is notified at once.
pub(crate) async fn ends(world: &World, access: &str) {
    for _ in 0..200 {
        if !is_in(world, access).await {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("the access token goes on");
}
