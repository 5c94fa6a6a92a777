//! The devices one is signed in on.

use serde_json::json;

use super::{PASSWORD, audited, count, mutate, sign_in_again, signed_in, text};
use crate::harness::{A, B, Who, test};

const ENDS: &str = "ended userErrors { code field }";
const LIST: &str =
    "{ sessions { id device address provider createdAt lastUsedAt expiresAt current } }";

#[test]
fn one_sees_ones_own_devices_and_ends_one_of_them() {
    test(async |world| {
        world.set_password(A.user(Who::Manager), PASSWORD).await;
        sign_in_again(world, Who::Manager).await;
        let here = signed_in(world, Who::Rep).await;
        let there = sign_in_again(world, Who::Rep).await;
        let token = text(&here["accessToken"]);
        let list = world.stranger(Some(token.to_owned())).query(LIST).await;
        let list = list["sessions"].as_array().expect("a list");
        assert_eq!(list.len(), 2, "nobody else's");
        assert_eq!(list.iter().filter(|one| one["current"] == true).count(), 1);
        assert_eq!(list[0]["address"], "127.0.0.1");
        let other = list
            .iter()
            .find(|one| one["current"] == false)
            .expect("the other one");

        let input = json!({ "id": other["id"] });
        let revoked = mutate(world, Some(token), ("sessionRevoke", ENDS), input.clone()).await;
        assert_eq!(revoked.data()["sessionRevoke"]["ended"], 1);
        let again = mutate(world, Some(token), ("sessionRevoke", ENDS), input).await;
        assert_eq!(
            again.user_error("sessionRevoke"),
            ("NOT_FOUND".to_owned(), "input.id".to_owned())
        );
        let refresh = json!({ "refreshToken": there["refreshToken"] });
        let refused = mutate(
            world,
            None,
            ("refreshSession", "userErrors { code }"),
            refresh,
        )
        .await;
        assert_eq!(refused.user_error("refreshSession").0, "SESSION_ENDED");
        assert_eq!(audited(world, "session.ended").await, 1);
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
fn nobody_ends_the_session_of_another_person() {
    test(async |world| {
        signed_in(world, Who::Manager).await;
        let rep = signed_in(world, Who::Rep).await;
        let manager =
            "SELECT 'session:' || session_id FROM sessions WHERE user_id = $1 AND ended_at IS NULL";
        let mut superuser = world.database.superuser().await;
        let id: String = sqlx::query_scalar(manager)
            .bind(A.user(Who::Manager))
            .fetch_one(&mut superuser)
            .await
            .expect("the manager's session");
        let token = text(&rep["accessToken"]);
        let tried = mutate(
            world,
            Some(token),
            ("sessionRevoke", ENDS),
            json!({ "id": id }),
        )
        .await;
        assert_eq!(tried.user_error("sessionRevoke").0, "NOT_FOUND");
        let open = "SELECT count(*) FROM sessions WHERE ended_at IS NULL AND created_at > now() - interval '1 hour'";
        assert_eq!(count(world, open).await, 2);
    });
}

#[test]
fn all_others_or_all_sessions_end_together() {
    test(async |world| {
        let here = signed_in(world, Who::Rep).await;
        for _ in 0..3 {
            sign_in_again(world, Who::Rep).await;
        }
        let token = text(&here["accessToken"]);
        let others = mutate(world, Some(token), ("sessionRevokeAll", ENDS), json!({})).await;
        assert_eq!(others.data()["sessionRevokeAll"]["ended"], 3);
        let refresh = json!({ "refreshToken": here["refreshToken"] });
        let on = mutate(
            world,
            None,
            ("refreshSession", "userErrors { code }"),
            refresh,
        )
        .await;
        assert_eq!(on.user_error("refreshSession").0, "");
        sign_in_again(world, Who::Rep).await;
        let all = mutate(
            world,
            Some(token),
            ("signOut", ENDS),
            json!({ "everywhere": true }),
        )
        .await;
        assert_eq!(all.data()["signOut"]["ended"], 2);
    });
}

#[test]
fn signing_out_ends_this_session_only() {
    test(async |world| {
        let here = signed_in(world, Who::Rep).await;
        let there = sign_in_again(world, Who::Rep).await;
        let out = mutate(
            world,
            Some(text(&here["accessToken"])),
            ("signOut", ENDS),
            json!({}),
        )
        .await;
        assert_eq!(out.data()["signOut"]["ended"], 1);
        for (session, code) in [(&here, "SESSION_ENDED"), (&there, "")] {
            let input = json!({ "refreshToken": session["refreshToken"] });
            let refreshed = mutate(
                world,
                None,
                ("refreshSession", "userErrors { code }"),
                input,
            )
            .await;
            assert_eq!(refreshed.user_error("refreshSession").0, code);
        }
        // A token that was made by hand is of no session.
        let by_hand = world
            .tokens
            .issue(B.user(Who::Rep), B.tenant())
            .expect("a token")
            .token;
        let out = mutate(world, Some(&by_hand), ("signOut", ENDS), json!({})).await;
        assert_eq!(out.user_error("signOut").0, "FORBIDDEN");
    });
}

#[test]
fn what_nobody_can_use_is_removed() {
    test(async |world| {
        signed_in(world, Who::Rep).await;
        let sessions = count(world, "SELECT count(*) FROM sessions").await;
        assert!(
            world.accounts.sweep_now().await.expect("swept") >= 1,
            "the world has old ones"
        );
        super::arrange(
            world,
            "UPDATE sessions SET ended_at = now() - interval '91 days' WHERE created_at > now() - interval '1 hour'",
        )
        .await;
        world.accounts.sweep_now().await.expect("swept");
        assert!(count(world, "SELECT count(*) FROM sessions").await < sessions);
        let fresh =
            "SELECT count(*) FROM refresh_tokens WHERE issued_at > now() - interval '1 hour'";
        assert_eq!(count(world, fresh).await, 0, "with their tokens");
    });
}
