//! Signing in at a real provider, by a browser that goes all the way.

use dealgraph::{
    base::ids::Typed as _,
    organization::identities::{Identities, IdentityFile},
};
use serde_json::{Value, json};

use super::{
    Later, audited, links,
    provider::{BACK, Back, Provider, sign_in_there},
    slug, sql,
};
use crate::{
    accounts::{PASSWORD, SESSION, address, try_sign_in},
    harness::{A, Answer, B, Who, World, test_with},
};

const WHO: Who = Who::Rep;

/// The provider under three keys: for all tenants, for a tenant that is elsewhere only, and as a public client.
async fn outside(clock: &Later) -> (Identities, Provider) {
    let provider = Provider::start().await;
    let file = IdentityFile {
        providers: vec![
            provider.as_provider("acme", &[]),
            provider.as_provider("elsewhere", &["elsewhere"]),
            provider.as_provider("public", &[]),
        ],
        issuers: Vec::new(),
    };
    let identities = Identities::new(file, clock.clock()).expect("certificates");
    (identities, provider)
}

fn with_provider(body: impl AsyncFnOnce(&World, Provider)) {
    let clock = Later::default();
    test_with(async || outside(&clock).await, body);
}

/// A sign-in that has begun.
struct Begun {
    address: String,
    token: String,
}

async fn try_begin(world: &World, input: Value) -> Answer {
    let document = "mutation($input: BeginProviderSignInInput!) { beginProviderSignIn(input: $input) { \
        authorizationUrl signInToken userErrors { code field } } }";
    world
        .stranger(None)
        .send(document, json!({ "input": input }))
        .await
}

async fn begin(world: &World, key: &str, tenant: Option<&str>) -> Begun {
    let input = json!({ "provider": key, "redirectUri": BACK, "tenant": tenant });
    let answer = try_begin(world, input).await.data();
    let text = |name: &str| {
        let text = answer["beginProviderSignIn"][name].as_str();
        text.unwrap_or_else(|| panic!("{answer}")).to_owned()
    };
    Begun {
        address: text("authorizationUrl"),
        token: text("signInToken"),
    }
}

async fn complete(world: &World, token: &str, back: &Back) -> Answer {
    let document = format!(
        "mutation($input: CompleteProviderSignInInput!) {{ completeProviderSignIn(input: $input) {{ {SESSION} }} }}"
    );
    let input = json!({
        "signInToken": token, "state": back.state, "code": back.code, "issuer": back.issuer,
    });
    world
        .stranger(None)
        .send(&document, json!({ "input": input }))
        .await
}

pub(super) async fn sign_in(world: &World, key: &str, account: &str) -> Answer {
    let begun = begin(world, key, None).await;
    let back = sign_in_there(&begun.address, account).await;
    complete(world, &begun.token, &back).await
}

pub(super) fn session(answer: &Answer) -> Value {
    let payload = answer.data()["completeProviderSignIn"].clone();
    assert_eq!(payload["userErrors"], json!([]), "{payload}");
    payload["session"].clone()
}

fn refused(answer: &Answer) -> (String, String) {
    answer.user_error("completeProviderSignIn")
}

fn error(code: &str, field: &str) -> (String, String) {
    (code.to_owned(), field.to_owned())
}

#[test]
fn a_member_signs_in_and_is_linked_by_the_verified_address_once() {
    with_provider(async |world, _provider| {
        let email = address(world, A, WHO).await;
        let first = session(&sign_in(world, "acme", &email).await);
        assert_eq!(first["tenant"]["id"], A.tenant().to_string());
        let token = first["accessToken"].as_str().expect("a token").to_owned();
        let viewer = world.stranger(Some(token)).query("{ viewer { id } }").await;
        assert_eq!(viewer["viewer"]["id"], A.user(WHO).to_string());
        assert_eq!(links(world).await, [(email.clone(), A.user(WHO))]);
        assert_eq!(audited(world, A, "identity.linked").await, 1);

        // From now on the name counts and not the address; the other client signs with Ed25519 and has no secret.
        let user = A.user(WHO).uuid();
        let moved = format!(
            "UPDATE users SET email = 'm@x.example', email_normalized = 'm@x.example' WHERE user_id = '{user}'"
        );
        sql(world, &moved).await;
        assert!(session(&sign_in(world, "public", &email).await).is_object());
        assert_eq!(links(world).await.len(), 1);
        assert_eq!(audited(world, A, "identity.linked").await, 1);
        assert_eq!(audited(world, A, "session.opened").await, 2);
    });
}

