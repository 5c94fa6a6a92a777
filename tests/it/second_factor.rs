//! The second factor: how it is set up and shown, and that a person with the password alone gets nowhere.

use chrono::Utc;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, raw_sql};
use totp_rs::{Builder, Secret, Totp};

use crate::{
    accounts::{PASSWORD, SESSION, address, is_in, signed_in, try_sign_in},
    harness::{A, Answer, Client, Who, World, test},
};

const WHO: Who = Who::Rep;

/// An authenticator app.
pub(crate) struct App(Totp);

impl App {
    pub(crate) fn new(set_up: &Value) -> Self {
        let secret = set_up["secret"].as_str().expect("a secret");
        let secret = Secret::try_from_base32(secret).expect("base32");
        Self(Builder::new().with_secret(secret).build().expect("an app"))
    }

    #[expect(clippy::disallowed_methods, reason = "an app has a clock of its own")]
    pub(crate) fn code(&self) -> String {
        let seconds = u64::try_from(Utc::now().timestamp()).expect("after 1970");
        self.0.generate(seconds).to_string()
    }

    /// A code that is right at no time near now.
    #[expect(clippy::disallowed_methods, reason = "an app has a clock of its own")]
    fn wrong_code(&self) -> String {
        let seconds = u64::try_from(Utc::now().timestamp()).expect("after 1970");
        let near: Vec<_> = (0..9)
            .map(|step| self.0.generate(seconds + 30 * step - 120).to_string())
            .collect();
        let wrong = (0..).map(|number| format!("{number:06}"));
        wrong
            .into_iter()
            .find(|code| !near.contains(code))
            .expect("one of a million")
    }
}

/// A person with a session, an app and recovery codes.
struct Protected {
    token: String,
    app: App,
    codes: Vec<String>,
}

async fn run(client: &Client<'_>, mutation: &str, selection: &str, input: Value) -> Answer {
    let name = format!("{}{}", mutation[..1].to_uppercase(), &mutation[1..]);
    let document =
        format!("mutation($input: {name}Input!) {{ {mutation}(input: $input) {{ {selection} }} }}");
    client.send(&document, json!({ "input": input })).await
}

async fn set_up(client: &Client<'_>, input: Value) -> Answer {
    let selection = "setUp { secret otpauthUri qrSvg } userErrors { code field }";
    run(client, "setUpSecondFactor", selection, input).await
}

async fn confirm(client: &Client<'_>, input: Value) -> Answer {
    let selection = "recoveryCodes session { accessToken refreshToken tenant { slug } } userErrors { code field }";
    run(client, "confirmSecondFactor", selection, input).await
}

async fn complete(world: &World, input: Value) -> Answer {
    run(
        &world.stranger(None),
        "completeSecondFactor",
        SESSION,
        input,
    )
    .await
}

async fn disable(client: &Client<'_>, input: Value) -> Answer {
    let selection = "secondFactor { enabledAt recoveryCodesLeft } userErrors { code field }";
    run(client, "disableSecondFactor", selection, input).await
}

/// The token of a sign-in that waits for its second factor.
async fn waiting(world: &World) -> Value {
    let email = address(world, A, WHO).await;
    let payload = try_sign_in(world, &email, PASSWORD, None).await.data();
    assert_eq!(payload["signIn"]["session"], Value::Null);
    assert_eq!(payload["signIn"]["userErrors"], json!([]));
    payload["signIn"]["secondFactor"].clone()
}

async fn sql(world: &World, text: &str) {
    let mut superuser = world.database.superuser().await;
    raw_sql(AssertSqlSafe(text.to_owned()))
        .execute(&mut superuser)
        .await
        .expect("the superuser may do this");
}

/// Lets the step of the code that was shown last be taken again, as if half a minute had passed.
async fn pass_half_a_minute(world: &World) {
    sql(world, "UPDATE users SET totp_last_step = 0").await;
}

