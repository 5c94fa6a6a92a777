//! Going on in another tenant.

use serde_json::{Value, json};

use super::{PASSWORD, SESSION, address, arrange, audited, ends, is_in, mutate, text, try_sign_in};
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

/// Gets the next tokens, for a tenant if one is named.
async fn refresh(world: &World, refresh: &Value, tenant: Option<&str>) -> Value {
    let input = json!({ "refreshToken": refresh, "tenant": tenant });
    let answer = mutate(world, None, ("refreshSession", SESSION), input).await;
    answer.data()["refreshSession"].clone()
}

#[test]
fn the_access_tokens_for_the_tenant_that_is_left_end() {
    test(async |world| {
        let session = both(world).await;
        let before = text(&session["accessToken"]).to_owned();
        assert!(is_in(world, &before).await);
        let there = switch(world, &session, json!({ "slug": "side-b0b0" })).await;
        let after = text(&there["session"]["accessToken"]);
        ends(world, &before).await;
        assert!(is_in(world, after).await);
        // A caller who goes back gets new ones.
        let back = switch(world, &there["session"], json!({ "slug": "side-a0a0" })).await;
        ends(world, after).await;
        assert!(is_in(world, text(&back["session"]["accessToken"])).await);
    });
}

#[test]
fn two_tabs_in_two_tenants_do_not_take_each_others_place() {
    test(async |world| {
        let session = both(world).await;
        let first = text(&session["accessToken"]).to_owned();
        // The second tab wants B, with the refresh token that both have.
        let second = refresh(world, &session["refreshToken"], Some("side-b0b0")).await;
        assert_eq!(second["session"]["tenant"]["slug"], "side-b0b0", "{second}");
        let (beside, token) = (
            &second["session"]["accessToken"],
            &second["session"]["refreshToken"],
        );
        assert!(is_in(world, text(beside)).await && is_in(world, &first).await);
        // Each gets its own again and again, whichever of both was last.
        let a = refresh(world, token, Some("side-a0a0")).await;
        let b = refresh(world, &a["session"]["refreshToken"], Some("side-b0b0")).await;
        let none = refresh(world, &b["session"]["refreshToken"], None).await;
        assert_eq!(a["session"]["tenant"]["slug"], "side-a0a0");
        assert_eq!(b["session"]["tenant"]["slug"], "side-b0b0");
        assert_eq!(
            none["session"]["tenant"]["slug"], "side-a0a0",
            "where the session is"
        );
        for access in [&first, text(beside), text(&a["session"]["accessToken"])] {
            assert!(is_in(world, access).await);
        }
        // The second tab goes to A: it leaves B, and the first stays where it is.
        let moved = switch(world, &b["session"], json!({ "slug": "side-a0a0" })).await;
        assert_eq!(moved["session"]["tenant"]["slug"], "side-a0a0");
        ends(world, text(beside)).await;
        assert!(is_in(world, &first).await);
        // The end of the session is the end of all of it, and stands in both logs.
        let again = refresh(world, &none["session"]["refreshToken"], Some("side-b0b0")).await;
        let out = mutate(world, Some(&first), ("signOut", "ended"), json!({})).await;
        assert_eq!(out.data()["signOut"]["ended"], 1);
        ends(world, &first).await;
        ends(world, text(&again["session"]["accessToken"])).await;
        assert_eq!(audited(world, "session.ended").await, 2);
    });
}

#[test]
fn a_tab_that_may_not_go_where_it_wants_takes_nobody_with_it() {
    test(async |world| {
        let session = both(world).await;
        let refused = async |tenant: &str| {
            let refused = refresh(world, &session["refreshToken"], Some(tenant)).await;
            assert!(refused["session"].is_null(), "{refused}");
            refused
        };
        let nowhere = refused("nowhere").await;
        assert_eq!(nowhere["userErrors"][0]["code"], "NOT_FOUND");
        assert_eq!(
            nowhere["userErrors"][0]["field"],
            json!(["input", "tenant"])
        );
        let of_b = |set: &'static str| arrange(world, set);
        of_b("UPDATE tenants SET required_provider = 'okta' WHERE slug = 'side-b0b0'").await;
        assert_eq!(
            refused("side-b0b0").await["userErrors"][0]["code"],
            "SSO_REQUIRED"
        );
        of_b("UPDATE tenants SET required_provider = NULL, second_factor_required = true WHERE slug = 'side-b0b0'").await;
        assert_eq!(
            refused("side-b0b0").await["secondFactor"]["setUpRequired"],
            true
        );
        of_b("UPDATE memberships SET status = 'SUSPENDED' WHERE role = 'VIEWER'").await;
        assert_eq!(
            refused("side-b0b0").await["userErrors"][0]["code"],
            "NOT_FOUND"
        );
        // The refresh token was not used up by any of it, and the session goes on.
        let next = refresh(world, &session["refreshToken"], None).await;
        assert!(is_in(world, text(&next["session"]["accessToken"])).await);
    });
}
