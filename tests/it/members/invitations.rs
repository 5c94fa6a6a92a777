//! Inviting people, and everything that a mailed secret must not open.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use dealgraph::base::ids::{RoleId, TeamId, Typed as _, UserId};
use serde_json::{Value, json};

use super::{act, arrange, count, let_closers, refusal};
use crate::{
    accounts::{PASSWORD, SESSION, try_sign_in},
    harness::{A, Answer, B, Client, Who, World, test},
};

const GUEST: &str = "Ada@Example.com";

async fn invite(client: &Client<'_>, email: &str) -> Value {
    let input = json!({ "email": email, "role": "SALES_REP", "teamId": A.id::<TeamId>(2) });
    let fields =
        "invitation { id status email role team { id } sentCount version createdBy { kind } }";
    let answer = act(client, "memberInvite", input, fields).await.data();
    assert_eq!(answer["memberInvite"]["userErrors"], json!([]));
    answer["memberInvite"]["invitation"].clone()
}

async fn accept(client: &Client<'_>, input: Value) -> Answer {
    let document = format!(
        "mutation($input: AcceptInvitationInput!) {{ acceptInvitation(input: $input) {{ {SESSION} }} }}"
    );
    client.send(&document, json!({ "input": input })).await
}

/// What a new person sends.
fn newcomer(token: &str) -> Value {
    json!({ "token": token, "name": " Ada  Lovelace", "password": PASSWORD })
}

async fn status(world: &World, invitation: &Value) -> Value {
    let document = "query($id: ID!) { invitation(id: $id) { status } }";
    let admin = world.a(Who::Admin);
    let read = admin
        .query_with(document, json!({ "id": invitation["id"] }))
        .await;
    read["invitation"]["status"].clone()
}

/// Makes an account that is in no tenant.
async fn account(world: &World, email: &str) -> UserId {
    let user = UserId::new();
    let id = user.uuid();
    arrange(world, &format!("INSERT INTO users (user_id, email, email_normalized, name, created_at) VALUES ('{id}', '{email}', lower('{email}'), 'Ada', now())")).await;
    world.set_password(user, PASSWORD).await;
    user
}

const MEMBERS: &str = "SELECT count(*) FROM memberships WHERE lower(email) = 'ada@example.com'";

#[test]
fn a_new_person_is_invited_by_mail_and_is_a_member_after_accepting() {
    test(async |world| {
        let admin = world.a(Who::Admin);
        let invitation = invite(&admin, GUEST).await;
        assert_eq!(invitation["status"], "PENDING");
        assert_eq!(invitation["createdBy"]["kind"], "USER");
        let mail = world.mail_to(GUEST, 1).await;
        assert!(
            mail.subject.contains("Twin") && mail.text.contains("Person 1"),
            "{mail:?}"
        );
        assert!(
            mail.link()
                .contains("/account/accept-invitation#token=dgi_")
        );
        let secrets =
            "SELECT count(*) FROM invitations WHERE encode(secret_hash, 'escape') LIKE '%dgi_%'";
        assert_eq!(count(world, secrets).await, 0, "only a hash is kept");

        let answer = accept(&world.stranger(None), newcomer(&mail.token()))
            .await
            .data();
        let session = &answer["acceptInvitation"]["session"];
        assert_eq!(session["tenant"]["id"], json!(A.tenant()));
        let token = session["accessToken"].as_str().map(str::to_owned);
        let me = world
            .stranger(token)
            .query("{ viewer { role user { name email membership { team { id } status } } } }")
            .await;
        assert_eq!(
            me["viewer"],
            json!({ "role": "SALES_REP", "user": { "name": "Ada  Lovelace", "email": GUEST,
                "membership": { "team": { "id": A.id::<TeamId>(2) }, "status": "ACTIVE" } } })
        );
        assert_eq!(status(world, &invitation).await, "ACCEPTED");
        let verified = "SELECT count(*) FROM users WHERE email_verified_at IS NOT NULL AND email = 'Ada@Example.com'";
        assert_eq!(count(world, verified).await, 1);
        let events = "SELECT count(*) FROM events WHERE (entity, kind) IN (('invitation', 'CREATED'), ('invitation', 'ACCEPTED'), ('member', 'CREATED'))";
        assert_eq!(count(world, events).await, 3);
        let joined = "SELECT count(*) FROM audit_log WHERE action IN ('member.joined', 'session.opened') AND actor LIKE 'user:%'";
        assert!(count(world, joined).await >= 2);

        // The same link again, by anybody.
        for again in [newcomer(&mail.token()), json!({ "token": mail.token() })] {
            let refused = accept(&world.stranger(None), again).await;
            assert_eq!(refused.user_error("acceptInvitation").0, "INVITATION_USED");
        }
        assert_eq!(count(world, MEMBERS).await, 1);
        assert_eq!(
            refusal(
                &admin,
                "memberInvite",
                json!({ "email": "ADA@example.com", "role": "VIEWER" })
            )
            .await,
            "ALREADY_MEMBER"
        );
    });
}