async fn protected(world: &World) -> Protected {
    let session = signed_in(world, WHO).await;
    let token = session["accessToken"].as_str().expect("a token").to_owned();
    let client = world.stranger(Some(token.clone()));
    let answer = set_up(&client, json!({ "password": PASSWORD }))
        .await
        .data();
    let app = App::new(&answer["setUpSecondFactor"]["setUp"]);
    let answer = confirm(&client, json!({ "code": app.code() })).await.data();
    let codes = answer["confirmSecondFactor"]["recoveryCodes"].as_array();
    let text = |code: &Value| code.as_str().expect("a code").to_owned();
    let codes: Vec<_> = codes.expect("codes").iter().map(text).collect();
    assert_eq!(codes.len(), 10);
    Protected { token, app, codes }
}

fn refused(answer: &Answer, mutation: &str) -> String {
    answer.user_error(mutation).0
}

#[test]
fn it_is_set_up_with_the_password_and_a_first_code_and_asked_for_from_then_on() {
    test(async |world| {
        let session = signed_in(world, WHO).await;
        let token = session["accessToken"].as_str().expect("a token").to_owned();
        let client = world.stranger(Some(token));
        for (input, error) in [
            (json!({}), ("BLANK", "input.password")),
            (
                json!({ "password": "wrong" }),
                ("WRONG_PASSWORD", "input.password"),
            ),
        ] {
            let (code, field) = set_up(&client, input).await.user_error("setUpSecondFactor");
            assert_eq!((code.as_str(), field.as_str()), error);
        }
        let none = confirm(&client, json!({ "code": "123456" })).await;
        assert_eq!(refused(&none, "confirmSecondFactor"), "NOT_SET_UP");

        let answer = set_up(&client, json!({ "password": PASSWORD }))
            .await
            .data();
        let shown = &answer["setUpSecondFactor"]["setUp"];
        let app = App::new(shown);
        let uri = shown["otpauthUri"].as_str().expect("an address");
        assert!(uri.starts_with("otpauth://totp/Dealgraph"), "{uri}");
        assert!(
            shown["qrSvg"]
                .as_str()
                .is_some_and(|svg| svg.starts_with("<svg"))
        );
        let wrong = confirm(&client, json!({ "code": app.wrong_code() })).await;
        assert_eq!(refused(&wrong, "confirmSecondFactor"), "WRONG_CODE");
        let email = address(world, A, WHO).await;
        let still = try_sign_in(world, &email, PASSWORD, None).await.data();
        assert_ne!(
            still["signIn"]["session"],
            Value::Null,
            "it is not in use yet"
        );

        let code = app.code();
        let done = confirm(&client, json!({ "code": code })).await.data();
        assert_eq!(done["confirmSecondFactor"]["userErrors"], json!([]));
        let status = client
            .query("{ secondFactor { enabledAt required recoveryCodesLeft } }")
            .await;
        let status = &status["secondFactor"];
        assert_eq!(
            (&status["required"], &status["recoveryCodesLeft"]),
            (&json!(false), &json!(10))
        );
        assert_ne!(status["enabledAt"], Value::Null);

        let step = waiting(world).await;
        assert_eq!(step["setUpRequired"], json!(false));
        let input = json!({ "token": step["token"], "code": code });
        let replayed = complete(world, input).await;
        assert_eq!(refused(&replayed, "completeSecondFactor"), "WRONG_CODE");
        pass_half_a_minute(world).await;
        let input = json!({ "token": step["token"], "code": app.code() });
        let entered = complete(world, input).await.data();
        let session = &entered["completeSecondFactor"]["session"];
        assert_eq!(session["tenant"]["id"], A.tenant().to_string());
        let token = session["accessToken"].as_str().expect("a token").to_owned();
        let viewer = world.stranger(Some(token)).query("{ viewer { id } }").await;
        assert_eq!(viewer["viewer"]["id"], A.user(WHO).to_string());
    });
}

