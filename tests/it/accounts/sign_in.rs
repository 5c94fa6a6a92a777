//! Signing in by password.

use serde_json::json;

use super::{PASSWORD, address, signed_in, try_sign_in};
use crate::harness::{A, Who, test};

#[test]
fn a_password_opens_a_session_whose_token_works() {
    test(async |world| {
        let session = signed_in(world, Who::Rep).await;
        assert_eq!(session["tenant"]["id"], A.tenant().to_string());
        assert_eq!(session["tenants"], json!([session["tenant"]]));
        assert_eq!(session["tenant"]["role"], "SALES_REP");
        let refresh = session["refreshToken"].as_str().expect("a token");
        assert!(refresh.starts_with("dgr_") && refresh.len() == 47);
        let token = session["accessToken"].as_str().expect("a token").to_owned();
        let seen = world.stranger(Some(token)).query("{ viewer { id } }").await;
        assert_eq!(seen["viewer"]["id"], A.user(Who::Rep).to_string());
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
    });
}
