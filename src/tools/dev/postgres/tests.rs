//! A real cluster, through its life: made, used, stopped, found again, killed.

use std::path::PathBuf;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use sqlx::{ConnectOptions, Connection};

use super::super::datadir::{Contents, DataDir};
use super::super::error::DevError;
use super::{Endpoint, Postgres, PostgresOptions};

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("dealgraph-{name}-{}", std::process::id()));
        Self(path)
    }

    async fn open(&self, contents: Contents) -> Result<DataDir, DevError> {
        DataDir::open(&self.0, contents, &|_| {}).await
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

async fn start(data: &DataDir) -> Postgres {
    let options = PostgresOptions {
        durable: false,
        max_connections: 10,
        shared_buffers: "16MB".to_owned(),
        ..PostgresOptions::default()
    };
    Postgres::start(data, &options, &|_| {}).await.unwrap()
}

async fn execute(options: sqlx::postgres::PgConnectOptions, statement: &'static str) {
    let mut session = options.connect().await.unwrap();
    sqlx::query(statement).execute(&mut session).await.unwrap();
    session.close().await.unwrap();
}

#[tokio::test]
async fn data_outlives_a_stop_and_the_lock_keeps_others_out() {
    let folder = Folder::new("cluster");
    let data = folder.open(Contents::Keep).await.unwrap();
    let first = start(&data).await;
    let options = first.connect_options("postgres", "postgres");
    execute(options, "CREATE TABLE kept (id int)").await;

    let refusal = folder.open(Contents::Fresh).await.unwrap_err();
    assert!(matches!(refusal, DevError::InUse { .. }), "{refusal}");

    first.stop().await;
    let second = start(&data).await;
    let beside = Endpoint::of(&folder.0).unwrap();
    execute(
        beside.connect_options("postgres", "postgres"),
        "INSERT INTO kept VALUES (1)",
    )
    .await;
    second.stop().await;
}

#[tokio::test]
async fn a_server_that_dies_is_told_and_its_place_can_be_taken_again() {
    let folder = Folder::new("killed");
    let data = folder.open(Contents::Keep).await.unwrap();
    let server = start(&data).await;

    let pid = Pid::from_raw(i32::try_from(server.pid()).unwrap());
    kill(pid, Signal::SIGKILL).unwrap();
    let death = tokio::time::timeout(Duration::from_secs(20), server.wait_died())
        .await
        .unwrap()
        .to_string();
    assert!(death.contains("SIGKILL"), "{death}");
    server.stop().await;

    drop(data);
    let data = folder.open(Contents::Fresh).await.unwrap();
    start(&data).await.stop().await;
}