#[test]
fn a_code_works_once_also_for_two_at_the_same_time() {
    test(async |world| {
        let Protected { app, .. } = protected(world).await;
        pass_half_a_minute(world).await;
        let mut steps = Vec::new();
        for _ in 0..4 {
            steps.push(waiting(world).await);
        }
        let code = app.code();
        let tries = steps
            .iter()
            .map(|step| complete(world, json!({ "token": step["token"], "code": code })));
        let answers = futures_util::future::join_all(tries).await;
        let sessions: Vec<_> = answers
            .iter()
            .map(|answer| answer.data()["completeSecondFactor"]["session"].is_object())
            .collect();
        assert_eq!(
            sessions.iter().filter(|opened| **opened).count(),
            1,
            "{sessions:?}"
        );
        for answer in answers
            .iter()
            .filter(|answer| !refused(answer, "completeSecondFactor").is_empty())
        {
            assert_eq!(refused(answer, "completeSecondFactor"), "WRONG_CODE");
        }
        // A sign-in that is completed is over.
        let won = sessions.iter().position(|opened| *opened).expect("one");
        pass_half_a_minute(world).await;
        let again = json!({ "token": steps[won]["token"], "code": app.code() });
        let again = complete(world, again).await;
        assert_eq!(refused(&again, "completeSecondFactor"), "INVALID_TOKEN");
    });
}

#[test]
fn guesses_end_after_five_with_a_sign_in_and_slow_down_the_next_one() {
    test(async |world| {
        let Protected { app, .. } = protected(world).await;
        pass_half_a_minute(world).await;
        let (step, other) = (waiting(world).await, waiting(world).await);
        let wrong = app.wrong_code();
        let mut codes = Vec::new();
        for _ in 0..5 {
            let input = json!({ "token": step["token"], "code": wrong });
            codes.push(refused(
                &complete(world, input).await,
                "completeSecondFactor",
            ));
        }
        assert_eq!(codes, ["WRONG_CODE"; 5]);
        // The person's counter is the same for another sign-in, and the right code does not pass it.
        let input = json!({ "token": other["token"], "code": app.code() });
        let slowed = refused(&complete(world, input).await, "completeSecondFactor");
        assert_eq!(slowed, "TOO_MANY_ATTEMPTS");
        // After the wait the first sign-in is over all the same.
        tokio::time::sleep(std::time::Duration::from_millis(1_600)).await;
        let input = json!({ "token": step["token"], "code": app.code() });
        let over = refused(&complete(world, input).await, "completeSecondFactor");
        assert_eq!(over, "INVALID_TOKEN");
        for bad in ["", "dgo_", "x"] {
            let input = json!({ "token": bad, "code": app.code() });
            let unknown = refused(&complete(world, input).await, "completeSecondFactor");
            assert_eq!(unknown, "INVALID_TOKEN", "{bad}");
        }
    });
}

#[test]
fn guesses_at_the_same_time_are_counted_too() {
    test(async |world| {
        let Protected { app, .. } = protected(world).await;
        let step = waiting(world).await;
        let wrong = app.wrong_code();
        let tries =
            (0..30).map(|_| complete(world, json!({ "token": step["token"], "code": wrong })));
        let answers = futures_util::future::join_all(tries).await;
        let judged = answers
            .iter()
            .filter(|answer| refused(answer, "completeSecondFactor") == "WRONG_CODE");
        assert!(judged.count() <= 5);
    });
}

