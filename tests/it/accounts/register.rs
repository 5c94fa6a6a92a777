//! Registering a person with a first tenant.

use std::sync::Arc;

use dealgraph::{
    db::journal::Origin,
    organization::{
        accounts::{
            Accounts, Settings, Setup,
            register::{FirstTenant, Registration, register},
        },
        identities::Identities,
    },
    platform::mail::{Mailer, Post, Way},
};
use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{PASSWORD, address, anonymous, count, text, try_sign_in};
use crate::harness::{A, Answer, Who, World, accounts_setup, test};

const EMAIL: &str = "ada@lovelace.example";
const VERIFIED: &str = "verified session { accessToken refreshToken tenant { id slug name role } } userErrors { code message field }";

fn input() -> Value {
    json!({
        "name": "Ada Lovelace", "email": EMAIL, "password": PASSWORD,
        "tenant": { "name": "Müller & Söhne", "baseCurrency": "CHF", "timeZone": "Europe/Zurich", "locale": "de-CH" },
    })
}

async fn send(world: &World, input: Value) -> Answer {
    anonymous(
        world,
        "register",
        input,
        "accepted userErrors { code message field }",
    )
    .await
}

async fn verify(world: &World, token: &str, password: Option<&str>) -> Answer {
    let input = json!({ "token": token, "password": password });
    anonymous(world, "verifyEmail", input, VERIFIED).await
}

#[test]
fn the_mailed_link_and_the_password_make_a_person_with_a_tenant_that_works() {
    test(async |world| {
        assert_eq!(
            send(world, input()).await.data()["register"],
            json!({ "accepted": true, "userErrors": [] })
        );
        let found = try_sign_in(world, EMAIL, PASSWORD, None).await;
        assert_eq!(
            found.user_error("signIn").0,
            "INVALID_CREDENTIALS",
            "nothing came about yet"
        );
        let mail = world.mail_to(EMAIL, 1).await;
        assert!(
            mail.link()
                .starts_with("https://app.example/account/verify-email#token=dgo_")
        );
        assert!(
            !mail.text.contains("Ada") && !mail.text.contains("Müller"),
            "nothing a stranger typed is mailed"
        );
        let verified = verify(world, &mail.token(), Some(PASSWORD)).await.data();
        let session = &verified["verifyEmail"]["session"];
        assert_eq!(session["tenant"]["slug"], "muller-sohne");
        assert_eq!(session["tenant"]["role"], "ADMIN");

        let token = text(&session["accessToken"]).to_owned();
        let admin = world.stranger(Some(token));
        let seen = admin.query("{ tenant { name baseCurrency timeZone locale } viewer { role user { name } } viewerAccount { emailVerified } pipelines { nodes { name preferred stages { nodes { name kind } } } } }").await;
        assert_eq!(
            seen["tenant"],
            json!({ "name": "Müller & Söhne", "baseCurrency": "CHF", "timeZone": "Europe/Zurich", "locale": "de-CH" })
        );
        assert_eq!(seen["viewerAccount"]["emailVerified"], true);
        assert_eq!(seen["pipelines"]["nodes"][0]["preferred"], true);
        let made = admin.query("mutation { opportunityCreate(input: { name: \"The first deal\" }) { opportunity { stage { name } } userErrors { code } } }").await;
        assert_eq!(
            made["opportunityCreate"]["opportunity"]["stage"]["name"], "Qualification",
            "{made}"
        );
        let again = try_sign_in(world, EMAIL, PASSWORD, None).await.data();
        assert_eq!(again["signIn"]["session"]["tenant"]["slug"], "muller-sohne");
    });
}

#[test]
fn a_link_of_a_registration_finishes_one_once() {
    test(async |world| {
        send(world, input()).await.data();
        let token = world.mail_to(EMAIL, 1).await.token();
        let at_once = join_all((0..4).map(|_| verify(world, &token, Some(PASSWORD)))).await;
        let through = at_once.iter().filter(|answer| {
            answer.body.pointer("/data/verifyEmail/verified") == Some(&json!(true))
        });
        assert_eq!(through.count(), 1, "{at_once:?}");
        assert_eq!(
            verify(world, &token, Some(PASSWORD))
                .await
                .user_error("verifyEmail")
                .0,
            "INVALID_TOKEN"
        );
        assert_eq!(
            count(
                world,
                "SELECT count(*) FROM tenants WHERE slug LIKE 'muller%'"
            )
            .await,
            1
        );
        assert_eq!(
            count(world, "SELECT count(*) FROM users WHERE email LIKE 'ada@%'").await,
            1
        );
    });
}

