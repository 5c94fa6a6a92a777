//! When a member or key was last active is written seldom, whatever they do.

use chrono::{DateTime, Utc};
use dealgraph::{base::ids::SessionId, organization::auth::ApiKeySecret};

use super::{access, actor, token};
use crate::harness::{A, B, Who, test};

#[test]
fn a_thousand_requests_of_three_people_are_one_statement_per_tenant_a_minute() {
    test(async |world| {
        let (access, _, recording) = access(world);
        let both = world.tokens.issue(A.user(Who::Both), B.tenant()).unwrap();
        let people = [token(world, Who::Rep), token(world, Who::Admin), both.token];
        let ask = async {
            for n in 0..1_000 {
                actor(&access, &people[n % people.len()])
                    .await
                    .expect("a member");
            }
        };
        let ((), statements) = world.statements.during(ask).await;
        let writes = |statements: &[String]| {
            let written = statements.iter().filter(|sql| sql.starts_with("UPDATE"));
            written.count()
        };
        assert_eq!(writes(&statements), 0, "nothing is written on the way");
        let ((), statements) = world.statements.during(access.write_uses()).await;
        assert_eq!(writes(&statements), 2, "{statements:#?}");
        let ((), statements) = world.statements.during(access.write_uses()).await;
        assert_eq!(writes(&statements), 0, "nothing is new");

        let mut inspector = world.database.superuser().await;
        let seen: Vec<(uuid::Uuid, Option<DateTime<Utc>>, i32)> = sqlx::query_as(
            "SELECT user_id, last_seen_at, version FROM memberships WHERE last_seen_at IS NOT NULL",
        )
        .fetch_all(&mut inspector)
        .await
        .expect("the superuser reads it");
        assert_eq!(seen.len(), 3);
        assert!(
            seen.iter().all(|(_, _, version)| *version == 1),
            "no edit is in conflict with it"
        );
        let age = world.db.clock().now() - seen[0].1.expect("seen");
        assert!(age.num_seconds() < 60, "{age}");
        drop(access);
        recording.finish().await;
    });
}

#[test]
fn keys_and_devices_are_noted_too_and_with_the_address() {
    test(async |world| {
        let (access, _, recording) = access(world);
        let key = ApiKeySecret::generate(A.tenant(), A.id(1));
        super::api_keys::put(world, &key, "").await;
        let session = SessionId::new();
        let mut superuser = world.database.superuser().await;
        sqlx::query(
            "INSERT INTO sessions (session_id, user_id, tenant_id, created_at, last_used_at, expires_at)
             VALUES ($1, $2, $3, '2026-01-01', '2026-01-01', '2100-01-01')",
        )
        .bind(session)
        .bind(A.user(Who::Rep))
        .bind(A.tenant())
        .execute(&mut superuser)
        .await
        .expect("the superuser may");
        let device = world
            .tokens
            .issue_for(session, A.user(Who::Rep), A.tenant())
            .unwrap();
        let origin = dealgraph::db::journal::Origin {
            address: Some("192.0.2.7".parse().unwrap()),
            ..dealgraph::db::journal::Origin::process("test")
        };
        for bearer in [key.expose(), &device.token] {
            access.actor(bearer, &origin).await.expect("both are good");
        }
        access.write_uses().await;
        let used: (bool, Option<String>, bool) = sqlx::query_as(
            "SELECT k.last_used_at > now() - interval '1 minute', k.last_used_from,
                    (SELECT last_used_at > now() - interval '1 minute' FROM sessions WHERE session_id = $1)
             FROM api_keys k WHERE k.tenant_id = $2",
        )
        .bind(session)
        .bind(A.tenant())
        .fetch_one(&mut superuser)
        .await
        .expect("the superuser reads it");
        assert_eq!(used, (true, Some("192.0.2.7".to_owned()), true));
        drop(access);
        recording.finish().await;
    });
}