#[test]
fn a_recovery_code_works_once_however_it_is_typed() {
    test(async |world| {
        let Protected { token, codes, app } = protected(world).await;
        let typed = codes[3].to_lowercase().replace('-', " ");
        let step = waiting(world).await;
        let input = json!({ "token": step["token"], "recoveryCode": typed });
        let entered = complete(world, input).await.data();
        assert!(
            entered["completeSecondFactor"]["session"].is_object(),
            "{entered}"
        );
        let step = waiting(world).await;
        for (input, code) in [
            (
                json!({ "token": step["token"], "recoveryCode": codes[3] }),
                "WRONG_CODE",
            ),
            (
                json!({ "token": step["token"], "code": codes[4] }),
                "WRONG_CODE",
            ),
            (json!({ "token": step["token"] }), "BLANK"),
            (
                json!({ "token": step["token"], "code": app.code(), "recoveryCode": codes[4] }),
                "TOO_MANY",
            ),
        ] {
            assert_eq!(
                refused(&complete(world, input).await, "completeSecondFactor"),
                code
            );
        }
        let client = world.stranger(Some(token));
        let left = client.query("{ secondFactor { recoveryCodesLeft } }").await;
        assert_eq!(left["secondFactor"]["recoveryCodesLeft"], json!(9));

        pass_half_a_minute(world).await;
        let input = json!({ "code": app.code() });
        let renewed = run(
            &client,
            "renewRecoveryCodes",
            "recoveryCodes userErrors { code field }",
            input,
        )
        .await;
        let renewed = renewed.data()["renewRecoveryCodes"]["recoveryCodes"].clone();
        assert_eq!(renewed.as_array().map(Vec::len), Some(10), "{renewed}");
        let input = json!({ "token": step["token"], "recoveryCode": codes[5] });
        let old = complete(world, input).await;
        assert_eq!(refused(&old, "completeSecondFactor"), "WRONG_CODE");
        let input = json!({ "token": step["token"], "recoveryCode": renewed[0] });
        let new = complete(world, input).await.data();
        assert!(new["completeSecondFactor"]["session"].is_object(), "{new}");
    });
}

#[test]
fn a_tenant_can_want_it_and_then_it_is_set_up_in_the_middle_of_a_sign_in() {
    test(async |world| {
        signed_in(world, WHO).await;
        let tenant = A.uuid("tenant", 1);
        let wanted = format!(
            "UPDATE tenants SET second_factor_required = true WHERE tenant_id = '{tenant}'"
        );
        sql(world, &wanted).await;
        let step = waiting(world).await;
        assert_eq!(step["setUpRequired"], json!(true));
        let nobody = world.stranger(None);
        let early = json!({ "token": step["token"], "code": "123456" });
        let early = complete(world, early).await;
        assert_eq!(
            refused(&early, "completeSecondFactor"),
            "SECOND_FACTOR_NOT_SET_UP"
        );

        let answer = set_up(&nobody, json!({ "token": step["token"] }))
            .await
            .data();
        let app = App::new(&answer["setUpSecondFactor"]["setUp"]);
        let input = json!({ "token": step["token"], "code": app.code() });
        let done = confirm(&nobody, input).await.data();
        let payload = &done["confirmSecondFactor"];
        assert_eq!(
            payload["recoveryCodes"].as_array().map(Vec::len),
            Some(10),
            "{done}"
        );
        let token = payload["session"]["accessToken"]
            .as_str()
            .expect("a token")
            .to_owned();
        let client = world.stranger(Some(token));
        client.query("{ viewer { id } }").await;

        // The password alone neither replaces the app nor turns it off.
        let step = waiting(world).await;
        assert_eq!(step["setUpRequired"], json!(false));
        for input in [
            json!({ "token": step["token"] }),
            json!({ "token": step["token"], "password": PASSWORD }),
        ] {
            let replaced = set_up(&nobody, input).await;
            assert_eq!(
                refused(&replaced, "setUpSecondFactor"),
                "SECOND_FACTOR_ALREADY_SET_UP"
            );
        }
        let replaced = set_up(&client, json!({ "password": PASSWORD })).await;
        assert_eq!(refused(&replaced, "setUpSecondFactor"), "BLANK");
        pass_half_a_minute(world).await;
        let input = json!({ "password": PASSWORD, "code": app.code() });
        let off = disable(&client, input).await;
        assert_eq!(
            refused(&off, "disableSecondFactor"),
            "SECOND_FACTOR_REQUIRED"
        );
        // A new phone: with a code of the old one, which goes on until the new one is confirmed.
        let answer = set_up(&client, json!({ "code": app.code() })).await.data();
        let new = App::new(&answer["setUpSecondFactor"]["setUp"]);
        pass_half_a_minute(world).await;
        let input = json!({ "token": step["token"], "code": app.code() });
        let entered = complete(world, input).await.data();
        assert!(
            entered["completeSecondFactor"]["session"].is_object(),
            "{entered}"
        );
        confirm(&client, json!({ "code": new.code() })).await.data();
        let step = waiting(world).await;
        pass_half_a_minute(world).await;
        let input = json!({ "token": step["token"], "code": app.code() });
        let old = complete(world, input).await;
        assert_eq!(refused(&old, "completeSecondFactor"), "WRONG_CODE");
    });
}