#[test]
fn an_invitation_alone_does_not_open_an_account_that_exists() {
    test(async |world| {
        account(world, "ada@example.com").await;
        let other = account(world, "eve@example.com").await;
        let admin = world.a(Who::Admin);
        invite(&admin, GUEST).await;
        let token = world.mail_to(GUEST, 1).await.token();
        let stranger = world.stranger(None);
        let refused = async |client: &Client<'_>, input: Value| {
            accept(client, input).await.user_error("acceptInvitation").0
        };
        assert_eq!(
            refused(&stranger, json!({ "token": token })).await,
            "PASSWORD_REQUIRED"
        );
        assert_eq!(
            refused(&stranger, json!({ "token": token, "name": "Eve" })).await,
            "PASSWORD_REQUIRED"
        );
        let wrong = json!({ "token": token, "name": "Eve", "password": "a password of Eve's" });
        assert_eq!(refused(&stranger, wrong).await, "INVALID_CREDENTIALS");
        // Another person who is signed in.
        let manager = world.a(Who::Manager);
        assert_eq!(
            refused(&manager, json!({ "token": token })).await,
            "PASSWORD_REQUIRED"
        );
        assert_eq!(count(world, MEMBERS).await, 0);
        let right = json!({ "token": token, "password": PASSWORD });
        let answer = accept(&stranger, right).await.data();
        assert_eq!(
            answer["acceptInvitation"]["session"]["tenant"]["id"],
            json!(A.tenant())
        );
        assert_eq!(count(world, MEMBERS).await, 1);

        // Signed in with the invited address: in this tenant's twin, where the client looks for no leaks.
        let (b, eve) = (B.tenant().uuid(), other.uuid());
        arrange(world, &format!("INSERT INTO memberships (tenant_id, user_id, email, name, name_normalized, role, created_at) VALUES ('{b}', '{eve}', 'eve@example.com', 'Eve', 'eve', 'VIEWER', now())")).await;
        invite(&admin, "eve@example.com").await;
        let token = world.mail_to("eve@example.com", 1).await.token();
        // A token without a session, such as another issuer's, is good for its tenant and opens no other.
        let issued = world
            .tokens
            .issue(other, B.tenant())
            .expect("the key signs")
            .token;
        let weak = world.b(Who::Admin).with_token(issued);
        let input = json!({ "token": token });
        assert_eq!(refused(&weak, input.clone()).await, "PASSWORD_REQUIRED");
        let answer = try_sign_in(world, "eve@example.com", PASSWORD, None).await;
        let session = &answer.data()["signIn"]["session"];
        let signed_in = session["accessToken"].as_str().expect("a token").to_owned();
        let eve = world.b(Who::Admin).with_token(signed_in);
        // A session through a provider that not all tenants trust shows no more than a stranger does.
        arrange(world, "UPDATE sessions SET provider = 'theirs'").await;
        assert_eq!(refused(&eve, input.clone()).await, "PASSWORD_REQUIRED");
        arrange(
            world,
            "UPDATE sessions SET provider = NULL, second_factor = true;
             INSERT INTO access_changes (change_id, session_id) SELECT gen_random_uuid(), session_id FROM sessions",
        )
        .await;
        // The server hears of it within a second.
        let mut answer = accept(&eve, input.clone()).await;
        for _ in 0..200 {
            if answer.user_error("acceptInvitation").0 != "PASSWORD_REQUIRED" {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            answer = accept(&eve, input.clone()).await;
        }
        let answer = answer.data();
        assert_eq!(
            answer["acceptInvitation"]["session"]["tenant"]["id"],
            json!(A.tenant())
        );
        let strong = "SELECT count(*) FROM sessions s JOIN users u USING (user_id) WHERE s.second_factor AND u.email = 'eve@example.com'";
        assert_eq!(count(world, strong).await, 2, "what was shown counts on");
    });
}

