//! Staying signed in, and all others with a copy of the refresh token being thrown out.

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{SESSION, anonymous, arrange, audited, count, is_in, signed_in, text};
use crate::harness::{Who, World, test};

/// Lets so much time pass for the refresh tokens that were used.
const HALF_A_MINUTE_LATER: &str =
    "UPDATE refresh_tokens SET used_at = used_at - interval '31 seconds' WHERE used_at IS NOT NULL";

async fn refresh(world: &World, token: &Value) -> Value {
    let input = json!({ "refreshToken": token });
    let answer = anonymous(world, "refreshSession", input, SESSION).await;
    answer.data()["refreshSession"].clone()
}

/// The next refresh token.
async fn next(world: &World, token: &Value) -> Value {
    let refreshed = refresh(world, token).await;
    assert_eq!(refreshed["userErrors"], json!([]), "{refreshed}");
    refreshed["session"]["refreshToken"].clone()
}

async fn is_refused(world: &World, token: &Value) -> bool {
    let refused = refresh(world, token).await;
    refused["session"].is_null() && refused["userErrors"][0]["code"] == "SESSION_ENDED"
}

async fn open_sessions(world: &World) -> i64 {
    count(world, "SELECT count(*) FROM sessions WHERE ended_at IS NULL AND created_at > now() - interval '1 hour'").await
}

#[test]
fn a_refresh_brings_new_tokens_and_does_not_prolong_the_session() {
    test(async |world| {
        let session = signed_in(world, Who::Rep).await;
        let refreshed = refresh(world, &session["refreshToken"]).await;
        let after = &refreshed["session"];
        assert_ne!(after["refreshToken"], session["refreshToken"]);
        assert_eq!(
            after["refreshTokenExpiresAt"],
            session["refreshTokenExpiresAt"]
        );
        assert_eq!(after["tenant"], session["tenant"]);
        assert!(is_in(world, text(&after["accessToken"])).await);
        assert_eq!(open_sessions(world).await, 1);
        next(world, &after["refreshToken"]).await;
    });
}

#[test]
fn an_old_refresh_token_that_comes_back_ends_the_session_of_thief_and_owner() {
    test(async |world| {
        let stolen = signed_in(world, Who::Rep).await["refreshToken"].clone();
        // The thief is first; the owner's own copy is the one that comes back.
        let thiefs = next(world, &stolen).await;
        arrange(world, HALF_A_MINUTE_LATER).await;
        assert!(is_refused(world, &stolen).await);
        assert!(is_refused(world, &thiefs).await, "the thief is out");
        assert_eq!(open_sessions(world).await, 0);
        assert_eq!(audited(world, "session.reuse_detected").await, 1);
        assert_eq!(
            count(
                world,
                "SELECT count(*) FROM access_changes WHERE session_id IS NOT NULL"
            )
            .await,
            1
        );
    });
}

#[test]
fn a_grandparent_ends_the_session_at_any_time() {
    test(async |world| {
        let first = signed_in(world, Who::Rep).await["refreshToken"].clone();
        let second = next(world, &first).await;
        let third = next(world, &second).await;
        assert!(is_refused(world, &first).await);
        assert!(is_refused(world, &third).await);
    });
}

#[test]
fn a_client_whose_answer_got_lost_asks_again() {
    test(async |world| {
        let first = signed_in(world, Who::Rep).await["refreshToken"].clone();
        let lost = next(world, &first).await;
        let got = next(world, &first).await;
        assert_ne!(lost, got);
        let after = next(world, &got).await;
        assert_eq!(audited(world, "session.reuse_detected").await, 0);
        // The holder of the answer that got lost is another person.
        arrange(world, HALF_A_MINUTE_LATER).await;
        assert!(is_refused(world, &lost).await);
        assert!(is_refused(world, &after).await);
    });
}

#[test]
fn an_answer_that_was_used_was_not_lost() {
    test(async |world| {
        let first = signed_in(world, Who::Rep).await["refreshToken"].clone();
        let second = next(world, &first).await;
        next(world, &second).await;
        assert!(is_refused(world, &first).await);
        assert_eq!(open_sessions(world).await, 0);
    });
}

