//! What the platform's operator does with an identity.

use std::sync::Mutex;

use dealgraph::organization::accounts::operator::{self, PersonCommand};

use super::{PASSWORD, address, arrange, audited, count, is_in, signed_in, text, try_sign_in};
use crate::harness::{A, Who, World, test};

/// The operator's command over the world's database, with what it prints.
async fn operate(world: &World, command: PersonCommand) -> String {
    let printed = Mutex::new(String::new());
    let print = |line: String| printed.lock().unwrap().push_str(&(line + "\n"));
    let done = operator::run(command, &world.db, print).await;
    done.unwrap_or_else(|error| printed.lock().unwrap().push_str(error.code()));
    printed.into_inner().unwrap()
}

#[test]
fn a_person_who_is_kept_out_is_out_everywhere_and_comes_back_by_signing_in() {
    test(async |world| {
        let session = signed_in(world, Who::Rep).await;
        let token = text(&session["accessToken"]);
        let email = address(world, A, Who::Rep).await;
        let deactivate = PersonCommand::Deactivate {
            email: email.clone(),
        };
        assert!(
            operate(world, deactivate)
                .await
                .contains("sessions ended: 1")
        );
        let soon = std::time::Duration::from_secs(1);
        tokio::time::sleep(soon).await;
        assert!(!is_in(world, token).await, "the access token goes on");
        let refused = try_sign_in(world, &email, PASSWORD, None).await;
        assert_eq!(refused.user_error("signIn").0, "ACCOUNT_INACTIVE");
        assert_eq!(audited(world, "person.deactivated").await, 1);

        let show = PersonCommand::Show {
            email: email.clone(),
        };
        assert!(operate(world, show).await.contains("deactivated"));
        let back = PersonCommand::Reactivate {
            email: email.clone(),
        };
        operate(world, back).await;
        let again = try_sign_in(world, &email, PASSWORD, None).await.data();
        assert!(again["signIn"]["session"]["accessToken"].is_string());
        let nobody = PersonCommand::Deactivate {
            email: "nobody@nowhere.example".to_owned(),
        };
        assert_eq!(operate(world, nobody).await, "NOT_FOUND");
    });
}

#[test]
fn who_lost_the_second_factor_gets_rid_of_it_by_the_operator() {
    test(async |world| {
        signed_in(world, Who::Rep).await;
        let email = address(world, A, Who::Rep).await;
        arrange(
            world,
            "UPDATE users SET totp_secret = 'x', totp_confirmed_at = now() WHERE email LIKE 'person3@a0a0%'",
        )
        .await;
        let waiting = try_sign_in(world, &email, PASSWORD, None).await.data();
        assert!(waiting["signIn"]["session"].is_null());
        let reset = PersonCommand::ResetSecondFactor {
            email: email.clone(),
        };
        operate(world, reset).await;
        let open = "SELECT count(*) FROM sessions WHERE ended_because = 'OPERATOR'";
        assert_eq!(count(world, open).await, 1);
        let again = try_sign_in(world, &email, PASSWORD, None).await.data();
        assert!(again["signIn"]["session"]["accessToken"].is_string());
    });
}
