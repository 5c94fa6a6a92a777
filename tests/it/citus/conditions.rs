//! What Citus asks of the schema: ours has it, and each rule finds what breaks it.

use dealgraph::db::migrate::distribute;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, raw_sql};

use crate::harness::Database;

/// What breaks a rule, and some words of the rule.
const BREACHES: [(&str, &str); 18] = [
    (
        "CREATE TABLE bad (tenant_id uuid NOT NULL, bad_id uuid, PRIMARY KEY (bad_id, tenant_id))",
        "does not begin with, and is not listed",
    ),
    (
        "CREATE TABLE bad (tenant_id uuid NOT NULL, x int)",
        "no primary key",
    ),
    (
        "CREATE TABLE bad (tenant_id text, x int, PRIMARY KEY (tenant_id, x))",
        "not a uuid",
    ),
    (
        "CREATE UNIQUE INDEX leads_bad_key ON leads (email_normalized)",
        "unique index",
    ),
    (
        "CREATE UNIQUE INDEX leads_bad_key ON leads (email_normalized, tenant_id)",
        "unique index",
    ),
    (
        "ALTER TABLE leads ADD CONSTRAINT leads_bad_key UNIQUE (lead_id)",
        "unique index",
    ),
    (
        "ALTER TABLE leads ADD CONSTRAINT leads_bad_x EXCLUDE USING btree (lead_id WITH =)",
        "exclusion",
    ),
    (
        "ALTER TABLE leads ADD COLUMN other uuid, \
         ADD CONSTRAINT leads_bad_fkey FOREIGN KEY (other, tenant_id) REFERENCES companies (tenant_id, company_id)",
        "same position",
    ),
    (
        "ALTER TABLE users ADD COLUMN tenant uuid, ADD COLUMN lead uuid, \
         ADD CONSTRAINT users_bad_fkey FOREIGN KEY (tenant, lead) REFERENCES leads (tenant_id, lead_id)",
        "leads from a table for all nodes",
    ),
    (
        "CREATE SCHEMA other; CREATE TABLE other.bad (user_id uuid REFERENCES users)",
        "to or from outside",
    ),
    (
        "ALTER TABLE leads ADD COLUMN bad uuid, \
         ADD CONSTRAINT leads_bad_fkey FOREIGN KEY (tenant_id, bad) REFERENCES companies ON DELETE SET NULL (bad)",
        "sets NULL",
    ),
    (
        "ALTER TABLE leads ADD COLUMN bad uuid, \
         ADD CONSTRAINT leads_bad_fkey FOREIGN KEY (tenant_id, bad) REFERENCES companies ON UPDATE CASCADE",
        "follows an update",
    ),
    (
        "CREATE TRIGGER bad BEFORE UPDATE ON events FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()",
        "trigger",
    ),
    (
        "CREATE RULE bad AS ON DELETE TO leads DO INSTEAD NOTHING",
        "rule",
    ),
    (
        "CREATE POLICY bad ON leads TO dealgraph_app USING (tenant_id = (SELECT app.tenant_id()))",
        "sub-query",
    ),
    (
        "ALTER TABLE leads ADD COLUMN number bigint GENERATED ALWAYS AS IDENTITY",
        "sequence",
    ),
    (
        "CREATE UNLOGGED TABLE bad (tenant_id uuid, x int, PRIMARY KEY (tenant_id, x))",
        "unlogged",
    ),
    (
        "CREATE TABLE bad (PRIMARY KEY (lead_id)) INHERITS (leads)",
        "inherits",
    ),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_schema_is_one_that_citus_takes() {
    let database = Database::migrated().await;
    let mut owner = database.connect("dealgraph_owner").await;
    assert_eq!(distribute::obstacles(&mut owner).await.unwrap(), []);
    owner.close().await.unwrap();
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_rule_finds_what_breaks_it() {
    let database = Database::migrated().await;
    let mut superuser = database.superuser().await;
    for (breach, words) in BREACHES {
        let mut tx = superuser.begin().await.unwrap();
        let done = tx.execute(raw_sql(AssertSqlSafe(breach))).await;
        done.unwrap_or_else(|error| panic!("{breach}: {error}"));
        let found = distribute::obstacles(&mut tx).await.unwrap();
        let said: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert!(
            said.iter().any(|said| said.contains(words)),
            "{breach}\n{said:?}"
        );
        tx.rollback().await.unwrap();
    }
    superuser.close().await.unwrap();
    database.drop().await;
}
