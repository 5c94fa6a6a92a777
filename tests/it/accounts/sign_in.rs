//! Signing in by password.

use dealgraph::organization::accounts::{HashCost, Hasher};
use serde_json::json;

use super::{
    PASSWORD, SESSION, address, arrange, audited, count, is_in, mutate, sign_in_again, signed_in,
    text, try_sign_in,
};
use crate::harness::{A, Who, test};

#[test]
fn a_password_opens_a_session_whose_token_works() {
    test(async |world| {
        let session = signed_in(world, Who::Rep).await;
        assert_eq!(session["tenant"]["id"], A.tenant().to_string());
        assert_eq!(session["tenants"], json!([session["tenant"]]));
        assert_eq!(session["tenant"]["role"], "SALES_REP");
        let refresh = text(&session["refreshToken"]);
        assert!(refresh.starts_with("dgr_") && refresh.len() == 47);
        let token = text(&session["accessToken"]).to_owned();
        let seen = world.stranger(Some(token)).query("{ viewer { id } }").await;
        assert_eq!(seen["viewer"]["id"], A.user(Who::Rep).to_string());
        assert_eq!(audited(world, "session.opened").await, 1);
        let dated = "SELECT count(*) FROM users WHERE last_login_at IS NOT NULL";
        assert_eq!(count(world, dated).await, 1);
        let kept =
            "SELECT count(*) FROM refresh_tokens WHERE encode(token_hash, 'escape') LIKE '%dgr_%'";
        assert_eq!(count(world, kept).await, 0, "only a hash is kept");
    });
}

#[test]
fn an_unknown_address_and_a_wrong_password_get_the_same_answer() {
    test(async |world| {
        world.set_password(A.user(Who::Rep), PASSWORD).await;
        let email = address(world, A, Who::Rep).await;
        let without = address(world, A, Who::Admin).await;
        let wrong = try_sign_in(world, &email, "wrong horse battery", None).await;
        let unknown = try_sign_in(world, "nobody@example.com", PASSWORD, None).await;
        let no_password = try_sign_in(world, &without, PASSWORD, None).await;
        assert_eq!(
            wrong.user_error("signIn"),
            ("INVALID_CREDENTIALS".to_owned(), String::new())
        );
        assert_eq!((wrong.status, &wrong.body), (unknown.status, &unknown.body));
        assert_eq!(wrong.body, no_password.body);
        let names = |answer: &crate::harness::Answer| {
            let mut names: Vec<_> = answer.headers.keys().map(ToString::to_string).collect();
            names.sort();
            names
        };
        assert_eq!(names(&wrong), names(&unknown));
        // Known ones are noted, where their tenant can read it.
        assert_eq!(audited(world, "session.refused").await, 2);
    });
}

#[test]
fn what_keeps_a_person_out_is_revealed_after_the_right_password_only() {
    test(async |world| {
        world.set_password(A.user(Who::Rep), PASSWORD).await;
        world.set_password(A.user(Who::Suspended), PASSWORD).await;
        let rep = address(world, A, Who::Rep).await;
        let suspended = address(world, A, Who::Suspended).await;
        let code = async |email: &str, password: &str| {
            try_sign_in(world, email, password, None)
                .await
                .user_error("signIn")
                .0
        };
        assert_eq!(code(&suspended, PASSWORD).await, "NO_TENANT");
        arrange(world, "UPDATE tenants SET required_provider = 'okta'").await;
        assert_eq!(code(&rep, PASSWORD).await, "SSO_REQUIRED");
        arrange(world, "UPDATE users SET active = false").await;
        assert_eq!(code(&rep, PASSWORD).await, "ACCOUNT_INACTIVE");
        for email in [&rep, &suspended] {
            assert_eq!(
                code(email, "wrong horse battery").await,
                "INVALID_CREDENTIALS"
            );
        }
        assert_eq!(
            count(
                world,
                "SELECT count(*) FROM sessions WHERE created_at > now() - interval '1 hour'"
            )
            .await,
            0
        );
    });
}

#[test]
fn a_person_of_two_tenants_enters_the_wished_or_the_last_one() {
    test(async |world| {
        world.set_password(A.user(Who::Both), PASSWORD).await;
        let email = address(world, A, Who::Both).await;
        let entered = async |slug: Option<&str>| {
            let answer = try_sign_in(world, &email, PASSWORD, slug).await.data();
            answer["signIn"].clone()
        };
        let b = entered(Some("side-b0b0")).await;
        assert_eq!(b["session"]["tenant"]["role"], "VIEWER");
        assert_eq!(b["session"]["tenants"].as_array().map(Vec::len), Some(2));
        assert_eq!(
            entered(None).await["session"]["tenant"]["slug"],
            "side-b0b0"
        );
        assert_eq!(
            entered(Some("side-a0a0")).await["session"]["tenant"]["role"],
            "MANAGER"
        );
        assert_eq!(
            entered(None).await["session"]["tenant"]["slug"],
            "side-a0a0"
        );
        let nowhere = entered(Some("elsewhere")).await;
        assert_eq!(nowhere["userErrors"][0]["code"], "NOT_FOUND");
        assert_eq!(
            nowhere["userErrors"][0]["field"],
            json!(["input", "tenant"])
        );
    });
}

