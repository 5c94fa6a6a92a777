//! A change of rights takes effect on two servers within a second of its commit, and without the watch too.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use chrono::TimeDelta;
use dealgraph::{
    access::Actor,
    base::ids::{SessionId, Typed as _},
    db::Sql,
    organization::auth::AccessChange,
};
use serde_json::Value;
use sqlx::{AssertSqlSafe, raw_sql};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::{MARGIN, PROMISED, Pair, WHO, access, actor, change, change_as_system, token};
use crate::harness::{A, B, Side, Who, World, test};

/// How memberships are read.
const READ: &str = "SELECT t.status AS standing, t.delete_after, m.status";

fn is_out(status: u16, _: &Value) -> bool {
    status == 401
}

fn is_in(status: u16, _: &Value) -> bool {
    status == 200
}

fn update_member(set: &'static str, who: Who) -> Sql {
    Sql::new("UPDATE memberships m SET ")
        .push(set)
        .push(" WHERE m.tenant_id = ")
        .bind(A.tenant())
        .push(" AND m.user_id = ")
        .bind(A.user(who))
}

/// A device of a person, signed in for an hour.
async fn sign_in(world: &World, who: Who) -> (SessionId, String) {
    let session = SessionId::new();
    let sql = format!(
        "INSERT INTO sessions (session_id, user_id, tenant_id, created_at, last_used_at, expires_at)
         VALUES ('{}', '{}', '{}', now(), now(), now() + interval '1 hour')",
        session.uuid(),
        A.user(who).uuid(),
        A.tenant().uuid()
    );
    let mut superuser = world.database.superuser().await;
    raw_sql(AssertSqlSafe(sql))
        .execute(&mut superuser)
        .await
        .expect("the superuser may");
    let issued = world.tokens.issue_for(session, A.user(who), A.tenant());
    (session, issued.expect("the key signs").token)
}

#[test]
fn a_change_of_rights_reaches_two_servers_within_a_second() {
    test(async |world| {
        let pair = Pair::start(world).await;
        let rep = token(world, Who::Rep);
        let has_role = |role: &'static str| {
            move |status: u16, answer: &Value| {
                status == 200 && answer["data"]["viewer"]["role"] == role
            }
        };
        pair.until("the first request", &rep, has_role("SALES_REP"))
            .await;
        let member = AccessChange::Member(A.tenant(), A.user(Who::Rep));
        let sql = update_member("role = 'VIEWER'", Who::Rep);
        change(world, member, sql).await.unwrap();
        pair.until("another role", &rep, has_role("VIEWER")).await;
        let sql = update_member("status = 'SUSPENDED'", Who::Rep);
        change(world, member, sql).await.unwrap();
        pair.until("a suspended member", &rep, is_out).await;
        let sql = update_member("status = 'ACTIVE'", Who::Rep);
        change(world, member, sql).await.unwrap();
        pair.until("a resumed member", &rep, is_in).await;

        let (session, device) = sign_in(world, Who::Rep).await;
        pair.until("a device", &device, is_in).await;
        let sql =
            Sql::new("UPDATE sessions SET ended_at = now() WHERE session_id = ").bind(session);
        change_as_system(world, AccessChange::Session(session), sql)
            .await
            .unwrap();
        pair.until("a device that is signed out", &device, is_out)
            .await;
        pair.until("the token of another device", &rep, is_in).await;

        let (_, device) = sign_in(world, Who::Rep).await;
        pair.until("one more device", &device, is_in).await;
        let user = A.user(Who::Rep);
        let sql = Sql::new("UPDATE users SET active = false WHERE user_id = ").bind(user);
        change_as_system(world, AccessChange::Person(user), sql)
            .await
            .unwrap();
        pair.until("a person who is gone", &rep, is_out).await;
        pair.until("their device", &device, is_out).await;
        pair.stop().await;
    });
}