#[test]
fn nobody_gets_in_by_an_address_that_is_not_shown_to_be_theirs() {
    with_provider(async |world, _provider| {
        let email = address(world, A, WHO).await;
        for account in [
            "stranger@example.com".to_owned(),
            format!("unverified.{email}"),
        ] {
            let answer = sign_in(world, "acme", &account).await;
            assert_eq!(refused(&answer), error("NOT_A_MEMBER", ""), "{account}");
        }
        // Another person may have registered the address before its owner came, with a password of their own.
        world.set_password(A.user(WHO), PASSWORD).await;
        sql(world, "UPDATE users SET email_verified_at = NULL").await;
        let answer = sign_in(world, "acme", &email).await;
        assert_eq!(refused(&answer), error("NOT_A_MEMBER", ""));
        assert_eq!(links(world).await, []);
        sql(world, "UPDATE users SET email_verified_at = now()").await;
        assert!(session(&sign_in(world, "acme", &email).await).is_object());
    });
}

#[test]
fn a_code_that_another_person_obtained_signs_nobody_in() {
    with_provider(async |world, _provider| {
        let email = address(world, A, WHO).await;
        let other = address(world, A, Who::Admin).await;
        let attack = begin(world, "acme", None).await;
        let planted = sign_in_there(&attack.address, &other).await;

        // A code and state that were planted in the browser of a person who began a sign-in of their own.
        let own = begin(world, "acme", None).await;
        let answer = complete(world, &own.token, &planted).await;
        assert_eq!(refused(&answer), error("SIGN_IN_REFUSED", "input.state"));

        // The state fits and the code is another's: the verifier does not fit.
        let own = begin(world, "acme", None).await;
        let back = sign_in_there(&own.address, &email).await;
        let mixed = Back {
            code: planted.code.clone(),
            ..back.clone()
        };
        let answer = complete(world, &own.token, &mixed).await;
        assert_eq!(refused(&answer), error("SIGN_IN_REFUSED", "input.code"));
        // That was the one try.
        let answer = complete(world, &own.token, &back).await;
        assert_eq!(
            refused(&answer),
            error("INVALID_TOKEN", "input.signInToken")
        );

        // Another issuer answered.
        let own = begin(world, "acme", None).await;
        let back = sign_in_there(&own.address, &email).await;
        let mixed = Back {
            issuer: "https://evil.example".to_owned(),
            ..back
        };
        let answer = complete(world, &own.token, &mixed).await;
        assert_eq!(refused(&answer), error("SIGN_IN_REFUSED", "input.issuer"));

        // A sign-in that was completed is not completed again.
        let own = begin(world, "acme", None).await;
        let back = sign_in_there(&own.address, &email).await;
        assert!(session(&complete(world, &own.token, &back).await).is_object());
        let answer = complete(world, &own.token, &back).await;
        assert_eq!(
            refused(&answer),
            error("INVALID_TOKEN", "input.signInToken")
        );

        for (input, code) in [
            (
                json!({ "provider": "nobody", "redirectUri": BACK }),
                error("NOT_FOUND", "input.provider"),
            ),
            (
                json!({ "provider": "acme", "redirectUri": format!("{BACK}/../evil") }),
                error("REDIRECT_URI_NOT_ALLOWED", "input.redirectUri"),
            ),
        ] {
            let answer = try_begin(world, input).await;
            assert_eq!(answer.user_error("beginProviderSignIn"), code);
        }
    });
}

#[test]
fn a_tenant_that_requires_a_provider_is_entered_through_it_alone() {
    with_provider(async |world, _provider| {
        let (email, tenant) = (address(world, A, WHO).await, slug(world, A).await);
        let document = "query($tenant: String) { signInOptions(tenant: $tenant) { \
            passwords secondFactorRequired providers { key name } } }";
        let options = async |tenant: &str| {
            let nobody = world.stranger(None);
            let answer = nobody
                .query_with(document, json!({ "tenant": tenant }))
                .await;
            answer["signInOptions"].clone()
        };
        let plain = options(&tenant).await;
        assert_eq!(
            plain,
            options("no-such-tenant").await,
            "nobody learns which tenants there are"
        );
        assert_eq!(plain["passwords"], json!(true));
        assert_eq!(plain["providers"].as_array().map(Vec::len), Some(2));

        let id = A.uuid("tenant", 1);
        sql(
            world,
            &format!("UPDATE tenants SET required_provider = 'acme' WHERE tenant_id = '{id}'"),
        )
        .await;
        let acme = json!([{ "key": "acme", "name": "Acme" }]);
        let expected =
            json!({ "passwords": false, "secondFactorRequired": false, "providers": acme });
        assert_eq!(options(&tenant).await, expected);
        world.set_password(A.user(WHO), PASSWORD).await;
        sql(world, "UPDATE users SET email_verified_at = now()").await;
        let by_password = try_sign_in(world, &email, PASSWORD, None).await;
        assert_eq!(by_password.user_error("signIn").0, "SSO_REQUIRED");
        let by_another = sign_in(world, "public", &email).await;
        assert_eq!(refused(&by_another).0, "SSO_REQUIRED");
        assert!(session(&sign_in(world, "acme", &email).await).is_object());
    });
}