#[test]
fn of_twenty_refreshes_at_the_same_time_the_last_answer_goes_on() {
    test(async |world| {
        let first = signed_in(world, Who::Rep).await["refreshToken"].clone();
        let refreshed = join_all((0..20).map(|_| refresh(world, &first))).await;
        assert!(
            refreshed.iter().all(|one| one["userErrors"] == json!([])),
            "{refreshed:?}"
        );
        assert_eq!(open_sessions(world).await, 1);
        let unused = "SELECT count(*) FROM refresh_tokens WHERE used_at IS NULL AND issued_at > now() - interval '1 hour'";
        assert_eq!(count(world, unused).await, 1, "one of them is good");
        // Each of the answers still leads on while it could be that the others got lost.
        next(world, &refreshed[7]["session"]["refreshToken"]).await;
        assert_eq!(
            (open_sessions(world).await, count(world, unused).await),
            (1, 1)
        );
        assert_eq!(audited(world, "session.reuse_detected").await, 0);
    });
}

#[test]
fn a_session_ends_at_its_time_however_often_it_is_refreshed() {
    test(async |world| {
        let session = signed_in(world, Who::Rep).await;
        arrange(
            world,
            "UPDATE sessions SET expires_at = now() - interval '1 second' WHERE ended_at IS NULL",
        )
        .await;
        assert!(is_refused(world, &session["refreshToken"]).await);
    });
}

#[test]
fn a_session_of_a_user_who_is_kept_out_is_not_refreshed() {
    test(async |world| {
        for (before, after) in [
            (
                "UPDATE users SET active = false",
                "UPDATE users SET active = true",
            ),
            (
                "UPDATE memberships SET status = 'SUSPENDED' WHERE role = 'SALES_REP'",
                "UPDATE memberships SET status = 'ACTIVE' WHERE role = 'SALES_REP'",
            ),
            (
                "UPDATE tenants SET status = 'DELETING', delete_after = now() - interval '1 minute'",
                "UPDATE tenants SET status = 'ACTIVE', delete_after = NULL",
            ),
        ] {
            let session = signed_in(world, Who::Rep).await;
            arrange(world, before).await;
            assert!(
                is_refused(world, &session["refreshToken"]).await,
                "{before}"
            );
            // The session ended with it; what comes later does not bring it back.
            arrange(world, after).await;
            assert!(is_refused(world, &session["refreshToken"]).await, "{after}");
        }
    });
}

#[test]
fn a_tenant_that_begins_to_want_more_gets_it_at_the_next_refresh() {
    test(async |world| {
        let session = signed_in(world, Who::Rep).await;
        arrange(world, "UPDATE tenants SET second_factor_required = true").await;
        let step = refresh(world, &session["refreshToken"]).await;
        assert!(
            step["session"].is_null() && step["userErrors"] == json!([]),
            "{step}"
        );
        assert_eq!(step["secondFactor"]["setUpRequired"], true);
        arrange(world, "UPDATE tenants SET second_factor_required = false").await;
        assert!(is_refused(world, &session["refreshToken"]).await);

        let session = signed_in(world, Who::Rep).await;
        arrange(world, "UPDATE tenants SET required_provider = 'okta'").await;
        let refused = refresh(world, &session["refreshToken"]).await;
        assert_eq!(refused["userErrors"][0]["code"], "SSO_REQUIRED");
    });
}

#[test]
fn what_is_no_refresh_token_gets_the_one_answer() {
    test(async |world| {
        let session = signed_in(world, Who::Rep).await;
        let token = text(&session["refreshToken"]).to_owned();
        for wrong in [
            "",
            "dgr_",
            &token[..46],
            &token.to_uppercase(),
            text(&session["accessToken"]),
            "' OR true --",
        ] {
            assert!(is_refused(world, &json!(wrong)).await, "{wrong}");
        }
        next(world, &json!(token)).await;
    });
}