#[test]
fn it_is_turned_off_by_password_and_code_together() {
    test(async |world| {
        let Protected { token, app, codes } = protected(world).await;
        pass_half_a_minute(world).await;
        let client = world.stranger(Some(token));
        for (input, code) in [
            (json!({ "code": app.code() }), "BLANK"),
            (
                json!({ "password": "wrong", "code": app.code() }),
                "WRONG_PASSWORD",
            ),
            (json!({ "password": PASSWORD }), "BLANK"),
            (
                json!({ "password": PASSWORD, "code": app.wrong_code() }),
                "WRONG_CODE",
            ),
        ] {
            assert_eq!(
                refused(&disable(&client, input).await, "disableSecondFactor"),
                code
            );
        }
        let input = json!({ "password": PASSWORD, "recoveryCode": codes[0] });
        let off = disable(&client, input).await.data();
        let expected = json!({ "enabledAt": null, "recoveryCodesLeft": 0 });
        assert_eq!(off["disableSecondFactor"]["secondFactor"], expected);
        let email = address(world, A, WHO).await;
        let entered = try_sign_in(world, &email, PASSWORD, None).await.data();
        assert!(entered["signIn"]["session"].is_object(), "{entered}");
    });
}

#[test]
fn a_token_without_a_session_changes_nothing_of_how_its_user_signs_in() {
    test(async |world| {
        protected(world).await;
        let client = world.a(WHO);
        let attempts = [
            refused(&set_up(&client, json!({})).await, "setUpSecondFactor"),
            refused(
                &confirm(&client, json!({ "code": "123456" })).await,
                "confirmSecondFactor",
            ),
            refused(
                &disable(&client, json!({ "code": "123456" })).await,
                "disableSecondFactor",
            ),
        ];
        assert_eq!(attempts, ["FORBIDDEN"; 3]);
        let nobody = world.stranger(None);
        for answer in [
            set_up(&nobody, json!({})).await,
            confirm(&nobody, json!({ "code": "1" })).await,
        ] {
            assert_eq!(answer.code(), "UNAUTHENTICATED");
        }
        let answer = disable(&nobody, json!({ "code": "1" })).await;
        assert_eq!(answer.code(), "UNAUTHENTICATED");
    });
}

#[test]
fn what_happens_to_it_is_audited_and_its_secrets_are_nowhere_in_the_clear() {
    test(async |world| {
        let Protected { app, codes, .. } = protected(world).await;
        let step = waiting(world).await;
        let wrong = app.wrong_code();
        complete(world, json!({ "token": step["token"], "code": wrong })).await;
        // A refusal is written beside the request, and could come after what is done next.
        world.accounts.recorder.flush().await;
        complete(
            world,
            json!({ "token": step["token"], "recoveryCode": codes[0] }),
        )
        .await;

        let mut superuser = world.database.superuser().await;
        let sql = "SELECT action FROM audit_log WHERE action LIKE 'second_factor.%' AND tenant_id = $1 ORDER BY seq";
        let actions: Vec<String> = sqlx::query_scalar(sql)
            .bind(A.tenant())
            .fetch_all(&mut superuser)
            .await
            .expect("the log is read");
        let expected = [
            "second_factor.enabled",
            "second_factor.refused",
            "second_factor.recovery_code_used",
        ];
        assert_eq!(actions, expected);

        let sql = "SELECT totp_secret FROM users WHERE user_id = $1";
        let sealed: Vec<u8> = sqlx::query_scalar(sql)
            .bind(A.user(WHO))
            .fetch_one(&mut superuser)
            .await
            .expect("a sealed secret");
        let secret = app.0.secret().as_ref();
        assert!(!sealed.windows(secret.len()).any(|bytes| bytes == secret));
        let everything = "SELECT string_agg(l::text, '') FROM audit_log l";
        let log: String = sqlx::query_scalar(everything)
            .fetch_one(&mut superuser)
            .await
            .expect("the log is read");
        let secret = app.0.secret().to_base32();
        for text in [&world.log(), &log] {
            for sent in [&secret, &codes[0], &codes[1], &PASSWORD.to_owned()] {
                assert!(!text.contains(sent.as_str()), "{sent} is revealed");
            }
        }
    });
}