#[test]
fn a_tenant_that_is_suspended_is_read_only_on_two_servers_within_a_second() {
    test(async |world| {
        let pair = Pair::start(world).await;
        let (admin, other) = (token(world, Who::Admin), {
            let issued = world.tokens.issue(B.user(Who::Admin), B.tenant());
            issued.expect("the key signs").token
        });
        let may = |permission: &'static str| {
            move |answer: &Value| {
                let held = answer["data"]["viewer"]["permissions"].as_array();
                held.is_some_and(|held| held.iter().any(|one| one == permission))
            }
        };
        let (writes, reads) = (may("companies:write"), may("companies:read"));
        for token in [&admin, &other] {
            pair.until("an administrator", token, |_, answer| writes(answer))
                .await;
        }
        let suspend = Sql::new("UPDATE tenants SET status = 'SUSPENDED' WHERE tenant_id = ");
        let changed = AccessChange::Tenant(A.tenant());
        change_as_system(world, changed, suspend.bind(A.tenant()))
            .await
            .unwrap();
        pair.until("a suspended tenant", &admin, |_, answer| {
            reads(answer) && !writes(answer)
        })
        .await;
        pair.until("the other tenant", &other, |_, answer| writes(answer))
            .await;
        let resume = Sql::new("UPDATE tenants SET status = 'ACTIVE' WHERE tenant_id = ");
        change_as_system(world, changed, resume.bind(A.tenant()))
            .await
            .unwrap();
        pair.until("a resumed tenant", &admin, |_, answer| writes(answer))
            .await;
        pair.stop().await;
    });
}

#[test]
fn while_the_watch_works_a_person_is_read_once_and_without_it_about_once_a_second() {
    test(async |world| {
        let rep = world.a(Who::Rep);
        let ask_for = async |time: Duration| {
            let began = Instant::now();
            let mut asked = 0;
            while began.elapsed() < time {
                rep.query(WHO).await;
                asked += 1;
            }
            asked
        };
        let reads = |statements: &[String]| {
            statements
                .iter()
                .filter(|sql| sql.starts_with(READ))
                .count()
        };
        ask_for(PROMISED).await;
        let time = PROMISED * 3;
        let (asked, statements) = world.statements.during(ask_for(time)).await;
        assert!(asked > 20, "{asked} requests");
        // One is forgiven: a busy machine may keep the watch waiting for a second.
        let read = reads(&statements);
        assert!(read <= 1, "{read} of {asked} requests");

        let mut superuser = world.database.superuser().await;
        raw_sql("REVOKE SELECT ON access_changes FROM dealgraph_system")
            .execute(&mut superuser)
            .await
            .expect("the superuser may");
        // What was read before is trusted a moment longer.
        ask_for(PROMISED).await;
        let (asked, statements) = world.statements.during(ask_for(time)).await;
        let read = reads(&statements);
        assert!((2..=5).contains(&read), "{read} of {asked} requests");
        assert!(world.log().contains("changes of rights can't be read"));

        let began = Instant::now();
        let member = AccessChange::Member(A.tenant(), A.user(Who::Rep));
        let sql = update_member("status = 'SUSPENDED'", Who::Rep);
        change(world, member, sql).await.unwrap();
        while rep.send(WHO, Value::Null).await.status == 200 {
            assert!(began.elapsed() < PROMISED + MARGIN, "without the watch");
        }
    });
}

#[test]
fn the_holder_of_an_actor_is_notified_when_it_may_have_changed_and_not_before() {
    test(async |world| {
        let (access, _, recording) = access(world);
        // The first reading of changes says that anything may have happened before it.
        let rep = actor(&access, &token(world, Who::Rep)).await.unwrap();
        let stop = CancellationToken::new();
        let running = {
            let (access, stop) = (Arc::clone(&access), stop.clone());
            tokio::spawn(async move { access.run(stop).await })
        };
        let began = timeout(PROMISED + MARGIN, access.changed(&rep)).await;
        assert!(began.is_ok(), "the watch begins");

        let other = actor(&access, &token(world, Who::OtherRep)).await.unwrap();

        let member = AccessChange::Member(A.tenant(), A.user(Who::OtherRep));
        let sql = update_member("status = 'SUSPENDED'", Who::OtherRep);
        let waiting = timeout(PROMISED + MARGIN, access.changed(&other));
        let (notified, changed) = tokio::join!(waiting, change(world, member, sql));
        assert!(notified.is_ok() && changed.is_ok(), "a suspended member");
        let notified = timeout(Duration::ZERO, access.changed(&other)).await;
        assert!(notified.is_ok(), "a later question is answered at once");
        // Tried again, since a busy machine may keep the watch waiting, and then anything may have happened.
        let mut rep = actor(&access, &token(world, Who::Rep)).await.unwrap();
        let mut is_quiet = false;
        for status in [
            "status = 'ACTIVE'",
            "status = 'SUSPENDED'",
            "status = 'ACTIVE'",
        ] {
            rep = actor(&access, &token(world, Who::Rep)).await.unwrap();
            change(world, member, update_member(status, Who::OtherRep))
                .await
                .unwrap();
            is_quiet |= timeout(PROMISED * 2, access.changed(&rep)).await.is_err();
        }
        assert!(is_quiet, "it was another member");

        let mut superuser = world.database.superuser().await;
        raw_sql("REVOKE SELECT ON access_changes FROM dealgraph_system")
            .execute(&mut superuser)
            .await
            .expect("the superuser may");
        let silent = timeout(PROMISED + MARGIN, access.changed(&rep)).await;
        assert!(silent.is_ok(), "without the watch anything may happen");
        stop.cancel();
        running.await.expect("no panic");
        drop(access);
        recording.finish().await;
    });
}

