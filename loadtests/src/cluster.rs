//! The private cluster: Postgres and Redis as `dealgraph dev` runs them, kept in a folder of its own.

use std::path::{Path, PathBuf};

use chrono::TimeDelta;
use dealgraph::{
    auth::{Keys, Tokens},
    clock::Clock,
    db::migrate::{self, OWNER},
    dev::{
        DevError,
        datadir::{Contents, DataDir},
        postgres::{Postgres, PostgresOptions},
        redis::Redis,
    },
    ids::{TenantId, Typed as _, UserId},
};
use sqlx::{Connection as _, PgConnection};
use uuid::Uuid;

use crate::{Options, Outcome, say};

/// The database in the cluster.
pub(crate) const DATABASE: &str = "dealgraph";
/// All of the data fits, so that what is measured is not the disk.
const SHARED_BUFFERS: &str = "1GB";
const TOKENS_LAST: TimeDelta = TimeDelta::hours(12);

/// A running cluster at this version, and the keys that its server trusts.
pub(crate) struct Cluster {
    data: DataDir,
    postgres: Postgres,
    redis: Redis,
    tokens: Tokens,
}

impl Cluster {
    pub(crate) async fn start(options: &Options) -> Outcome<Self> {
        let folder = match &options.data_dir {
            Some(folder) => folder.clone(),
            None => beside_the_build()?,
        };
        let contents = if options.fresh {
            Contents::Fresh
        } else {
            Contents::Keep
        };
        let data = DataDir::open(&folder, contents, &say).await?;
        let postgres_options = PostgresOptions {
            bin_dir: options.pg_bin.clone(),
            shared_buffers: SHARED_BUFFERS.to_owned(),
            ..PostgresOptions::default()
        };
        let postgres = Postgres::start(&data, &postgres_options, &say).await?;
        let redis = Redis::start(&data, &say).await?;
        let tokens = tokens(&data)?;
        Ok(Self {
            data,
            postgres,
            redis,
            tokens,
        })
    }

    /// Brings the database to this version, making it if there is none.
    pub(crate) async fn migrate(&self) -> Outcome<()> {
        migrate::prepare_cluster(
            &self.postgres.connect_options("postgres", "postgres"),
            DATABASE,
        )
        .await?;
        let done = migrate::run(&self.postgres.connect_options(OWNER, DATABASE)).await;
        done.map_err(|error| format!("{error}; --fresh makes the cluster anew"))?;
        Ok(())
    }

    /// Connects to a database as somebody whom no policy stops: for making data and for judging answers.
    pub(crate) async fn superuser_of(&self, database: &str) -> Outcome<PgConnection> {
        Ok(
            PgConnection::connect_with(&self.postgres.connect_options("postgres", database))
                .await?,
        )
    }

    pub(crate) async fn superuser(&self) -> Outcome<PgConnection> {
        self.superuser_of(DATABASE).await
    }

    /// An access token for a person in a tenant.
    pub(crate) fn token(&self, user: Uuid, tenant: Uuid) -> Outcome<String> {
        Ok(self
            .tokens
            .issue(UserId::from_uuid(user), TenantId::from_uuid(tenant))?
            .token)
    }

    /// The folder of the keys that the server checks tokens with.
    pub(crate) fn keys(&self) -> PathBuf {
        keys_in(&self.data)
    }

    /// The address of the database for pgbench.
    pub(crate) fn url(&self, login: &str) -> String {
        self.postgres.url(login, DATABASE)
    }

    /// The same for the server, whose URLs can't have a login without a host.
    pub(crate) fn server_url(&self, login: &str) -> String {
        let url = self.url(login);
        let place = url.split_once('?').map_or("", |(_, place)| place);
        format!("postgresql:///{DATABASE}?{place}&user={login}")
    }

    pub(crate) fn redis_url(&self) -> String {
        self.redis.url()
    }

    pub(crate) fn logs(&self) -> PathBuf {
        self.data.logs()
    }

    pub(crate) fn postgres_version(&self) -> &str {
        self.postgres.version()
    }

    pub(crate) fn postgres_pid(&self) -> u32 {
        self.postgres.pid()
    }

    /// A program that came with the very Postgres that runs.
    pub(crate) fn program(&self, name: &str) -> Outcome<PathBuf> {
        let server = std::fs::read_link(format!("/proc/{}/exe", self.postgres.pid()))?;
        let program = server.with_file_name(name);
        if program.exists() {
            return Ok(program);
        }
        Err(format!(
            "{} is missing: it belongs to PostgreSQL's server packages",
            program.display()
        )
        .into())
    }

    pub(crate) async fn wait_died(&self) -> DevError {
        tokio::select! {
            died = self.postgres.wait_died() => died,
            died = self.redis.wait_died() => died,
        }
    }

    pub(crate) async fn stop(self) {
        self.redis.stop().await;
        self.postgres.stop().await;
    }
}

/// `target/loadtests`, for an executable at `target/release/dealgraph-loadtests`.
fn beside_the_build() -> Outcome<PathBuf> {
    let executable = std::env::current_exe()?;
    let target = executable.ancestors().nth(2).unwrap_or(Path::new("."));
    Ok(target.join("loadtests"))
}

fn keys_in(data: &DataDir) -> PathBuf {
    data.state().join("keys")
}

fn tokens(data: &DataDir) -> Outcome<Tokens> {
    let folder = keys_in(data);
    Keys::ensure_in(&folder)?;
    let names = ("dealgraph".to_owned(), "dealgraph".to_owned());
    Ok(Tokens::new(
        Keys::from_folder(&folder, None)?,
        names,
        TOKENS_LAST,
        Clock::system(),
    )?)
}
