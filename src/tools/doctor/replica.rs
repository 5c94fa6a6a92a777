//! Whether the replica is one of this database, and reads there would be bound by the policies.

use super::{Finding, Subject};
use crate::db::probe::{self, Cluster, Login};

const CHECK: &str = "replica";
const VARIABLE: &str = "DEALGRAPH_REPLICA_DATABASE_URL";
/// The only login that servers read by.
const LOGIN: &str = "dealgraph_app";

pub(super) async fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let Some(replica) = &subject.replica else {
        return Vec::new();
    };
    let found = async { Ok((probe::login(replica).await?, probe::cluster(replica).await?)) };
    let found: Result<_, probe::ProbeError> = found.await;
    let (login, cluster) = match found {
        Ok(found) => found,
        Err(error) => {
            let found = format!("{VARIABLE} does not get in: {error}");
            let advice =
                "look at the address, the password and pg_hba.conf; until then the primary is read";
            return vec![Finding::warning(CHECK, found, advice)];
        }
    };
    let primary = match &subject.system {
        Some(system) => probe::cluster(system).await.ok(),
        None => None,
    };
    let wanted =
        i64::from(subject.asked.servers) * (i64::from(subject.config.database.pool_size) + 1);
    let mut findings = judge(&login, &cluster, primary.as_ref());
    if wanted > i64::from(cluster.connections) {
        let servers = subject.asked.servers;
        let found = format!(
            "{servers} servers want {wanted} connections of {} that there are",
            cluster.connections
        );
        let advice = "raise max_connections there, or lower DEALGRAPH_POOL_SIZE";
        findings.push(Finding::warning(CHECK, found, advice));
    }
    if findings.is_empty() {
        findings.push(Finding::ok(CHECK, "it is a standby of this database"));
    }
    findings
}

fn judge(login: &Login, cluster: &Cluster, primary: Option<&Cluster>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let name = &login.login;
    if name != LOGIN || login.superuser || login.bypass || login.owner {
        let found = format!("{VARIABLE} is the login {name}, which the policies may not bind");
        let advice = format!("use {LOGIN}: servers read from the replica by no other");
        findings.push(Finding::error(CHECK, found, advice));
    }
    if !cluster.standby {
        let advice = format!("let {VARIABLE} lead to a standby: this one is never read from");
        findings.push(Finding::error(CHECK, "it is no standby", advice));
    }
    if primary.is_some_and(|primary| primary.system != cluster.system) {
        let advice = "let it lead to a standby that was made of this primary by pg_basebackup";
        findings.push(Finding::error(CHECK, "it is of another database", advice));
    }
    if !login.encrypted && !login.local {
        findings.push(Finding::warning(
            CHECK,
            format!("{VARIABLE} is not encrypted"),
            "add sslmode=require, or better verify-full, to the address",
        ));
    }
    findings
}