#[test]
fn a_sign_in_that_waits_is_over_when_the_password_changes_or_all_devices_are_signed_out() {
    test(async |world| {
        signed_in(world, WHO).await;
        sql(world, "UPDATE tenants SET second_factor_required = true").await;
        let (me, nobody) = (world.a(WHO), world.stranger(None));
        let none = "userErrors { code field }";
        let passwords =
            json!({ "currentPassword": PASSWORD, "newPassword": "a better battery horse" });
        for (mutation, input) in [
            ("sessionRevokeAll", json!({ "exceptCurrent": false })),
            ("passwordChange", passwords),
        ] {
            let step = waiting(world).await;
            let token = json!({ "token": step["token"] });
            let begun = set_up(&nobody, token.clone()).await.data();
            assert!(begun["setUpSecondFactor"]["setUp"].is_object(), "{begun}");
            let done = run(&me, mutation, none, input).await;
            assert_eq!(refused(&done, mutation), "");
            let late = set_up(&nobody, token).await;
            assert_eq!(
                refused(&late, "setUpSecondFactor"),
                "INVALID_TOKEN",
                "{mutation}"
            );
        }
    });
}

#[test]
fn a_session_that_showed_an_app_which_is_turned_off_has_shown_none() {
    test(async |world| {
        let Protected { token, app, .. } = protected(world).await;
        pass_half_a_minute(world).await;
        let client = world.stranger(Some(token.clone()));
        let input = json!({ "password": PASSWORD, "code": app.code() });
        let off = disable(&client, input).await;
        assert_eq!(refused(&off, "disableSecondFactor"), "");
        assert!(is_in(world, &token).await);
        sql(world, "UPDATE tenants SET second_factor_required = true").await;
        tokio::time::sleep(std::time::Duration::from_millis(1_600)).await;
        assert!(!is_in(world, &token).await);
    });
}

#[test]
fn a_session_alone_sets_up_no_authenticator_app_for_the_account() {
    test(async |world| {
        let session = signed_in(world, WHO).await;
        sql(world, "UPDATE tenants SET second_factor_required = true").await;
        let nobody = world.stranger(None);
        let input = json!({ "refreshToken": session["refreshToken"] });
        let step = run(&nobody, "refreshSession", SESSION, input).await.data();
        let step = &step["refreshSession"]["secondFactor"];
        assert_eq!(step["setUpRequired"], json!(true), "{step}");
        for (password, error) in [
            (Value::Null, "BLANK"),
            (json!("a stolen session's"), "WRONG_PASSWORD"),
        ] {
            let input = json!({ "token": step["token"], "password": password });
            let refusal = set_up(&nobody, input).await;
            assert_eq!(refused(&refusal, "setUpSecondFactor"), error);
        }
        let early = json!({ "token": step["token"], "code": "123456" });
        let early = confirm(&nobody, early).await;
        assert_eq!(refused(&early, "confirmSecondFactor"), "NOT_SET_UP");
        let input = json!({ "token": step["token"], "password": PASSWORD });
        let answer = set_up(&nobody, input).await.data();
        let app = App::new(&answer["setUpSecondFactor"]["setUp"]);
        let input = json!({ "token": step["token"], "code": app.code() });
        let done = confirm(&nobody, input).await.data();
        assert!(done["confirmSecondFactor"]["session"].is_object(), "{done}");
    });
}