#[test]
fn who_opens_the_link_without_the_password_gets_nothing() {
    test(async |world| {
        send(world, input()).await.data();
        let token = world.mail_to(EMAIL, 1).await.token();
        let without = verify(world, &token, None).await;
        assert_eq!(
            without.user_error("verifyEmail"),
            ("PASSWORD_REQUIRED".to_owned(), "input.password".to_owned())
        );
        for _ in 0..5 {
            let wrong = verify(world, &token, Some("wrong horse battery")).await;
            assert_eq!(wrong.user_error("verifyEmail").0, "INVALID_CREDENTIALS");
        }
        assert_eq!(
            verify(world, &token, Some(PASSWORD))
                .await
                .user_error("verifyEmail")
                .0,
            "INVALID_TOKEN",
            "guessed too often"
        );
        assert_eq!(
            count(
                world,
                "SELECT count(*) FROM tenants WHERE slug LIKE 'muller%'"
            )
            .await,
            0
        );
    });
}

#[test]
fn a_known_address_gets_the_same_answer_and_another_mail() {
    test(async |world| {
        let email = address(world, A, Who::Rep).await;
        let mut known = input();
        known["email"] = json!(email);
        let (known, unknown) = (send(world, known).await, send(world, input()).await);
        assert_eq!((known.status, &known.body), (unknown.status, &unknown.body));
        let mail = world.mail_to(&email, 1).await;
        assert_eq!(mail.subject, "You have an account already");
        assert!(!mail.text.contains("dgo_"), "{mail:?}");
        let without = "SELECT count(*) FROM users WHERE password_hash IS NOT NULL";
        assert_eq!(count(world, without).await, 0, "the account is as it was");
    });
}

#[test]
fn an_address_that_got_an_account_in_the_meantime_stays_that_persons() {
    test(async |world| {
        send(world, input()).await.data();
        send(world, input()).await.data();
        let mails = world.mails_to(EMAIL, 2).await;
        let first = verify(world, &mails[0].token(), Some(PASSWORD))
            .await
            .data();
        assert_eq!(first["verifyEmail"]["verified"], true);
        let second = verify(world, &mails[1].token(), Some(PASSWORD)).await;
        assert_eq!(second.user_error("verifyEmail").0, "TAKEN");
        assert_eq!(
            count(
                world,
                "SELECT count(*) FROM tenants WHERE slug LIKE 'muller%'"
            )
            .await,
            1
        );
    });
}

#[test]
fn what_will_not_do_is_said_with_its_field() {
    test(async |world| {
        for (path, value, code, field) in [
            ("/name", " ", "BLANK", "name"),
            ("/email", "ada", "INVALID_EMAIL", "email"),
            (
                "/email",
                "ada@lovelace.example\r\nBcc: eve@example.com",
                "INVALID_EMAIL",
                "email",
            ),
            ("/password", "short", "PASSWORD_TOO_SHORT", "password"),
            ("/password", EMAIL, "PASSWORD_TOO_COMMON", "password"),
            ("/tenant/name", "", "BLANK", "tenant.name"),
            (
                "/tenant/baseCurrency",
                "francs",
                "INVALID_CURRENCY",
                "tenant.baseCurrency",
            ),
            (
                "/tenant/timeZone",
                "Europe/Nowhere",
                "INVALID_TIME_ZONE",
                "tenant.timeZone",
            ),
            ("/tenant/locale", "d", "INVALID_LOCALE", "tenant.locale"),
        ] {
            let mut wrong = input();
            *wrong.pointer_mut(path).expect("a field") = json!(value);
            let refused = send(world, wrong).await.user_error("register");
            assert_eq!(
                refused,
                (code.to_owned(), format!("input.{field}")),
                "{value}"
            );
        }
        for (slug, code) in [("Müller", "INVALID_SLUG"), ("side-a0a0", "TAKEN")] {
            let mut wrong = input();
            wrong["tenant"]["slug"] = json!(slug);
            assert_eq!(send(world, wrong).await.user_error("register").0, code);
        }
        assert_eq!(world.mails(), []);
    });
}

#[test]
fn a_server_that_takes_no_strangers_says_so() {
    test(async |world| {
        let of_world = &world.accounts;
        let setup = accounts_setup(std::path::Path::new("/nowhere"), Identities::none()).await;
        let settings = Settings {
            registration: false,
            ..setup.settings.clone()
        };
        let post = Post {
            way: Way::Nowhere,
            from: setup.post.from.clone(),
        };
        let (mailer, _) = Mailer::start(post, world.db.clock().clone());
        let accounts = Accounts::new(
            world.db.clone(),
            Setup { settings, ..setup },
            Arc::clone(&world.tokens),
            mailer,
            of_world.throttle.clone(),
            of_world.recorder.clone(),
        );
        let new = Registration {
            name: "Ada".to_owned(),
            email: EMAIL.to_owned(),
            password: PASSWORD.to_owned(),
            tenant: FirstTenant {
                name: "Ada".to_owned(),
                slug: None,
                base_currency: "EUR".to_owned(),
                time_zone: "UTC".to_owned(),
                locale: "en".to_owned(),
            },
        };
        let refused = register(&accounts, new, &Origin::default())
            .await
            .expect_err("refused");
        assert_eq!(refused.code(), "REGISTRATION_OFF");
        let waiting = "SELECT count(*) FROM one_time_tokens WHERE purpose = 'REGISTER'";
        assert_eq!(count(world, waiting).await, 0);
    });
}