#[test]
fn of_many_who_accept_at_once_one_gets_in() {
    test(async |world| {
        invite(&world.a(Who::Admin), GUEST).await;
        let token = world.mail_to(GUEST, 1).await.token();
        let stranger = world.stranger(None);
        let tries = (0..6).map(|_| accept(&stranger, newcomer(&token)));
        let answers = futures_util::future::join_all(tries).await;
        let opened = answers
            .iter()
            .filter(|answer| !answer.data()["acceptInvitation"]["session"].is_null())
            .count();
        assert_eq!((opened, count(world, MEMBERS).await), (1, 1), "{answers:?}");
        let sessions = "SELECT count(*) FROM sessions s JOIN users u USING (user_id) WHERE u.email_normalized = 'ada@example.com'";
        assert_eq!(count(world, sessions).await, 1);
    });
}

#[test]
fn old_revoked_expired_foreign_and_made_up_secrets_open_nothing() {
    test(async |world| {
        let (admin, stranger) = (world.a(Who::Admin), world.stranger(None));
        let invitation = invite(&admin, GUEST).await;
        let first = world.mail_to(GUEST, 1).await.token();
        let resent = act(
            &admin,
            "invitationResend",
            json!({ "id": invitation["id"], "expectedVersion": 1 }),
            "invitation { sentCount version }",
        )
        .await;
        assert_eq!(
            resent.data()["invitationResend"]["invitation"],
            json!({ "sentCount": 2, "version": 2 })
        );
        let second = world.mail_to(GUEST, 2).await.token();
        assert_ne!(first, second);
        let refused = async |token: &str| {
            accept(&stranger, newcomer(token))
                .await
                .user_error("acceptInvitation")
                .0
        };
        assert_eq!(
            refused(&first).await,
            "INVALID_TOKEN",
            "the link that was mailed before"
        );

        let mut bytes = URL_SAFE_NO_PAD
            .decode(second.trim_start_matches("dgi_"))
            .expect("base64url");
        bytes[..16].copy_from_slice(B.tenant().uuid().as_bytes());
        let foreign = format!("dgi_{}", URL_SAFE_NO_PAD.encode(&bytes));
        let guest_of_b = B.uuid("invitation", 1);
        bytes[16..32].copy_from_slice(guest_of_b.as_bytes());
        let other = format!("dgi_{}", URL_SAFE_NO_PAD.encode(&bytes));
        let key = second.replacen("dgi_", "dgk_", 1);
        for bad in [
            "",
            "dgi_",
            "x",
            &foreign,
            &other,
            &key,
            &second[..60],
            &second.repeat(100),
        ] {
            assert_eq!(refused(bad).await, "INVALID_TOKEN", "{bad}");
        }

        arrange(world, "UPDATE invitations SET expires_at = now() - interval '1 second' WHERE email = 'Ada@Example.com'").await;
        assert_eq!(refused(&second).await, "INVITATION_EXPIRED");
        assert_eq!(status(world, &invitation).await, "EXPIRED");
        act(
            &admin,
            "invitationResend",
            json!({ "id": invitation["id"], "expiresInDays": 30 }),
            "",
        )
        .await;
        let third = world.mail_to(GUEST, 3).await.token();
        let revoked = json!({ "id": invitation["id"] });
        assert_eq!(
            refusal(&admin, "invitationRevoke", revoked.clone()).await,
            ""
        );
        assert_eq!(refused(&third).await, "INVITATION_REVOKED");
        assert_eq!(
            refusal(&admin, "invitationRevoke", revoked.clone()).await,
            "",
            "twice changes nothing"
        );
        assert_eq!(refusal(&admin, "invitationResend", revoked).await, "CLOSED");
        assert_eq!(count(world, MEMBERS).await, 0);
        let listed = admin.query("{ invitations(filter: { status: { eq: REVOKED } }) { nodes { email status } totalCount } pending: invitations(filter: { status: { in: [PENDING, ACCEPTED] } }) { totalCount } }").await;
        assert_eq!(
            listed["invitations"],
            json!({ "nodes": [{ "email": GUEST, "status": "REVOKED" }], "totalCount": 1 })
        );
        assert_eq!(listed["pending"]["totalCount"], 0);
    });
}

