//! What a tenant trusts is good in that tenant: a caller who comes through its provider, or with a token of its issuer,
//! does not act on the account, which opens other tenants too.

use dealgraph::organization::identities::{Identities, IdentityFile};
use serde_json::{Value, json};

use super::{
    Later,
    issuer::{Issuer, Key},
    provider::Provider,
    sign_in::{session, sign_in},
    sql,
};
use crate::{
    accounts::{PASSWORD, SESSION, address, ends, mutate, text, try_sign_in},
    harness::{A, Answer, B, Field, Schema, Who, World, test_with},
    second_factor::App,
};

/// The provider that is trusted with tenant A alone, and the one that is trusted with all.
const OF_A: &str = "of-a";
const OF_ALL: &str = "of-all";

const CODE: &str = "ACCOUNT_SIGN_IN_REQUIRED";

/// Acts on all of an account.
const OF_ACCOUNT: [&str; 9] = [
    "confirmSecondFactor",
    "disableSecondFactor",
    "emailVerificationResend",
    "passwordChange",
    "renewRecoveryCodes",
    "secondFactor",
    "setUpSecondFactor",
    "viewerAccount",
    "viewerUpdate",
];

/// Acts on the devices that a person is signed in on.
const OF_DEVICES: [&str; 5] = [
    "sessionRevoke",
    "sessionRevokeAll",
    "sessions",
    "signOut",
    "switchTenant",
];

/// What takes a proof of its own from every caller.
const OF_ANYBODY: [&str; 11] = [
    "acceptInvitation",
    "beginProviderSignIn",
    "completeProviderSignIn",
    "completeSecondFactor",
    "refreshSession",
    "register",
    "requestPasswordReset",
    "resetPassword",
    "signIn",
    "signInOptions",
    "verifyEmail",
];

/// What is about the tenant of the token, and judged by its policies: kinds of records, each with its verbs.
const RECORDS: [&str; 18] = [
    "activit",
    "apiKey",
    "compan",
    "contact",
    "inbound",
    "integration",
    "invitation",
    "job",
    "lead",
    "membership",
    "opportunit",
    "pipeline",
    "product",
    "role",
    "stage",
    "sync",
    "team",
    "webhook",
];

/// The same, for what is about no single kind.
const OF_TENANT: [&str; 16] = [
    "auditLog",
    "boardEvents",
    "boardLayout",
    "builtInRoles",
    "dueActions",
    "eventCursor",
    "externalLinks",
    "memberInvite",
    "node",
    "presence",
    "tenant",
    "tenantCancelDeletion",
    "tenantScheduleDeletion",
    "tenantUpdate",
    "user",
    "viewer",
];

/// Providers and issuers that are there while the test is.
struct Outside {
    _provider: Provider,
    issuer: Issuer,
    key: Key,
}

fn with_outside(body: impl AsyncFnOnce(&World, Outside)) {
    let clock = Later::default();
    let start = async || {
        let provider = Provider::start().await;
        let key = Key::ed("ed-1");
        let issuer = Issuer::start(vec![key.clone()]).await;
        let file = IdentityFile {
            providers: vec![
                provider.as_provider(OF_A, &["side-a0a0"]),
                provider.as_provider(OF_ALL, &[]),
            ],
            issuers: vec![issuer.config(json!({ "fixed": "side-a0a0" }))],
        };
        let identities = Identities::new(file, clock.clock()).expect("certificates");
        let outside = Outside {
            _provider: provider,
            issuer,
            key,
        };
        (identities, outside)
    };
    test_with(start, body);
}

/// The access token of a person who came through a provider.
async fn through(world: &World, provider: &str, who: Who) -> String {
    let email = address(world, A, who).await;
    let session = session(&sign_in(world, provider, &email).await);
    text(&session["accessToken"]).to_owned()
}

impl Outside {
    /// A token that the issuer of tenant A made.
    async fn token(&self, world: &World, who: Who) -> String {
        let email = address(world, A, who).await;
        let claims = self.issuer.claims("subject", &email, "side-a0a0");
        self.key.sign(&claims)
    }
}

