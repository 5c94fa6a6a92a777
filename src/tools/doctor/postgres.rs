//! Whether Postgres is new enough, takes writes, keeps what it said it kept, and has connections for all servers.

use super::{Finding, Subject};
use crate::db::probe::{self, Cluster};

const CHECK: &str = "postgres";
/// The oldest version.
const OLDEST: i32 = 150_000;
/// Connections for `migrate`, which has two, and for an operator.
const SPARE: i64 = 5;

pub(super) async fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let Some(system) = &subject.system else {
        return Vec::new();
    };
    let cluster = match probe::cluster(system).await {
        Ok(cluster) => cluster,
        // The logins' own topic says why.
        Err(_) => return Vec::new(),
    };
    let mut findings = judge(&cluster);
    if !probe::pooler(system)
        .await
        .is_ok_and(|found| found.is_bouncer)
    {
        findings.push(connections(subject, &cluster));
    }
    findings
}

fn judge(cluster: &Cluster) -> Vec<Finding> {
    let mut findings = Vec::new();
    let version = &cluster.version;
    if cluster.version_number < OLDEST {
        let found = format!("it is PostgreSQL {version}");
        findings.push(Finding::error(
            CHECK,
            found,
            "15 is the oldest version that works",
        ));
    } else {
        findings.push(Finding::ok(CHECK, format!("it is PostgreSQL {version}")));
    }
    if cluster.standby {
        let advice = "let the addresses lead to the primary, for example by target_session_attrs at the proxy";
        findings.push(Finding::error(
            CHECK,
            "it is a standby, which takes no writes",
            advice,
        ));
    }
    if cluster.read_only && !cluster.standby {
        let advice = "take default_transaction_read_only back, where it was set";
        findings.push(Finding::error(CHECK, "its transactions only read", advice));
    }
    if !cluster.loose.is_empty() {
        findings.push(Finding::warning(
            CHECK,
            cluster.loose.join(", "),
            "what was answered as written can be lost in a crash; let these be on in production",
        ));
    }
    findings
}

fn connections(subject: &Subject<'_>, cluster: &Cluster) -> Finding {
    let set = &subject.config.database;
    let servers = i64::from(subject.asked.servers);
    let each = i64::from(set.pool_size) + i64::from(set.system_pool_size);
    let (wanted, there) = (servers * each + SPARE, i64::from(cluster.connections));
    let found = format!(
        "{servers} servers with {each} connections each want {wanted} with some to spare, of {there} that there are"
    );
    if wanted > there {
        let advice = "raise max_connections, lower DEALGRAPH_POOL_SIZE, or put a PgBouncer between; \
                      a rolling update has one more server for a while (--servers)";
        return Finding::error(CHECK, found, advice);
    }
    // Everybody beside us: the server of this configuration may be among those, so this is only a hint.
    let others = cluster.connected;
    if wanted + others > there + servers * each {
        let advice =
            format!("{others} are taken now, of all databases together: leave room for them");
        return Finding::warning(CHECK, found, advice);
    }
    Finding::ok(CHECK, found)
}