#[test]
fn a_new_person_needs_a_name_and_a_password_and_a_tenant_at_work() {
    test(async |world| {
        invite(&world.a(Who::Admin), GUEST).await;
        let (token, stranger) = (world.mail_to(GUEST, 1).await.token(), world.stranger(None));
        for (input, expected) in [
            (
                json!({ "token": token, "password": PASSWORD }),
                ("BLANK", "input.name"),
            ),
            (
                json!({ "token": token, "name": "Ada" }),
                ("PASSWORD_TOO_SHORT", "input.password"),
            ),
            (
                json!({ "token": token, "name": "Ada", "password": "short" }),
                ("PASSWORD_TOO_SHORT", "input.password"),
            ),
            (
                json!({ "token": token, "name": "Ada", "password": "Password1234" }),
                ("PASSWORD_TOO_COMMON", "input.password"),
            ),
            (
                json!({ "token": token, "name": "Ada", "password": "ada@EXAMPLE.com" }),
                ("PASSWORD_TOO_COMMON", "input.password"),
            ),
            (
                json!({ "token": token, "name": "Ada", "password": "ab1c".repeat(33) }),
                ("PASSWORD_TOO_LONG", "input.password"),
            ),
        ] {
            let (code, field) = accept(&stranger, input.clone())
                .await
                .user_error("acceptInvitation");
            assert_eq!((code.as_str(), field.as_str()), expected, "{input}");
        }
        let tenant = A.tenant().uuid();
        arrange(
            world,
            &format!("UPDATE tenants SET status = 'SUSPENDED' WHERE tenant_id = '{tenant}'"),
        )
        .await;
        let suspended = accept(&stranger, newcomer(&token)).await;
        assert_eq!(
            suspended.user_error("acceptInvitation").0,
            "TENANT_SUSPENDED"
        );
        let users = "SELECT count(*) FROM users WHERE email_normalized = 'ada@example.com'";
        assert_eq!(count(world, users).await, 0);
    });
}