/// The access token of a person who gave the password, in a tenant.
async fn by_password(world: &World, who: Who, tenant: &str) -> String {
    world.set_password(A.user(who), PASSWORD).await;
    sql(world, "UPDATE users SET email_verified_at = now()").await;
    let email = address(world, A, who).await;
    let answer = try_sign_in(world, &email, PASSWORD, Some(tenant))
        .await
        .data();
    text(&answer["signIn"]["session"]["accessToken"]).to_owned()
}

/// Asks for a field with the least that it takes; answers the code of what came.
async fn ask(
    world: &World,
    token: &str,
    schema: &Schema,
    root: &str,
    field: &Field,
) -> (String, Answer) {
    let client = world.anybody(Some(token.to_owned()));
    let name = &field.name;
    if root == "Query" {
        let document = format!("{{ {name} {{ __typename }} }}");
        let answer = client.send(&document, json!({})).await;
        return (answer.code().to_owned(), answer);
    }
    let of = &field.argument("input").expect("an input").of.name;
    let mut input = schema.least_input(of, A);
    if input.get("id").is_some() {
        input["id"] = json!("session:01980000-0000-7000-a0a0-000000000000");
    }
    let document = format!(
        "mutation($input: {of}!) {{ {name}(input: $input) {{ userErrors {{ code field message }} }} }}"
    );
    let answer = client.send(&document, json!({ "input": input })).await;
    let code = match answer.code() {
        "" => answer.user_error(name).0,
        code => code.to_owned(),
    };
    (code, answer)
}

/// All of the person's account, in one text.
async fn account(world: &World, who: Who) -> String {
    let mut superuser = world.database.superuser().await;
    let sql = "SELECT concat_ws(' ', (SELECT u::text FROM users u WHERE user_id = $1),
        (SELECT string_agg(m.name || m.email, ',' ORDER BY m.tenant_id) FROM memberships m WHERE user_id = $1),
        (SELECT string_agg(s.session_id::text || s.tenant_id || coalesce(s.ended_at::text, '-'), ',' ORDER BY s.session_id)
         FROM sessions s WHERE user_id = $1),
        (SELECT count(*) FROM recovery_codes WHERE user_id = $1),
        (SELECT count(*) FROM one_time_tokens WHERE user_id = $1))";
    sqlx::query_scalar(sql)
        .bind(A.user(who))
        .fetch_one(&mut superuser)
        .await
        .expect("the account is there")
}

#[test]
fn every_field_that_has_no_tenant_of_its_own_takes_more_than_a_tenant_trusts() {
    with_outside(async |world, outside| {
        let schema = Schema::of_server();
        let own = by_password(world, Who::Both, "side-b0b0").await;
        let tenants = [
            through(world, OF_A, Who::Both).await,
            outside.token(world, Who::Both).await,
        ];
        let before = account(world, Who::Both).await;
        let mut tried = 0;
        for root in ["Query", "Mutation", "Subscription"] {
            for field in schema.fields(root) {
                let name = field.name.as_str();
                let is_of_tenant =
                    OF_TENANT.contains(&name) || RECORDS.iter().any(|kind| name.starts_with(kind));
                if is_of_tenant || OF_ANYBODY.contains(&name) {
                    continue;
                }
                let is_of_devices = OF_DEVICES.contains(&name);
                assert!(
                    is_of_devices || OF_ACCOUNT.contains(&name),
                    "{root}.{name}: is it about the tenant of the token, or about the account? Say so here."
                );
                if !is_of_devices {
                    for token in &tenants {
                        let (code, answer) = ask(world, token, &schema, root, field).await;
                        assert_eq!(code, CODE, "{name}: {}", answer.body);
                        tried += 1;
                    }
                } else if !matches!(name, "signOut" | "switchTenant") {
                    // Who has a session reaches some; another issuer's token has none.
                    let (code, answer) = ask(world, &tenants[1], &schema, root, field).await;
                    assert_eq!(code, CODE, "{name}: {}", answer.body);
                    tried += 1;
                }
            }
        }
        assert!(tried >= 2 * OF_ACCOUNT.len() + 3, "{tried}");
        assert_eq!(account(world, Who::Both).await, before, "nothing was done");

        let message = world
            .anybody(Some(tenants[0].clone()))
            .send("{ viewerAccount { name } }", json!({}))
            .await;
        let error = message.body["errors"][0]["message"].to_string();
        assert!(
            error.contains("sign in with your password") && error.contains("requestPasswordReset")
        );

        // The account's own sessions do all of it: a password, and a provider that is trusted with all tenants.
        let of_all = through(world, OF_ALL, Who::Rep).await;
        for token in [&own, &of_all] {
            for root in ["Query", "Mutation"] {
                for field in schema.fields(root) {
                    if OF_ACCOUNT.contains(&field.name.as_str()) {
                        let (code, answer) = ask(world, token, &schema, root, field).await;
                        assert_ne!(code, CODE, "{}: {}", field.name, answer.body);
                    }
                }
            }
        }
        assert_ne!(
            account(world, Who::Both).await,
            before,
            "they renamed themselves"
        );
    });
}

