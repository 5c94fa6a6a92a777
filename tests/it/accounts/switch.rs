//! Going on in another tenant.

use serde_json::{Value, json};

use super::{PASSWORD, SESSION, address, arrange, audited, mutate, text, try_sign_in};
use crate::harness::{A, B, Who, World, test};

async fn both(world: &World) -> Value {
    world.set_password(A.user(Who::Both), PASSWORD).await;
    let email = address(world, A, Who::Both).await;
    let answer = try_sign_in(world, &email, PASSWORD, Some("side-a0a0"))
        .await
        .data();
    answer["signIn"]["session"].clone()
}

async fn switch(world: &World, session: &Value, input: Value) -> Value {
    let token = text(&session["accessToken"]);
    let answer = mutate(world, Some(token), ("switchTenant", SESSION), input).await;
    answer.data()["switchTenant"].clone()
}

#[test]
fn the_session_goes_on_where_the_person_went() {
    test(async |world| {
        let session = both(world).await;
        let there = switch(world, &session, json!({ "tenantId": B.tenant() })).await;
        assert_eq!(there["session"]["tenant"]["slug"], "side-b0b0");
        assert!(
            there["session"]["refreshToken"].is_null(),
            "the one they have stays good"
        );
        let token = text(&there["session"]["accessToken"]).to_owned();
        let seen = world
            .anybody(Some(token))
            .query("{ viewer { role tenant { slug } } }")
            .await;
        assert_eq!(
            seen["viewer"],
            json!({ "role": "VIEWER", "tenant": { "slug": "side-b0b0" } })
        );
        // A refresh stays there.
        let input = json!({ "refreshToken": session["refreshToken"] });
        let refreshed = mutate(world, None, ("refreshSession", SESSION), input)
            .await
            .data();
        assert_eq!(
            refreshed["refreshSession"]["session"]["tenant"]["slug"],
            "side-b0b0"
        );
        let back = switch(world, &there["session"], json!({ "slug": "side-a0a0" })).await;
        assert_eq!(back["session"]["tenant"]["slug"], "side-a0a0");
        assert_eq!(audited(world, "session.switched").await, 2);
    });
}

#[test]
fn nobody_goes_where_they_are_not_an_active_member() {
    test(async |world| {
        let session = super::signed_in(world, Who::Rep).await;
        for input in [
            json!({ "tenantId": B.tenant() }),
            json!({ "slug": "side-b0b0" }),
            json!({ "slug": "nowhere" }),
        ] {
            let refused = switch(world, &session, input).await;
            assert_eq!(refused["userErrors"][0]["code"], "NOT_FOUND");
        }
        let none = switch(world, &session, json!({})).await;
        assert_eq!(none["userErrors"][0]["code"], "INVALID_INPUT");
        let both = both(world).await;
        arrange(
            world,
            "UPDATE memberships SET status = 'SUSPENDED' WHERE role = 'VIEWER'",
        )
        .await;
        let refused = switch(world, &both, json!({ "slug": "side-b0b0" })).await;
        assert_eq!(refused["userErrors"][0]["code"], "NOT_FOUND");
    });
}

#[test]
fn what_the_other_tenant_wants_it_gets() {
    test(async |world| {
        let session = both(world).await;
        arrange(
            world,
            "UPDATE tenants SET required_provider = 'okta' WHERE slug = 'side-b0b0'",
        )
        .await;
        let refused = switch(world, &session, json!({ "slug": "side-b0b0" })).await;
        assert_eq!(refused["userErrors"][0]["code"], "SSO_REQUIRED");
        arrange(
            world,
            "UPDATE tenants SET required_provider = NULL, second_factor_required = true WHERE slug = 'side-b0b0'",
        )
        .await;
        let step = switch(world, &session, json!({ "slug": "side-b0b0" })).await;
        assert!(
            step["session"].is_null() && step["secondFactor"]["setUpRequired"] == true,
            "{step}"
        );
    });
}
