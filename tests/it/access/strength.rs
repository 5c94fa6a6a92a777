//! What a tenant wants of sign-ins counts for those who are in already.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    accounts::{
        PASSWORD, SESSION, address, arrange, audited, is_in, mutate, signed_in, text, try_sign_in,
    },
    harness::{A, Who, World, test},
    members::act,
};

/// An admin changes how people sign in to the tenant.
async fn demand(world: &World, settings: Value) {
    let admin = world.a(Who::Admin);
    let answer = act(&admin, "tenantUpdate", settings, "tenant { id }").await;
    assert_eq!(answer.user_error("tenantUpdate").0, "");
    // As soon as is promised, also of the one server of a test, which has no watch running.
    tokio::time::sleep(Duration::from_millis(1_600)).await;
}

#[test]
fn a_session_without_the_second_factor_that_the_tenant_begins_to_want_is_refused() {
    test(async |world| {
        let session = signed_in(world, Who::Rep).await;
        let token = text(&session["accessToken"]);
        assert!(is_in(world, token).await);
        demand(world, json!({ "secondFactorRequired": true })).await;
        assert!(!is_in(world, token).await, "the access token goes on");
        assert!(audited(world, "access.refused").await >= 1);
        // One who showed a second factor goes on.
        arrange(world, "UPDATE sessions SET second_factor = true").await;
        demand(world, json!({ "requiredProvider": null })).await;
        assert!(is_in(world, token).await);
        // What comes from a tenant without such a wish is none of its business.
        arrange(world, "UPDATE sessions SET second_factor = false").await;
        demand(world, json!({ "secondFactorRequired": false })).await;
        assert!(is_in(world, token).await);
    });
}

#[test]
fn a_session_that_did_not_come_through_the_required_provider_is_refused() {
    test(async |world| {
        let session = signed_in(world, Who::Rep).await;
        let token = text(&session["accessToken"]);
        // The world's server has no such provider, so an admin of it could not say this.
        arrange(
            world,
            "UPDATE tenants SET required_provider = 'okta'; INSERT INTO access_changes (change_id) VALUES (gen_random_uuid())",
        )
        .await;
        tokio::time::sleep(Duration::from_millis(1_600)).await;
        assert!(!is_in(world, token).await, "the access token goes on");
        let email = address(world, A, Who::Rep).await;
        let again = try_sign_in(world, &email, PASSWORD, None).await;
        assert_eq!(again.user_error("signIn").0, "SSO_REQUIRED");
        let input = json!({ "refreshToken": session["refreshToken"] });
        let refreshed = mutate(world, None, ("refreshSession", SESSION), input).await;
        assert_eq!(refreshed.user_error("refreshSession").0, "SSO_REQUIRED");
    });
}