const ENDS: &str = "ended userErrors { code field }";

async fn devices(world: &World, token: &str) -> Value {
    let client = world.anybody(Some(token.to_owned()));
    let list = client.query("{ sessions { id provider current } }").await;
    list["sessions"].clone()
}

#[test]
fn who_came_through_a_tenants_provider_reaches_the_devices_that_came_through_it_as_well() {
    with_outside(async |world, _outside| {
        let elsewhere = by_password(world, Who::Both, "side-b0b0").await;
        let (here, other) = (
            through(world, OF_A, Who::Both).await,
            through(world, OF_A, Who::Both).await,
        );
        let all = devices(world, &elsewhere).await;
        assert_eq!(
            all.as_array().map(Vec::len),
            Some(3),
            "the account's own session sees all"
        );
        let seen = devices(world, &here).await;
        let seen = seen.as_array().expect("a list");
        assert_eq!(seen.len(), 2);
        assert!(
            seen.iter().all(|device| device["provider"] == OF_A),
            "{seen:?}"
        );

        let is_elsewhere = |device: &&Value| device["provider"].is_null();
        let id = &all
            .as_array()
            .expect("a list")
            .iter()
            .find(is_elsewhere)
            .expect("one")["id"];
        let tried = mutate(
            world,
            Some(&here),
            ("sessionRevoke", ENDS),
            json!({ "id": id }),
        )
        .await;
        assert_eq!(tried.user_error("sessionRevoke").0, "NOT_FOUND");
        let switched = mutate(
            world,
            Some(&here),
            ("switchTenant", SESSION),
            json!({ "slug": "side-b0b0" }),
        )
        .await;
        assert_eq!(switched.user_error("switchTenant").0, "NOT_FOUND");
        let rest = mutate(world, Some(&here), ("sessionRevokeAll", ENDS), json!({})).await;
        assert_eq!(rest.data()["sessionRevokeAll"]["ended"], 1);
        let out = mutate(
            world,
            Some(&here),
            ("signOut", ENDS),
            json!({ "everywhere": true }),
        )
        .await;
        assert_eq!(out.data()["signOut"]["ended"], 1);
        assert_eq!(
            devices(world, &elsewhere).await.as_array().map(Vec::len),
            Some(1)
        );
        for access in [&here, &other] {
            ends(world, access).await;
        }
    });
}

#[test]
fn a_tenants_provider_makes_nobody_a_member_of_another_tenant() {
    with_outside(async |world, _outside| {
        let email = address(world, A, Who::Rep).await;
        let input = json!({ "email": email, "role": "VIEWER" });
        let document = "mutation($input: MemberInviteInput!) { memberInvite(input: $input) { userErrors { code } } }";
        world
            .b(Who::Admin)
            .query_with(document, json!({ "input": input }))
            .await;
        let mail = world.mails_to(&email, 1).await.remove(0);
        let accept = async |token: &str| {
            let input = json!({ "token": mail.token() });
            mutate(world, Some(token), ("acceptInvitation", SESSION), input).await
        };
        let tenants = through(world, OF_A, Who::Rep).await;
        let refused = accept(&tenants).await.user_error("acceptInvitation");
        assert_eq!(
            refused,
            ("PASSWORD_REQUIRED".to_owned(), "input.password".to_owned())
        );
        let own = through(world, OF_ALL, Who::Rep).await;
        assert_eq!(accept(&own).await.user_error("acceptInvitation").0, "");
    });
}

/// The token of a sign-in through tenant A's provider that waits for its second factor.
async fn waiting(world: &World, who: Who) -> (String, bool) {
    let email = address(world, A, who).await;
    let answer = sign_in(world, OF_A, &email).await.data();
    let step = &answer["completeProviderSignIn"]["secondFactor"];
    (
        text(&step["token"]).to_owned(),
        step["setUpRequired"] == true,
    )
}

