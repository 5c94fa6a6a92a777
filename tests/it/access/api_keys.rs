//! Programs come in with a key of a tenant: with its rights, for its time, and into no other tenant.

use dealgraph::{
    access::Subject,
    base::ids::{ApiKeyId, Typed as _},
    db::Sql,
    organization::auth::{AccessChange, ApiKeySecret},
};
use serde_json::json;
use sqlx::{AssertSqlSafe, raw_sql};

use super::{Pair, access, actor, change};
use crate::harness::{A, B, Who, World, test};

/// Makes the key of tenant A's row good for something, with more columns set by `more`.
pub(super) async fn put(world: &World, key: &ApiKeySecret, more: &str) {
    let hash: String = key
        .hash()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let sql = format!(
        "UPDATE api_keys SET secret_hash = '\\x{hash}' {more} WHERE tenant_id = '{}' AND api_key_id = '{}'",
        key.tenant.uuid(),
        key.id.uuid()
    );
    let mut superuser = world.database.superuser().await;
    let done = raw_sql(AssertSqlSafe(sql)).execute(&mut superuser).await;
    assert_eq!(done.expect("the superuser may").rows_affected(), 1);
}

#[test]
fn a_key_has_the_rights_of_its_role_narrowed_to_its_permissions() {
    test(async |world| {
        let (access, _, recording) = access(world);
        let id: ApiKeyId = A.id(1);
        let key = ApiKeySecret::generate(A.tenant(), id);
        let narrow =
            ", role = 'ADMIN', permissions = ARRAY['companies:read:all', 'leads:read:own']";
        put(world, &key, narrow).await;
        let found = actor(&access, key.expose()).await.expect("a key");
        assert_eq!(found.subject, Subject::Key(id));
        assert_eq!(found.rights.permissions(), ["companies:read", "leads:read"]);
        let author = found.author.to_string();
        assert_eq!(author, id.to_string());

        let program = world.stranger(Some(key.expose().to_owned()));
        let companies = program.query("{ companies { totalCount } }").await;
        assert_eq!(companies["companies"]["totalCount"], 4);
        let create = "mutation { companyCreate(input: { name: \"X\" }) { userErrors { code } } }";
        let refused = program.send(create, json!({})).await;
        assert_eq!(refused.user_error("companyCreate").0, "FORBIDDEN");
        drop(access);
        recording.finish().await;
    });
}

#[test]
fn only_the_very_key_opens_and_only_its_own_tenant() {
    test(async |world| {
        let (access, _, recording) = access(world);
        let key = ApiKeySecret::generate(A.tenant(), A.id(1));
        put(world, &key, "").await;
        actor(&access, key.expose()).await.expect("a key");
        // The same row with another secret, the same id in another tenant, and what is no key at all.
        let other = ApiKeySecret::generate(A.tenant(), A.id(1));
        let elsewhere = ApiKeySecret::generate(B.tenant(), A.id(1));
        let unknown = ApiKeySecret::generate(A.tenant(), ApiKeyId::new());
        let mut changed = key.expose().to_owned();
        changed.pop();
        for bad in [
            other.expose(),
            elsewhere.expose(),
            unknown.expose(),
            &changed,
            "dgk_",
            &format!("{}A", key.expose()),
        ] {
            assert!(actor(&access, bad).await.is_err(), "{bad}");
        }
        actor(&access, key.expose())
            .await
            .expect("it is still good");
        drop(access);
        recording.finish().await;
    });
}

