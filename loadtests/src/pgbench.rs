//! Runs pgbench: the same statements without any server between, which is as fast as it can be on this machine.

use std::{process::Stdio, time::Duration};

use tokio::process::Command;

use crate::{Outcome, cluster::Cluster, script::Script};

/// What a run came to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limit {
    pub(crate) per_second: f64,
}

pub(crate) async fn run(
    cluster: &Cluster,
    script: &Script,
    clients: u16,
    length: Duration,
) -> Outcome<Limit> {
    let file = cluster.logs().join("pgbench.sql");
    std::fs::write(&file, &script.text)?;
    let mut command = Command::new(cluster.program("pgbench")?);
    command.args(["--no-vacuum", "--protocol=prepared", "--jobs=1"]);
    command
        .arg(format!("--client={clients}"))
        .arg(format!("--time={}", length.as_secs()))
        .arg("--file")
        .arg(&file);
    for (name, value) in &script.variables {
        command.arg("-D").arg(format!("{name}={value}"));
    }
    command
        .arg(cluster.url("dealgraph_app"))
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let done = command.output().await?;
    let (said, complaints) = (
        String::from_utf8_lossy(&done.stdout),
        String::from_utf8_lossy(&done.stderr),
    );
    let failed = figure(&said, "number of failed transactions: ");
    if !done.status.success() || failed.is_some_and(|failed| failed > 0.0) {
        return Err(format!("pgbench ended with {}: {complaints}{said}", done.status).into());
    }
    let per_second =
        figure(&said, "tps = ").ok_or_else(|| format!("pgbench said no figures: {said}"))?;
    Ok(Limit { per_second })
}

/// The number after a label.
fn figure(said: &str, label: &str) -> Option<f64> {
    let (_, after) = said.split_once(label)?;
    after.split_whitespace().next()?.parse().ok()
}