#[test]
fn who_is_invited_where_and_how_often_is_bounded() {
    test(async |world| {
        let admin = world.a(Who::Admin);
        for (input, expected) in [
            (
                json!({ "email": "nonsense", "role": "VIEWER" }),
                "INVALID_EMAIL",
            ),
            (
                json!({ "email": GUEST, "role": "VIEWER", "expiresInDays": 31 }),
                "OUT_OF_RANGE",
            ),
            (
                json!({ "email": GUEST, "role": "VIEWER", "expiresInDays": 0 }),
                "OUT_OF_RANGE",
            ),
            (json!({ "email": GUEST, "role": "CUSTOM" }), "INVALID_ROLE"),
            (
                json!({ "email": GUEST, "role": "VIEWER", "customRoleId": A.id::<RoleId>(1) }),
                "INVALID_ROLE",
            ),
        ] {
            assert_eq!(
                refusal(&admin, "memberInvite", input.clone()).await,
                expected,
                "{input}"
            );
        }
        let open = invite(&admin, GUEST).await;
        let again = act(
            &admin,
            "memberInvite",
            json!({ "email": "ada@example.COM", "role": "ADMIN" }),
            "invitation { id role }",
        )
        .await;
        assert_eq!(again.user_error("memberInvite").0, "ALREADY_INVITED");
        assert_eq!(
            again.data()["memberInvite"]["invitation"],
            json!({ "id": open["id"], "role": "SALES_REP" })
        );

        // Nine can sign in and one is invited.
        let tenant = A.tenant().uuid();
        arrange(
            world,
            &format!("UPDATE tenants SET quota_members = 11 WHERE tenant_id = '{tenant}'"),
        )
        .await;
        invite(&admin, "second@example.com").await;
        let third = json!({ "email": "third@example.com", "role": "VIEWER" });
        assert_eq!(
            refusal(&admin, "memberInvite", third).await,
            "QUOTA_EXCEEDED"
        );
        let resumed = json!({ "userId": A.user(Who::Suspended) });
        assert_eq!(
            refusal(&admin, "membershipResume", resumed).await,
            "QUOTA_EXCEEDED"
        );
        let quotas = admin
            .query("{ tenant { quotas { members { limit used } teams { used } } } }")
            .await;
        assert_eq!(
            quotas["tenant"]["quotas"],
            json!({ "members": { "limit": 11, "used": 11 }, "teams": { "used": 3 } })
        );
        assert_eq!(
            world
                .a(Who::Manager)
                .query("{ tenant { quotas { members { used } } } }")
                .await["tenant"]["quotas"],
            Value::Null
        );
    });
}

#[test]
fn only_who_may_invite_sees_invitations() {
    test(async |world| {
        let invitation = invite(&world.a(Who::Admin), GUEST).await;
        let document = "query($id: ID!) { invitation(id: $id) { id } invitations { totalCount } }";
        for who in [Who::Manager, Who::Rep, Who::Analyst, Who::Viewer] {
            let read = world
                .a(who)
                .query_with(document, json!({ "id": invitation["id"] }))
                .await;
            assert_eq!(
                read,
                json!({ "invitation": null, "invitations": { "totalCount": 0 } }),
                "{who:?}"
            );
        }
        let_closers(world, &["users:read", "users:write"]).await;
        let read = world
            .a(Who::Closer)
            .query_with(document, json!({ "id": invitation["id"] }))
            .await;
        assert_eq!(read["invitation"]["id"], invitation["id"]);
        let stronger = json!({ "id": invitation["id"] });
        assert_eq!(
            refusal(&world.a(Who::Closer), "invitationResend", stronger).await,
            "FORBIDDEN"
        );
    });
}

#[test]
fn nobody_fills_a_mailbox_with_invitations() {
    test(async |world| {
        let admin = world.a(Who::Admin);
        let invitation = invite(&admin, GUEST).await;
        let id = json!({ "id": invitation["id"] });
        let mut codes = Vec::new();
        for _ in 0..5 {
            codes.push(refusal(&admin, "invitationResend", id.clone()).await);
        }
        assert_eq!(codes, ["", "", "", "", "TOO_MANY_ATTEMPTS"]);
        // Nor by taking it back and inviting anew, nor from another tenant.
        assert_eq!(refusal(&admin, "invitationRevoke", id).await, "");
        let input = json!({ "email": GUEST.to_uppercase(), "role": "VIEWER" });
        for client in [admin, world.b(Who::Admin)] {
            let again = refusal(&client, "memberInvite", input.clone()).await;
            assert_eq!(again, "TOO_MANY_ATTEMPTS");
        }
        // Another person is invited all the same, and who may not invite uses up nobody's tries.
        let rep = world.a(Who::Rep);
        let other = json!({ "email": "other@example.com", "role": "VIEWER" });
        for _ in 0..6 {
            assert_eq!(
                refusal(&rep, "memberInvite", other.clone()).await,
                "FORBIDDEN"
            );
        }
        assert_eq!(
            refusal(&world.a(Who::Admin), "memberInvite", other).await,
            ""
        );
    });
}
