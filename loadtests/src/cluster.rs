//! The private cluster: Postgres and Redis as `dealgraph dev` runs them, kept in a folder of its own.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use dealgraph::{
    base::{
        clock::Clock,
        ids::{TenantId, Typed as _, UserId},
    },
    db::{
        Db, Logins, PoolOptions,
        journal::Hints,
        migrate::{self, OWNER},
    },
    organization::auth::Tokens,
    tools::dev::{
        self, DevError,
        datadir::{Contents, DataDir},
        pgbouncer::{PgBouncer, PgBouncerOptions},
        postgres::{Postgres, PostgresOptions},
        redis::Redis,
    },
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use sqlx::{
    AssertSqlSafe, Connection as _, Executor as _, PgConnection, postgres::PgConnectOptions,
};
use tokio::{
    process::Command,
    time::{Instant, sleep, timeout},
};
use uuid::Uuid;

use crate::{Options, Outcome, say};

/// The database in the cluster.
pub(crate) const DATABASE: &str = "dealgraph";
/// All of the data fits, so that what is measured is not the disk.
const SHARED_BUFFERS: &str = "1GB";

/// How long a PgBouncer keeps logins from a Postgres that is back, and some more.
const LOGIN_PATIENCE: Duration = Duration::from_secs(30);
/// How long one looks whether a process has ended.
const MOMENT: Duration = Duration::from_millis(5);

/// Connections to Postgres for each login at a PgBouncer: fewer than two servers have.
const BOUNCED: u32 = 12;

/// A running cluster.
pub(crate) struct Cluster {
    data: DataDir,
    postgres_options: PostgresOptions,
    postgres: Postgres,
    /// Between the servers and Postgres, if one is asked for.
    bouncer: Option<PgBouncer>,
    redis: Redis,
}

impl Cluster {
    pub(crate) async fn start(options: &Options) -> Outcome<Self> {
        let contents = if options.fresh {
            Contents::Fresh
        } else {
            Contents::Keep
        };
        Self::start_in(options.folder(), contents, SHARED_BUFFERS, options).await
    }

    /// Starts one that has nothing in it and keeps to itself, beside the one that is measured.
    pub(crate) async fn start_empty(folder: &str, options: &Options) -> Outcome<Self> {
        Self::start_in(folder, Contents::Fresh, "256MB", options).await
    }

    async fn start_in(
        folder: &str,
        contents: Contents,
        shared_buffers: &str,
        options: &Options,
    ) -> Outcome<Self> {
        let folder = match &options.data_dir {
            Some(folder) => folder.clone(),
            None => beside_the_build(folder)?,
        };
        let data = DataDir::open(&folder, contents, &say).await?;
        let postgres_options = PostgresOptions {
            bin_dir: options.pg_bin.clone(),
            shared_buffers: shared_buffers.to_owned(),
            ..PostgresOptions::default()
        };
        let postgres = Postgres::start(&data, &postgres_options, &say).await?;
        let bouncer = match &options.pgbouncer {
            None => None,
            Some(program) => {
                let options = PgBouncerOptions {
                    program: program.clone(),
                    servers: BOUNCED,
                    port: 6432,
                };
                Some(PgBouncer::start(&data, &options).await?)
            }
        };
        let redis = Redis::start(&data, &say).await?;
        Ok(Self {
            data,
            postgres_options,
            postgres,
            bouncer,
            redis,
        })
    }

    /// Stops Postgres by a signal (INT cuts its sessions, QUIT leaves the rest to recovery) and starts it anew.
    pub(crate) async fn restart_postgres(&mut self, signal: Signal) -> Outcome<()> {
        end(self.postgres.pid(), signal)?;
        _ = self.postgres.wait_died().await;
        self.postgres = Postgres::start(&self.data, &self.postgres_options, &|_| {}).await?;
        Ok(())
    }

    /// Starts Postgres if it has ended by itself, as it does when there is no room for its log.
    pub(crate) async fn revive_postgres(&mut self) -> Outcome<()> {
        let ended = timeout(MOMENT, self.postgres.wait_died()).await.is_ok();
        if ended {
            self.postgres = Postgres::start(&self.data, &self.postgres_options, &|_| {}).await?;
        }
        Ok(())
    }

