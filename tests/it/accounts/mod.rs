//! People beyond tenants: registering, signing in, staying signed in, and everybody who must not get in.

mod sign_in;

use serde_json::{Value, json};

use crate::harness::{Answer, Side, Who, World};

/// What everybody's password is, where a test gives them one.
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

/// Tries to sign in.
pub(crate) async fn try_sign_in(
    world: &World,
    email: &str,
    password: &str,
    tenant: Option<&str>,
) -> Answer {
    let document =
        format!("mutation($input: SignInInput!) {{ signIn(input: $input) {{ {SESSION} }} }}");
    let input = json!({ "email": email, "password": password, "tenant": tenant });
    world
        .stranger(None)
        .send(&document, json!({ "input": input }))
        .await
}

/// Gives a member of tenant A a password and signs them in.
pub(crate) async fn signed_in(world: &World, who: Who) -> Value {
    world.set_password(Side::A.user(who), PASSWORD).await;
    let email = address(world, Side::A, who).await;
    let answer = try_sign_in(world, &email, PASSWORD, None).await.data();
    let payload = &answer["signIn"];
    assert_eq!(payload["userErrors"], json!([]));
    payload["session"].clone()
}
