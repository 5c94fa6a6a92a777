//! What the numbering of events costs: each tenant's numbers come from one row, whose lock a writer holds from its last
//! statement to its commit. A thousand tenants should not feel that; one alone is bounded by it.

use std::time::Duration;

use sqlx::Executor as _;

use super::table::{Row, Table};
use crate::{
    Outcome,
    cluster::Cluster,
    pgbench::{self, Login},
    report,
    script::Script,
};

const ROUNDS: usize = 3;
const TENANTS: u32 = 1_000;
/// A database of its own, with nothing in it but these tenants.
const DATABASE: &str = "counter";

/// The deal of each tenant stands for what a transaction writes beside its event.
const PREPARE: &str = "
    INSERT INTO tenants (tenant_id, slug, name, base_currency, created_at, updated_at)
    SELECT lpad(n::text, 32, '0')::uuid, 'tenant-' || n, 'Tenant ' || n, 'EUR', now(), now() FROM generate_series(1, 1000) n;
    INSERT INTO tenant_seq (tenant_id, epoch) SELECT tenant_id, gen_random_uuid() FROM tenants;
    CREATE TABLE written (tenant_id uuid NOT NULL, client integer NOT NULL, times bigint NOT NULL, PRIMARY KEY (tenant_id, client));
    INSERT INTO written SELECT tenant_id, client, 0 FROM tenants, generate_series(0, 47) client;
    ANALYZE tenant_seq, written;";

const HEAD: &str = "SELECT lpad(:tenant::text, 32, '0')::uuid AS t \\gset
BEGIN;
UPDATE written SET times = times + 1 WHERE tenant_id = :t::uuid AND client = :client_id;
";
const NUMBERED: &str = "UPDATE tenant_seq SET last_seq = last_seq + 1 WHERE tenant_id = :t::uuid RETURNING last_seq AS seq \\gset\n";
/// The same number of writes and trips without a row that others wait for.
const FREE: &str = "UPDATE written SET times = times + 1 WHERE tenant_id = :t::uuid AND client = :client_id RETURNING \
    times * 64 + :client_id AS seq \\gset\n";
const EVENT: &str = "INSERT INTO events (tenant_id, seq, kind, entity, entity_id, version, actor, request_id, occurred_at) \
    VALUES (:t::uuid, :seq, 'UPDATED', 'opportunity', :t::uuid, 1, 'system', 'bench', now());
COMMIT;
";

fn script(tenant: &str, numbering: &str) -> Script {
    Script {
        text: format!("\\set tenant {tenant}\n{HEAD}{numbering}{EVENT}"),
        ..Script::default()
    }
}

/// Writers of a thousand tenants with and without the counter, and of one tenant with it.
pub(super) async fn run(
    cluster: &Cluster,
    (clients, length): (u16, Duration),
    table: &mut Table,
) -> Outcome<()> {
    cluster.migrate_anew(DATABASE).await?;
    cluster
        .superuser_of(DATABASE)
        .await?
        .execute(PREPARE)
        .await?;
    let any = format!("random(1, {TENANTS})");
    let scripts = [
        script(&any, NUMBERED),
        script(&any, FREE),
        script("1", NUMBERED),
    ];
    let mut made: [Vec<f64>; 3] = Default::default();
    for _ in 0..ROUNDS {
        for (script, made) in scripts.iter().zip(&mut made) {
            // Numbers that were not counted would collide with those that are.
            let mut database = cluster.superuser_of(DATABASE).await?;
            database
                .execute("TRUNCATE events; UPDATE tenant_seq SET last_seq = 0")
                .await?;
            let login = Login {
                name: "postgres",
                database: DATABASE,
            };
            made.push(pgbench::run_as(cluster, &login, script, clients, length).await?);
        }
    }
    let [numbered, free, hot] = made.map(report::median);
    let cost = 100.0 * (1.0 - numbered / free);
    table.add(Row::new(
        "writes a second of 1,000 tenants by pgbench, with / without the counter; of one tenant with it",
        format!("{numbered:.0} / {free:.0}, {cost:.0} % less; {hot:.0}"),
    ));
    Ok(())
}