    /// Waits until a server could connect: a PgBouncer that has found Postgres away tries again only after a while.
    pub(crate) async fn takes_servers(&self) -> Outcome<()> {
        if self.bouncer.is_none() {
            return Ok(());
        }
        let until = Instant::now() + LOGIN_PATIENCE;
        // It keeps account of each login by itself.
        for login in ["dealgraph_app", "dealgraph_system"] {
            let login: PgConnectOptions = self.server_url(login)?.parse()?;
            // As the product connects: a PgBouncer refuses the parameter.
            let login = login.extra_float_digits(None);
            let ask = async || {
                let mut connection = PgConnection::connect_with(&login).await?;
                connection.execute("SELECT 1").await
            };
            while let Err(error) = ask().await {
                if Instant::now() > until {
                    return Err(error.into());
                }
                sleep(Duration::from_millis(100)).await;
            }
        }
        Ok(())
    }

    /// Moves the write-ahead log to a folder, with Postgres at rest meanwhile.
    pub(crate) async fn move_log(&mut self, to: &Path) -> Outcome<()> {
        let mut database = self.superuser_of("postgres").await?;
        let folder: String = sqlx::query_scalar("SHOW data_directory")
            .fetch_one(&mut database)
            .await?;
        database.close().await?;
        end(self.postgres.pid(), Signal::SIGINT)?;
        _ = self.postgres.wait_died().await;
        let log = Path::new(&folder).join("pg_wal");
        let copied = Command::new("cp")
            .arg("-a")
            .arg(log.join("."))
            .arg(to)
            .status()
            .await?;
        if !copied.success() {
            return Err("the write-ahead log can't be moved".into());
        }
        std::fs::remove_dir_all(&log)?;
        std::os::unix::fs::symlink(to, &log)?;
        self.postgres = Postgres::start(&self.data, &self.postgres_options, &|_| {}).await?;
        Ok(())
    }

    /// Kills Redis; what it knew is gone.
    pub(crate) async fn kill_redis(&mut self) -> Outcome<()> {
        end(self.redis.pid(), Signal::SIGKILL)?;
        _ = self.redis.wait_died().await;
        Ok(())
    }

    pub(crate) async fn start_redis(&mut self) -> Outcome<()> {
        self.redis = Redis::start(&self.data, &|_| {}).await?;
        Ok(())
    }