#[test]
fn a_second_factor_comes_before_the_session() {
    test(async |world| {
        world.set_password(A.user(Who::Rep), PASSWORD).await;
        let email = address(world, A, Who::Rep).await;
        let challenge = async || {
            let answer = try_sign_in(world, &email, PASSWORD, None).await.data();
            assert_eq!(answer["signIn"]["session"], json!(null));
            assert_eq!(answer["signIn"]["userErrors"], json!([]));
            answer["signIn"]["secondFactor"].clone()
        };
        arrange(world, "UPDATE tenants SET second_factor_required = true").await;
        let first = challenge().await;
        assert_eq!(first["setUpRequired"], true);
        assert!(text(&first["token"]).starts_with("dgo_"));
        arrange(world, "UPDATE tenants SET second_factor_required = false; UPDATE users SET totp_confirmed_at = now()").await;
        assert_eq!(challenge().await["setUpRequired"], false);
        assert!(
            !is_in(world, text(&first["token"])).await,
            "the step's token opens nothing"
        );
    });
}

#[test]
fn nothing_that_a_client_sends_becomes_part_of_its_session() {
    test(async |world| {
        let before = signed_in(world, Who::Rep).await;
        let email = address(world, A, Who::Rep).await;
        // Signing in with the token of a session opens another one.
        let input = json!({ "email": email, "password": PASSWORD });
        let token = text(&before["accessToken"]);
        let after = mutate(world, Some(token), ("signIn", SESSION), input.clone())
            .await
            .data();
        let after = &after["signIn"]["session"];
        assert_ne!(after["accessToken"], before["accessToken"]);
        assert_ne!(after["refreshToken"], before["refreshToken"]);
        let mine = "SELECT count(*) FROM sessions WHERE created_at > now() - interval '1 hour'";
        assert_eq!(count(world, mine).await, 2);
        for (field, value) in [
            ("sessionId", "session:1"),
            ("refreshToken", "dgr_x"),
            ("tenantId", "x"),
            ("role", "ADMIN"),
        ] {
            let mut wishful = input.clone();
            wishful[field] = json!(value);
            let refused = mutate(world, None, ("signIn", SESSION), wishful).await;
            assert!(
                refused.body.get("errors").is_some() && refused.body.get("data").is_none(),
                "{field}"
            );
        }
    });
}

#[test]
fn a_hash_of_yesterdays_cost_is_made_anew() {
    test(async |world| {
        let cost = HashCost {
            memory_kib: 64,
            passes: 1,
            lanes: 1,
            at_once: 1,
            waiting: 1,
        };
        let old = Hasher::new(cost)
            .expect("a cost")
            .hash(PASSWORD)
            .await
            .expect("a hash");
        let mut superuser = world.database.superuser().await;
        sqlx::query("UPDATE users SET password_hash = $1 WHERE user_id = $2")
            .bind(&old)
            .bind(A.user(Who::Rep))
            .execute(&mut superuser)
            .await
            .expect("arranged");
        sign_in_again(world, Who::Rep).await;
        let renewed =
            "SELECT count(*) FROM users WHERE password_hash LIKE '$argon2id$v=19$m=256,t=1,p=1$%'";
        for _ in 0..200 {
            if count(world, renewed).await == 1 {
                sign_in_again(world, Who::Rep).await;
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        panic!("the hash stays as it was");
    });
}

#[test]
fn without_a_token_nothing_else_is_answered() {
    test(async |world| {
        let stranger = world.stranger(None);
        for document in [
            "{ viewer { id } }",
            "{ sessions { id } }",
            "{ viewerAccount { email } }",
            "mutation { signOut(input: {}) { ended } }",
            "mutation { switchTenant(input: { slug: \"side-a0a0\" }) { userErrors { code } } }",
            "mutation { passwordChange(input: { currentPassword: \"a\", newPassword: \"b\" }) { changed } }",
            "mutation { viewerUpdate(input: { name: \"x\" }) { userErrors { code } } }",
            "mutation { ...f } fragment f on Mutation { signOut(input: {}) { ended } }",
            "{ __schema { types { name } } }",
        ] {
            let answer = stranger.send(document, json!({})).await;
            assert_eq!(answer.code(), "UNAUTHENTICATED", "{document}");
        }
    });
}