const SET_UP: &str = "setUp { secret } userErrors { code field }";
const CONFIRMED: &str = "recoveryCodes session { accessToken } userErrors { code field }";

#[test]
fn a_tenants_provider_sets_up_no_second_factor_of_an_account_that_opens_others() {
    with_outside(async |world, _outside| {
        sql(
            world,
            "UPDATE tenants SET second_factor_required = true WHERE slug = 'side-a0a0'",
        )
        .await;
        let set_up = async |token: &str, password: Option<&str>| {
            let input = json!({ "token": token, "password": password });
            mutate(world, None, ("setUpSecondFactor", SET_UP), input).await
        };
        let renames = async |token: &str| {
            let input = json!({ "name": "Another Person" });
            let answer = mutate(
                world,
                Some(token),
                ("viewerUpdate", "userErrors { code }"),
                input,
            )
            .await;
            answer.user_error("viewerUpdate").0
        };

        // Without a password, in two tenants: nobody knows whose app it would be.
        let (token, _) = waiting(world, Who::Both).await;
        assert_eq!(
            set_up(&token, None).await.user_error("setUpSecondFactor").0,
            CODE
        );
        // With one, it is given.
        world.set_password(A.user(Who::Both), PASSWORD).await;
        sql(world, "UPDATE users SET email_verified_at = now()").await;
        for (password, code) in [(None, "BLANK"), (Some("wrong horse"), "WRONG_PASSWORD")] {
            assert_eq!(
                set_up(&token, password)
                    .await
                    .user_error("setUpSecondFactor")
                    .0,
                code
            );
        }
        let shown = set_up(&token, Some(PASSWORD)).await.data();
        let app = App::new(&shown["setUpSecondFactor"]["setUp"]);
        let input = json!({ "token": token, "code": app.code() });
        let done = mutate(world, None, ("confirmSecondFactor", CONFIRMED), input)
            .await
            .data();
        let own = text(&done["confirmSecondFactor"]["session"]["accessToken"]);
        assert_eq!(
            renames(own).await,
            "",
            "it showed password and second factor"
        );

        // From then on the app is the account's, and its codes show whose account it is.
        let codes = done["confirmSecondFactor"]["recoveryCodes"].clone();
        let (token, is_new) = waiting(world, Who::Both).await;
        assert!(!is_new);
        let input = json!({ "token": token, "recoveryCode": codes[0] });
        let done = mutate(world, None, ("completeSecondFactor", SESSION), input)
            .await
            .data();
        let own = text(&done["completeSecondFactor"]["session"]["accessToken"]);
        assert_eq!(renames(own).await, "");

        // Who has no password and is in no other tenant sets up an app that is good for this one.
        let (token, is_new) = waiting(world, Who::Rep).await;
        assert!(is_new);
        let shown = set_up(&token, None).await.data();
        let app = App::new(&shown["setUpSecondFactor"]["setUp"]);
        let input = json!({ "token": token, "code": app.code() });
        let done = mutate(world, None, ("confirmSecondFactor", CONFIRMED), input)
            .await
            .data();
        let here = text(&done["confirmSecondFactor"]["session"]["accessToken"]);
        assert_eq!(renames(here).await, CODE);

        // One that was begun when the person was in this tenant alone is put into use only as long as they are.
        let (token, _) = waiting(world, Who::Closer).await;
        let shown = set_up(&token, None).await.data();
        let app = App::new(&shown["setUpSecondFactor"]["setUp"]);
        let joins = format!(
            "INSERT INTO memberships (tenant_id, user_id, email, name, name_normalized, role, created_at)
             SELECT '{}', user_id, email, name, 'closer', 'VIEWER', now() FROM users WHERE user_id = '{}'",
            B.uuid("tenant", 1),
            A.uuid("user", Who::Closer as u32 + 1)
        );
        sql(world, &joins).await;
        let input = json!({ "token": token, "code": app.code() });
        let refused = mutate(world, None, ("confirmSecondFactor", CONFIRMED), input).await;
        assert_eq!(refused.user_error("confirmSecondFactor").0, CODE);
    });
}
