//! How an actor becomes settings of a transaction: what is claimed, and that without claims, or with a login that needs
//! none, no row is reached.

use std::sync::Arc;

use dealgraph::{
    access::Actor,
    base::{clock::Clock, error::Result, ids::Typed as _},
    db::{
        self, Db, Logins, PoolOptions, ReadTx, Sql, StartupError,
        journal::{Hints, Origin},
    },
};
use sqlx::{AssertSqlSafe, PgConnection, Row as _, raw_sql};

use crate::harness::{A, B, Database, GLOBAL_TABLES, TENANT_TABLES, Who, test};

/// A claim: the setting and its value.
type Claim = (&'static str, String);

const SETTINGS: [&str; 23] = [
    "app.tenant_id",
    "app.user_id",
    "app.permissions",
    "app.sees",
    "app.sees_companies",
    "app.sees_contacts",
    "app.sees_leads",
    "app.sees_opportunities",
    "app.sees_activities",
    "app.edits",
    "app.edits_companies",
    "app.edits_contacts",
    "app.edits_leads",
    "app.edits_opportunities",
    "app.edits_activities",
    "app.deletes",
    "app.deletes_companies",
    "app.deletes_contacts",
    "app.deletes_leads",
    "app.deletes_opportunities",
    "app.deletes_activities",
    "app.author",
    "app.masks",
];

/// What a unit of work claims for an actor, read from inside of it: a write claims which rows may be changed, a read which
/// values are masked.
pub(crate) async fn claims(db: &Db, actor: Arc<Actor>) -> Vec<Claim> {
    let origin = Origin::process("claims".to_owned());
    let (written, kept) = SETTINGS.split_at(SETTINGS.len() - 1);
    let in_write = db.write(&actor, &origin, async |tx| settings(tx, written).await);
    let mut claims = in_write.await.expect("settings can be read");
    let session = db.read_session(actor);
    let kept = session.run(async |tx| settings(tx, kept).await).await;
    claims.extend(kept.expect("settings can be read"));
    claims
}

async fn settings(tx: &mut ReadTx, names: &[&'static str]) -> Result<Vec<Claim>> {
    let mut claims = Vec::new();
    for &name in names {
        let sql = Sql::new("SELECT coalesce(current_setting(")
            .bind(name)
            .push(", true), '')");
        let values = tx.column::<String>(sql).await?;
        claims.extend(values.into_iter().map(|value| (name, value)));
    }
    Ok(claims)
}

/// Makes the claims in the transaction of a connection.
pub(crate) async fn claim(connection: &mut PgConnection, claims: &[Claim]) {
    for (name, value) in claims {
        sqlx::query("SELECT set_config($1, $2, true)")
            .bind(name)
            .bind(value)
            .execute(&mut *connection)
            .await
            .unwrap();
    }
}

#[test]
fn without_claims_there_are_no_rows_whether_the_settings_were_used_before_or_never() {
    test(async |world| {
        let mut fresh = world.database.connect("dealgraph_app").await;
        let mut used = world.database.connect("dealgraph_app").await;
        raw_sql("BEGIN").execute(&mut used).await.unwrap();
        claim(&mut used, &claims(&world.db, A.actor(Who::Admin)).await).await;
        assert_eq!(
            count(&mut used, "companies").await,
            4,
            "with claims there are rows"
        );
        raw_sql("COMMIT").execute(&mut used).await.unwrap();

        // The app's login reads nothing at all of these.
        let unread = ["business_figure_positions", "events"];
        for table in TENANT_TABLES
            .into_iter()
            .filter(|table| !unread.contains(table))
        {
            assert_eq!(count(&mut fresh, table).await, 0, "{table}, never used");
            assert_eq!(count(&mut used, table).await, 0, "{table}, used before");
        }
        let update = raw_sql("UPDATE companies SET name = 'x'")
            .execute(&mut fresh)
            .await
            .unwrap();
        let delete = raw_sql("DELETE FROM companies")
            .execute(&mut used)
            .await
            .unwrap();
        assert_eq!((update.rows_affected(), delete.rows_affected()), (0, 0));
    });
}

#[test]
fn a_claim_without_its_permission_opens_nothing() {
    test(async |world| {
        let mut connection = world.database.connect("dealgraph_app").await;
        raw_sql("BEGIN").execute(&mut connection).await.unwrap();
        let mut claims = claims(&world.db, A.actor(Who::Admin)).await;
        claims.retain(|(name, _)| *name != "app.permissions");
        // Part of a permission's name is not the permission.
        claims.push((
            "app.permissions",
            ",companies:rea,ompanies:read,companies:readx,".to_owned(),
        ));
        claim(&mut connection, &claims).await;
        assert_eq!(count(&mut connection, "companies").await, 0);
        assert_eq!(
            count(&mut connection, "tenants").await,
            1,
            "the tenant itself needs no permission"
        );
    });
}

#[test]
fn what_a_session_sees_is_its_actors_and_read_only() {
    test(async |world| {
        for (side, other) in [(A, B), (B, A)] {
            let session = world.db.read_session(side.actor(Who::Admin));
            let rows = session.run(async |tx| {
                let mine = Sql::new("SELECT company_id FROM companies WHERE tenant_id = ")
                    .bind(side.tenant());
                let theirs = Sql::new("SELECT company_id FROM companies WHERE tenant_id = ")
                    .bind(other.tenant());
                Ok((tx.rows(mine).await?, tx.rows(theirs).await?))
            });
            let (mine, theirs) = rows.await.unwrap();
            assert_eq!((mine.len(), theirs.len()), (4, 0));
            assert!(
                mine.iter()
                    .all(|row| row.get::<uuid::Uuid, _>(0).to_string().contains("-7000-"))
            );

            let written = session.run(async |tx| {
                tx.execute(
                    Sql::new("UPDATE companies SET name = 'x' WHERE tenant_id = ")
                        .bind(side.tenant()),
                )
                .await
            });
            assert!(
                written.await.is_err(),
                "a query can't write, also not by mistake"
            );
        }
    });
}

#[test]
fn a_foreign_key_cannot_name_a_row_of_another_tenant() {
    test(async |world| {
        // As the superuser: checks of foreign keys bypass the policies, so the keys themselves have to hold.
        let mut inspector = world.database.superuser().await;
        let keys: Vec<(String, String, String, Vec<String>, Vec<String>)> = sqlx::query_as(
            "SELECT k.conname::text, k.conrelid::regclass::text, k.confrelid::regclass::text,
                    ARRAY(SELECT a.attname::text FROM unnest(k.conkey) WITH ORDINALITY u (n, i)
                          JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.n ORDER BY i),
                    ARRAY(SELECT a.attname::text FROM unnest(k.confkey) WITH ORDINALITY u (n, i)
                          JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.n ORDER BY i)
             FROM pg_constraint k
             WHERE k.contype = 'f' AND k.connamespace = 'public'::regnamespace
               AND k.confrelid NOT IN ('tenants'::regclass, 'users'::regclass)",
        )
        .fetch_all(&mut inspector)
        .await
        .unwrap();
        assert!(keys.len() > 20, "the keys are found");
        // A member who is leaving, an invitation and a key with a role of the tenant's: rows that refer to something.
        let (tenant, role, team) = (A.uuid("tenant", 1), A.uuid("role", 1), A.uuid("team", 1));
        let (leaver, successor) = (A.user(Who::Suspended).uuid(), A.user(Who::Admin).uuid());
        let arrangement = format!(
            "UPDATE memberships SET status = 'LEAVING', successor_id = '{successor}' WHERE tenant_id = '{tenant}' AND user_id = '{leaver}';
             UPDATE invitations SET role = 'CUSTOM', role_id = '{role}', team_id = '{team}' WHERE tenant_id = '{tenant}';
             UPDATE api_keys SET role = 'CUSTOM', role_id = '{role}', team_id = '{team}', team_path = '0123456789ab.' WHERE tenant_id = '{tenant}'"
        );
        raw_sql(AssertSqlSafe(arrangement))
            .execute(&mut inspector)
            .await
            .unwrap();
        let of_tenants = keys
            .into_iter()
            .filter(|(_, table, ..)| !GLOBAL_TABLES.contains(&table.as_str()));
        for (key, table, target, columns, referenced) in of_tenants {
            assert_eq!(
                (columns[0].as_str(), referenced[0].as_str()),
                ("tenant_id", "tenant_id"),
                "{key}"
            );
            let (columns, referenced) = (columns[1..].join(", "), referenced[1..].join(", "));
            let (ours, theirs) = (A.uuid("tenant", 1), B.uuid("tenant", 1));
            // A row that refers to something already, so that no check of the row speaks before the key.
            let sql = format!(
                "BEGIN; UPDATE {table} SET ({columns}) = (SELECT {referenced} FROM {target} WHERE tenant_id = '{theirs}' \
                 EXCEPT SELECT {referenced} FROM {target} WHERE tenant_id = '{ours}' LIMIT 1) \
                 WHERE ctid = (SELECT ctid FROM {table} WHERE tenant_id = '{ours}' ORDER BY ({columns}) IS NULL LIMIT 1); COMMIT"
            );
            let refused = raw_sql(AssertSqlSafe(sql))
                .execute(&mut inspector)
                .await
                .unwrap_err();
            let error = refused.as_database_error().unwrap();
            assert_eq!(error.code().as_deref(), Some("23503"), "{key}: {refused}");
            raw_sql("ROLLBACK").execute(&mut inspector).await.unwrap();
        }
    });
}

#[test]
fn the_server_refuses_to_start_with_a_login_that_could_go_round_the_policies() {
    test(async |world| {
        let mut superuser = world.database.superuser().await;
        let roles =
            "CREATE ROLE bypassing LOGIN BYPASSRLS; GRANT USAGE ON SCHEMA public TO bypassing;
                     CREATE ROLE inheriting LOGIN; GRANT dealgraph_owner TO inheriting";
        raw_sql(roles).execute(&mut superuser).await.unwrap();
        let why = async |database: &Database, app: &str, system: &str| {
            let logins = Logins {
                app: database.options(app).await,
                system: database.options(system).await,
            };
            let db = Db::open(
                logins,
                &PoolOptions::default(),
                Clock::system(),
                Hints::default(),
            );
            let checked = db::check(&db).await;
            db.close().await;
            match checked {
                Ok(()) => "starts".to_owned(),
                Err(StartupError::Bypass { login, why }) => format!("{login}: {why}"),
                Err(other) => other.to_string(),
            }
        };
        let (app, system) = ("dealgraph_app", "dealgraph_system");
        assert_eq!(why(&world.database, app, system).await, "starts");
        assert_eq!(
            why(&world.database, "postgres", system).await,
            "postgres: superuser"
        );
        assert_eq!(
            why(&world.database, app, "postgres").await,
            "postgres: superuser"
        );
        assert_eq!(
            why(&world.database, "dealgraph_owner", system).await,
            "dealgraph_owner: owner of tables"
        );
        assert_eq!(
            why(&world.database, app, "inheriting").await,
            "inheriting: owner of tables"
        );
        assert_eq!(
            why(&world.database, "bypassing", system).await,
            "bypassing: BYPASSRLS"
        );
    });
}

async fn count(connection: &mut PgConnection, table: &str) -> i64 {
    let sql = format!("SELECT count(*) FROM {table}");
    sqlx::query_scalar(AssertSqlSafe(sql))
        .fetch_one(connection)
        .await
        .unwrap_or_else(|error| panic!("{table}: {error}"))
}