#[test]
fn a_key_ends_when_it_is_revoked_and_when_its_time_is_up() {
    test(async |world| {
        let pair = Pair::start(world).await;
        let key = ApiKeySecret::generate(A.tenant(), A.id(1));
        put(world, &key, ", expires_at = now() + interval '1 hour'").await;
        let is_in = |status, _: &_| status == 200;
        let is_out = |status, _: &_| status == 401;
        pair.until("a key", key.expose(), is_in).await;
        let sql = Sql::new("UPDATE api_keys k SET revoked_at = now() WHERE k.tenant_id = ")
            .bind(A.tenant())
            .push(" AND k.api_key_id = ")
            .bind(key.id);
        let changed = AccessChange::Key(A.tenant(), key.id);
        change(world, changed, sql).await.unwrap();
        pair.until("a revoked key", key.expose(), is_out).await;
        pair.stop().await;

        let (access, recorder, recording) = access(world);
        put(
            world,
            &key,
            ", revoked_at = NULL, expires_at = now() + interval '700 milliseconds'",
        )
        .await;
        let first = actor(&access, key.expose()).await;
        assert!(first.is_ok(), "its time is not up yet");
        let began = std::time::Instant::now();
        while actor(&access, key.expose()).await.is_ok() {
            assert!(began.elapsed() < super::PROMISED, "its time is up");
        }
        recorder.flush().await;
        let mut inspector = world.database.superuser().await;
        let noted: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM audit_log WHERE action = 'access.refused' AND actor = $1",
        )
        .bind(key.id.to_string())
        .fetch_one(&mut inspector)
        .await
        .expect("the superuser reads it");
        assert!(noted >= 1, "the refusal is noted");
        drop((access, recorder));
        recording.finish().await;
    });
}

#[test]
fn a_key_of_a_suspended_tenant_reads_only() {
    test(async |world| {
        let (access, _, recording) = access(world);
        let key = ApiKeySecret::generate(A.tenant(), A.id(1));
        put(world, &key, ", role = 'ADMIN'").await;
        let mut superuser = world.database.superuser().await;
        raw_sql(AssertSqlSafe(format!(
            "UPDATE tenants SET status = 'SUSPENDED' WHERE tenant_id = '{}'",
            A.tenant().uuid()
        )))
        .execute(&mut superuser)
        .await
        .expect("the superuser may");
        let found = actor(&access, key.expose()).await.expect("a key");
        assert!(found.may("companies:read") && !found.may("companies:write"));
        let person = super::token(world, Who::Admin);
        assert!(
            !actor(&access, &person)
                .await
                .expect("a member")
                .may("admin")
        );
        drop(access);
        recording.finish().await;
    });
}

#[test]
fn an_address_that_guesses_at_keys_is_slowed_down_and_nobody_else() {
    test(async |world| {
        let good = ApiKeySecret::generate(A.tenant(), A.id(1));
        put(world, &good, "").await;
        let ask = async |key: &str, from: &str| {
            let client = world.stranger(Some(key.to_owned()));
            let body = json!({ "query": "{ viewer { id } }" });
            let request = client.post().header("x-forwarded-for", from).json(&body);
            client.send_request(request, &body.to_string()).await
        };
        assert_eq!(ask(good.expose(), "192.0.2.66").await.status, 200);
        // Keys of a key's own form, and what only begins like one.
        let guess = |n: u32| match n % 2 {
            0 => ApiKeySecret::generate(A.tenant(), ApiKeyId::new())
                .expose()
                .to_owned(),
            _ => format!("dgk_{n}"),
        };
        let mut refused = None;
        for n in 0..400 {
            let answer = ask(&guess(n), "192.0.2.66").await;
            if answer.code() == "TOO_MANY_ATTEMPTS" {
                refused = Some((n, answer));
                break;
            }
            assert_eq!((answer.status, answer.code()), (401, "UNAUTHENTICATED"));
        }
        let (tried, answer) = refused.expect("it is slowed down");
        assert!(tried >= 100, "{tried}");
        assert_eq!(answer.status, 429);
        assert_eq!(answer.headers["retry-after"], "1");
        assert_eq!(
            ask(good.expose(), "192.0.2.66").await.status,
            200,
            "a key that was good is"
        );
        assert_eq!(ask(&guess(0), "192.0.2.67").await.code(), "UNAUTHENTICATED");
    });
}