#[test]
fn a_provider_opens_only_the_tenants_it_is_trusted_with() {
    with_provider(async |world, _provider| {
        let email = address(world, A, WHO).await;
        let answer = sign_in(world, "elsewhere", &email).await;
        assert_eq!(refused(&answer).0, "NO_TENANT");
        let tenant = slug(world, A).await;
        let begun = begin(world, "elsewhere", Some(&tenant)).await;
        let back = sign_in_there(&begun.address, &email).await;
        let answer = complete(world, &begun.token, &back).await;
        assert_eq!(refused(&answer).0, "NOT_FOUND");
        assert_eq!(
            links(world).await,
            [],
            "it does not link people of others either"
        );

        // Who is in a tenant of theirs and in another gets into theirs only, and hears of no other.
        let id = A.uuid("tenant", 1);
        sql(
            world,
            &format!("UPDATE tenants SET slug = 'elsewhere' WHERE tenant_id = '{id}'"),
        )
        .await;
        let both = address(world, B, Who::Both).await;
        let opened = session(&sign_in(world, "elsewhere", &both).await);
        assert_eq!(opened["tenants"], json!([opened["tenant"]]));
        assert_eq!(opened["tenant"]["slug"], "elsewhere");
        let text = |name: &str| opened[name].as_str().expect("a token").to_owned();
        let client = world.stranger(Some(text("accessToken")));
        let document = "mutation($input: SwitchTenantInput!) { switchTenant(input: $input) { \
            session { accessToken } userErrors { code field } } }";
        let input = json!({ "input": { "slug": slug(world, B).await } });
        let switched = client.send(document, input).await;
        assert_eq!(switched.user_error("switchTenant").0, "NOT_FOUND");
        let document = "mutation($input: RefreshSessionInput!) { refreshSession(input: $input) { \
            session { tenants { slug } } userErrors { code field } } }";
        let input = json!({ "input": { "refreshToken": text("refreshToken") } });
        let refreshed = world.stranger(None).query_with(document, input).await;
        let tenants = &refreshed["refreshSession"]["session"]["tenants"];
        assert_eq!(*tenants, json!([{ "slug": "elsewhere" }]));
    });
}

#[test]
fn the_second_factor_is_asked_for_after_the_provider_too() {
    with_provider(async |world, _provider| {
        let email = address(world, A, WHO).await;
        let id = A.uuid("tenant", 1);
        sql(
            world,
            &format!("UPDATE tenants SET second_factor_required = true WHERE tenant_id = '{id}'"),
        )
        .await;
        let payload = sign_in(world, "acme", &email).await.data()["completeProviderSignIn"].clone();
        assert_eq!(payload["session"], Value::Null);
        assert_eq!(payload["secondFactor"]["setUpRequired"], json!(true));
        let document = "mutation($input: SetUpSecondFactorInput!) { setUpSecondFactor(input: $input) { \
            setUp { secret } userErrors { code } } }";
        let input = json!({ "token": payload["secondFactor"]["token"] });
        let answer = world
            .stranger(None)
            .query_with(document, json!({ "input": input }))
            .await;
        assert!(
            answer["setUpSecondFactor"]["setUp"]["secret"].is_string(),
            "{answer}"
        );
    });
}

#[test]
fn a_provider_may_change_its_keys_and_be_down_for_a_while() {
    let clock = Later::default();
    test_with(
        async || outside(&clock).await,
        async |world, mut provider| {
            let email = address(world, A, WHO).await;
            let begun = begin(world, "acme", None).await;
            let back = sign_in_there(&begun.address, &email).await;
            provider.send("rotate").await;
            clock.pass(31);
            let opened = session(&complete(world, &begun.token, &back).await);
            assert!(opened.is_object(), "the newer key was looked for");

            provider.stop().await;
            clock.pass(3_600);
            let begun = begin(world, "acme", None).await;
            assert!(
                begun.address.starts_with(&provider.issuer),
                "what was known of it goes on"
            );
            let back = Back {
                state: state_of(&begun.address),
                code: "x".to_owned(),
                issuer: provider.issuer.clone(),
            };
            let answer = complete(world, &begun.token, &back).await;
            assert_eq!(answer.code(), "UNAVAILABLE");
        },
    );
}

fn state_of(address: &str) -> String {
    let address = url::Url::parse(address).expect("an address");
    let mut pairs = address.query_pairs();
    pairs
        .find(|(name, _)| name == "state")
        .expect("a state")
        .1
        .into_owned()
}