#[test]
fn an_actor_ends_with_its_session_and_its_holder_does_not_ask_all_the_time() {
    test(async |world| {
        let (access, _, recording) = access(world);
        // The token is good for ten minutes.
        let (session, token) = sign_in(world, Who::Rep).await;
        let sql = format!(
            "UPDATE sessions SET expires_at = now() + interval '1 minute' WHERE session_id = '{}'",
            session.uuid()
        );
        let mut superuser = world.database.superuser().await;
        raw_sql(AssertSqlSafe(sql))
            .execute(&mut superuser)
            .await
            .expect("the superuser may");
        let rep = actor(&access, &token).await.unwrap();
        assert!(rep.expires_at <= world.db.clock().now() + TimeDelta::minutes(1));

        // A token is let in for a few seconds after its end.
        let mut ended = Actor::clone(&rep);
        ended.expires_at = world.db.clock().now();
        let at_once = timeout(Duration::ZERO, access.changed(&ended)).await;
        assert!(at_once.is_err(), "it asks again at once");
        let notified = timeout(PROMISED + MARGIN, access.changed(&ended)).await;
        assert!(notified.is_ok(), "it has ended");
        drop(access);
        recording.finish().await;
    });
}

#[test]
fn refused_access_with_a_good_token_stands_in_the_log_of_the_tenant_that_was_claimed() {
    test(async |world| {
        let (access, recorder, recording) = access(world);
        let attempts: [(Side, Who, Side, &str); 2] = [
            (A, Who::Admin, B, "NOT_A_MEMBER"),
            (A, Who::Suspended, A, "NOT_A_MEMBER"),
        ];
        for (of, who, tenant, _) in attempts {
            let issued = world.tokens.issue(of.user(who), tenant.tenant()).unwrap();
            assert!(actor(&access, &issued.token).await.is_err(), "{who:?}");
        }
        let (session, device) = sign_in(world, Who::Rep).await;
        assert!(actor(&access, &device).await.is_ok());
        let elsewhere = world
            .tokens
            .issue_for(session, A.user(Who::Admin), A.tenant())
            .unwrap();
        assert!(
            actor(&access, &elsewhere.token).await.is_err(),
            "the session of another person"
        );
        recorder.flush().await;
        let mut inspector = world.database.superuser().await;
        let sql = "SELECT tenant_id, actor, changes::jsonb #>> '{reason,1}' FROM audit_log
                   WHERE action = 'access.refused' ORDER BY audit_id";
        let noted: Vec<(uuid::Uuid, String, String)> = sqlx::query_as(sql)
            .fetch_all(&mut inspector)
            .await
            .expect("the superuser reads it");
        let expected = attempts.map(|(of, who, tenant, reason)| {
            (
                tenant.tenant().uuid(),
                of.user(who).to_string(),
                reason.to_owned(),
            )
        });
        let mut expected = expected.to_vec();
        expected.push((
            A.tenant().uuid(),
            A.user(Who::Admin).to_string(),
            "SESSION_ENDED".to_owned(),
        ));
        let sorted = |mut noted: Vec<(uuid::Uuid, String, String)>| {
            noted.sort();
            noted
        };
        assert_eq!(sorted(noted), sorted(expected));
        drop((access, recorder));
        recording.finish().await;
    });
}