    /// Has Postgres note when each transaction was committed, which it does only from a start on.
    pub(crate) async fn date_commits(self, options: &Options) -> Outcome<Self> {
        let mut database = self.superuser_of("postgres").await?;
        let dated: String = sqlx::query_scalar("SHOW track_commit_timestamp")
            .fetch_one(&mut database)
            .await?;
        if dated == "on" {
            return Ok(self);
        }
        database
            .execute("ALTER SYSTEM SET track_commit_timestamp = on")
            .await?;
        database.close().await?;
        self.stop().await;
        let options = Options {
            fresh: false,
            ..options.clone()
        };
        let cluster = Self::start(&options).await?;
        // Others who use this cluster later begin without it.
        let mut database = cluster.superuser_of("postgres").await?;
        database
            .execute("ALTER SYSTEM RESET track_commit_timestamp")
            .await?;
        Ok(cluster)
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

    /// Makes a database of this version anew.
    pub(crate) async fn migrate_anew(&self, database: &str) -> Outcome<()> {
        self.superuser_of("postgres")
            .await?
            .execute(AssertSqlSafe(format!(
                "DROP DATABASE IF EXISTS {database} WITH (FORCE)"
            )))
            .await?;
        let superuser = self.postgres.connect_options("postgres", "postgres");
        migrate::prepare_cluster(&superuser, database).await?;
        migrate::run(&self.postgres.connect_options(OWNER, database)).await?;
        Ok(())
    }

    /// Connects to a database as a superuser, whom no policy binds: for making data and for judging answers.
    pub(crate) async fn superuser_of(&self, database: &str) -> Outcome<PgConnection> {
        Ok(
            PgConnection::connect_with(&self.postgres.connect_options("postgres", database))
                .await?,
        )
    }

    pub(crate) async fn superuser(&self) -> Outcome<PgConnection> {
        self.superuser_of(DATABASE).await
    }

    /// The product's own access to a database, with a connection for people and one for itself.
    pub(crate) fn db(&self, database: &str) -> Db {
        self.db_of(database, 1)
    }

    /// The same with so many connections for people.
    pub(crate) fn db_of(&self, database: &str, size: u32) -> Db {
        let login = |login| self.postgres.connect_options(login, database);
        let options = PoolOptions {
            size,
            tenant_share: size,
            system_size: 1,
            ..PoolOptions::default()
        };
        Db::open(
            Logins::by_name(login),
            &options,
            Clock::system(),
            Hints::default(),
        )
    }

    /// What makes tokens that a server over the same database takes: both use the keys in it.
    pub(crate) async fn tokens(&self, db: &Db) -> Outcome<Arc<Tokens>> {
        let vault = dev::vault(self.data.root())?;
        Ok(dev::token_settings().open(db, &vault).await?)
    }

    /// An access token for a person in a tenant.
    pub(crate) async fn token(&self, user: Uuid, tenant: Uuid) -> Outcome<String> {
        let db = self.db(DATABASE);
        let tokens = self.tokens(&db).await?;
        let issued = tokens.issue(UserId::from_uuid(user), TenantId::from_uuid(tenant))?;
        db.close().await;
        Ok(issued.token)
    }

    /// How a login connects to a database, past any PgBouncer.
    pub(crate) fn login(&self, login: &str, database: &str) -> PgConnectOptions {
        self.postgres.connect_options(login, database)
    }

    /// What seals the secrets in the database.
    pub(crate) fn encryption_keys(&self) -> Outcome<String> {
        Ok(dev::encryption_keys(self.data.root())?)
    }

    /// The address of the database for pgbench.
    pub(crate) fn url(&self, login: &str) -> String {
        self.url_of(login, DATABASE)
    }

    /// The same for another database.
    pub(crate) fn url_of(&self, login: &str, database: &str) -> String {
        self.postgres.url(login, database)
    }

    /// The same for the executable, whose URLs can't have a login without a host.
    pub(crate) fn direct_url(&self, login: &str) -> String {
        let url = self.url(login);
        let place = url.split_once('?').map_or("", |(_, place)| place);
        format!("postgresql:///{DATABASE}?{place}&user={login}")
    }

    /// The same for a server.
    pub(crate) fn server_url(&self, login: &str) -> Outcome<String> {
        let (_, direct) = self.socket()?;
        let (_, port) = self.socket_of_servers()?;
        let url = self.direct_url(login);
        Ok(url.replace(&format!("port={direct}"), &format!("port={port}")))
    }

    /// Where servers find it: itself, or the PgBouncer in front of it.
    pub(crate) fn socket_of_servers(&self) -> Outcome<(PathBuf, u16)> {
        let (folder, port) = self.socket()?;
        let port = self.bouncer.as_ref().map_or(port, PgBouncer::port);
        Ok((folder, port))
    }

    /// Where it listens: the folder of its socket, and its port.
    pub(crate) fn socket(&self) -> Outcome<(PathBuf, u16)> {
        let options = self.postgres.connect_options("postgres", DATABASE);
        let folder = options.get_socket().ok_or("the cluster has no socket")?;
        Ok((folder.clone(), options.get_port()))
    }

    pub(crate) fn redis_pid(&self) -> u32 {
        self.redis.pid()
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
        if let Some(bouncer) = self.bouncer {
            bouncer.stop().await;
        }
        self.postgres.stop().await;
    }
}

fn end(pid: u32, signal: Signal) -> Outcome<()> {
    Ok(kill(Pid::from_raw(pid.cast_signed()), signal)?)
}

/// `target/loadtests`, for an executable at `target/release/dealgraph-loadtests`.
fn beside_the_build(folder: &str) -> Outcome<PathBuf> {
    let executable = std::env::current_exe()?;
    let target = executable.ancestors().nth(2).unwrap_or(Path::new("."));
    Ok(target.join(folder))
}
