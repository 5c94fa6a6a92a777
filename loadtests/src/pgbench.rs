//! Runs pgbench: the same statements without any server between, which is as fast as it can be on this machine.

use std::{process::Stdio, time::Duration};

use tokio::process::Command;

use crate::{
    Outcome, WARM_UP,
    cluster::{Cluster, DATABASE},
    script::Script,
};

/// Who connects, and to what.
pub(crate) struct Login {
    pub(crate) name: &'static str,
    pub(crate) database: &'static str,
}

/// How often each second what it asks of the cluster could be done, after a warm-up like the server's.
pub(crate) async fn run(
    cluster: &Cluster,
    script: &Script,
    clients: u16,
    length: Duration,
) -> Outcome<f64> {
    let login = Login {
        name: "dealgraph_app",
        database: DATABASE,
    };
    run_as(cluster, &login, script, clients, length).await
}

/// The same as another login, or in another database.
pub(crate) async fn run_as(
    cluster: &Cluster,
    login: &Login,
    script: &Script,
    clients: u16,
    length: Duration,
) -> Outcome<f64> {
    let file = cluster.logs().join("pgbench.sql");
    std::fs::write(&file, &script.text)?;
    let time = (WARM_UP + length).as_secs();
    let mut command = Command::new(cluster.program("pgbench")?);
    command
        .args([
            "--no-vacuum",
            "--protocol=prepared",
            "--jobs=2",
            "--progress=1",
        ])
        .arg(format!("--client={clients}"))
        .arg(format!("--time={time}"))
        .arg("--file")
        .arg(&file);
    for (name, value) in &script.variables {
        command.arg("-D").arg(format!("{name}={value}"));
    }
    command
        .arg(cluster.url_of(login.name, login.database))
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let done = command.output().await?;
    let progress = String::from_utf8_lossy(&done.stderr);
    let seconds = per_second(&progress);
    if !done.status.success() || seconds.is_empty() {
        return Err(format!("pgbench ended with {}: {progress}", done.status).into());
    }
    Ok(seconds.iter().sum::<f64>() / seconds.len() as f64)
}

/// The figures of its progress, one per second, without the first: each run opens its connections and prepares its
/// statements anew, which the server did long ago.
fn per_second(progress: &str) -> Vec<f64> {
    let lines = progress
        .lines()
        .filter_map(|line| line.strip_prefix("progress: ")?.split_once(" s, "));
    let figures = lines.filter_map(|(_, figures)| figures.split_once(" tps")?.0.parse().ok());
    figures.skip(1).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_second_does_not_count() {
        let progress = "pgbench (15.1)\n\
            progress: 1.0 s, 100.0 tps, lat 1.0 ms stddev 0.1, 0 failed\n\
            progress: 2.0 s, 2000.5 tps, lat 1.0 ms stddev 0.1, 0 failed\n";
        assert_eq!(per_second(progress), [2000.5]);
    }
}
