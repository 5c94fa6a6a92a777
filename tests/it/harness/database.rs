//! One private cluster for all tests of this process, and a database of its own for each of them.
//!
//! The cluster begins empty in every process. It ends with it: its servers are signalled by the kernel when the thread that
//! started them dies, which is also how they end when a test run is killed.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use dealgraph::{
    base::clock::Clock,
    db::{Db, Logins, PoolOptions, journal::Hints, migrate},
    organization::auth::KeyRing,
    platform::Vault,
    tools::dev::{
        DevError,
        datadir::{Contents, DataDir},
        encryption_keys,
        pgbouncer::PgBouncer,
        postgres::{Postgres, PostgresOptions},
    },
};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, postgres::PgConnectOptions, raw_sql};
use tokio::sync::OnceCell;

use super::{bouncer, factory};

/// How many rows the planner is shown for each of the world's.
const COPIES: u32 = 600;
/// Test runs at the same time in one target folder.
const MOST_RUNS: u32 = 16;

/// The logins of servers, which operators may put a PgBouncer in front of.
const OF_SERVERS: [&str; 2] = ["dealgraph_app", "dealgraph_system"];
/// Connections to Postgres that all of a login's share at a PgBouncer of the whole run: fewer than a server's pool has.
const BOUNCED: u32 = 6;

static CLUSTER: OnceCell<Cluster> = OnceCell::const_new();

/// The cluster, with a template that is migrated and one that also holds the two tenants.
pub(crate) struct Cluster {
    postgres: Postgres,
    /// In front of it for the logins of servers, if `DEALGRAPH_TEST_PGBOUNCER` names a program.
    bouncer: Option<PgBouncer>,
    encryption_keys: String,
    signing_key: SigningKey,
    databases: AtomicU32,
    filled: OnceCell<()>,
    data: DataDir,
}

/// A database of a test.
#[derive(Debug, Clone)]
pub(crate) struct Database {
    name: String,
    outside: Option<Arc<Outside>>,
}

/// Servers that were there before the tests, and stay: a Citus cluster.
#[derive(Debug)]
struct Outside {
    /// The coordinator's, as a superuser.
    superuser: PgConnectOptions,
    /// The same of every node.
    nodes: Vec<PgConnectOptions>,
}

impl Cluster {
    async fn get() -> &'static Self {
        CLUSTER.get_or_init(Self::start).await
    }

    async fn start() -> Self {
        let data = open_data().await;
        let options = PostgresOptions {
            bin_dir: std::env::var_os("DEALGRAPH_PG_BIN").map(PathBuf::from),
            durable: false,
            max_connections: 200,
            shared_buffers: "128MB".to_owned(),
        };
        let postgres = Postgres::start(&data, &options, &|_| {})
            .await
            .expect("a private Postgres starts");
        let bouncer = match std::env::var_os("DEALGRAPH_TEST_PGBOUNCER") {
            Some(program) => Some(bouncer::start(&data, PathBuf::from(program), BOUNCED).await),
            None => None,
        };
        let mut cluster = Self {
            postgres,
            bouncer,
            // The same that commands find which are pointed to the data folder.
            encryption_keys: encryption_keys(data.root()).expect("the data folder can be written"),
            signing_key: SigningKey::default(),
            databases: AtomicU32::new(0),
            filled: OnceCell::new(),
            data,
        };

        cluster
            .run("CREATE ROLE dealgraph_owner LOGIN CREATEROLE")
            .await;
        cluster
            .run("CREATE DATABASE migrated OWNER dealgraph_owner")
            .await;
        let mut superuser = cluster.connect("migrated").await;
        raw_sql(migrate::SUPERUSER)
            .execute(&mut superuser)
            .await
            .expect("the superuser may do this");
        superuser.close().await.expect("the connection ends");
        let owner = cluster
            .postgres
            .connect_options("dealgraph_owner", "migrated");
        migrate::run(&owner)
            .await
            .expect("the migrations and policies apply to an empty database");
        cluster.signing_key = cluster.make_signing_key().await;
        cluster
            .run("CREATE DATABASE world TEMPLATE migrated OWNER dealgraph_owner")
            .await;
        let mut world = cluster.connect("world").await;
        factory::arrange(&mut world).await;
        world.close().await.expect("the connection ends");
        cluster
    }

    /// Lets the product make its first key, so that all databases of tests have the same one.
    async fn make_signing_key(&self) -> SigningKey {
        let login = |user| self.postgres.connect_options(user, "migrated");
        let db = Db::open(
            Logins::by_name(login),
            &PoolOptions::default(),
            Clock::system(),
            Hints::default(),
        );
        let vault = self.vault();
        KeyRing::open(db.clone(), Arc::clone(&vault), None)
            .await
            .expect("a key is made");
        db.close().await;
        let mut superuser = self.connect("migrated").await;
        let (kid, sealed): (String, Vec<u8>) =
            sqlx::query_as("SELECT kid, private_key FROM signing_keys")
                .fetch_one(&mut superuser)
                .await
                .expect("there is one key");
        superuser.close().await.expect("the connection ends");
        let der = vault
            .open(&format!("signing_key:{kid}"), &sealed)
            .expect("it is sealed for its row");
        let body = STANDARD.encode(der);
        let pem = format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n");
        SigningKey { kid, pem }
    }

    fn vault(&self) -> Arc<Vault> {
        Arc::new(Vault::new(&self.encryption_keys).expect("a key of its own making"))
    }

    async fn connect(&self, database: &str) -> PgConnection {
        let options = self.postgres.connect_options("postgres", database);
        PgConnection::connect_with(&options)
            .await
            .expect("the superuser connects")
    }

    async fn run(&self, sql: &str) {
        let mut superuser = self.connect("postgres").await;
        raw_sql(AssertSqlSafe(sql.to_owned()))
            .execute(&mut superuser)
            .await
            .expect("the superuser may do this");
        superuser.close().await.expect("the connection ends");
    }
}

impl Database {
    /// A new one with the two tenants in it.
    pub(crate) async fn of_world() -> Self {
        Self::copy_of("world").await
    }

    /// A new one that is migrated and empty.
    pub(crate) async fn migrated() -> Self {
        Self::copy_of("migrated").await
    }

    /// The one that holds thousands of rows, for judging plans; all tests share it and none writes to it.
    pub(crate) async fn filled() -> Self {
        let cluster = Cluster::get().await;
        let fill = async || {
            cluster
                .run("CREATE DATABASE filled TEMPLATE world OWNER dealgraph_owner")
                .await;
            factory::multiply(&mut cluster.connect("filled").await, COPIES).await;
        };
        cluster.filled.get_or_init(fill).await;
        Self {
            name: "filled".to_owned(),
            outside: None,
        }
    }

    /// A new one of the owner's, with nothing in it.
    pub(crate) async fn empty() -> Self {
        Self::copy_of("template1").await
    }

    /// A new one with what a dump says.
    pub(crate) async fn restored(dump: &'static str) -> Self {
        let database = Self::empty().await;
        let mut superuser = database.superuser().await;
        raw_sql(dump)
            .execute(&mut superuser)
            .await
            .expect("the dump is restored");
        superuser.close().await.expect("the connection ends");
        database
    }

    async fn copy_of(template: &str) -> Self {
        let cluster = Cluster::get().await;
        let name = format!("test_{}", cluster.databases.fetch_add(1, Ordering::Relaxed));
        cluster
            .run(&format!(
                "CREATE DATABASE {name} TEMPLATE {template} OWNER dealgraph_owner"
            ))
            .await;
        Self {
            name,
            outside: None,
        }
    }

    /// One that was made outside, on a coordinator that a superuser reaches and on its workers.
    pub(crate) fn outside(
        name: String,
        superuser: PgConnectOptions,
        nodes: Vec<PgConnectOptions>,
    ) -> Self {
        let outside = Some(Arc::new(Outside { superuser, nodes }));
        Self { name, outside }
    }

    /// How the product connects to it as `user`.
    pub(crate) async fn options(&self, user: &str) -> PgConnectOptions {
        let direct = self.direct_options(user).await;
        match &Cluster::get().await.bouncer {
            Some(bouncer) if OF_SERVERS.contains(&user) && self.outside.is_none() => {
                bouncer.in_front_of(direct)
            }
            _ => direct,
        }
    }

    /// The same without a PgBouncer, whatever the run is made with.
    pub(crate) async fn direct_options(&self, user: &str) -> PgConnectOptions {
        if let Some(outside) = &self.outside {
            return outside
                .superuser
                .clone()
                .username(user)
                .database(&self.name);
        }
        Cluster::get()
            .await
            .postgres
            .connect_options(user, &self.name)
    }

    /// A session of its own as `user`, which a PgBouncer would not give.
    pub(crate) async fn connect(&self, user: &str) -> PgConnection {
        PgConnection::connect_with(&self.direct_options(user).await)
            .await
            .expect("the login connects")
    }

    /// A PgBouncer of the test's own with so many connections to Postgres for each login; none where it can't be fetched.
    pub(crate) async fn bouncer(&self, servers: u32) -> Option<PgBouncer> {
        let program = bouncer::fetch()?;
        let cluster = Cluster::get().await;
        Some(bouncer::start(&cluster.data, program, servers).await)
    }

    /// A connection that no policy binds, to arrange and to inspect.
    pub(crate) async fn superuser(&self) -> PgConnection {
        match &self.outside {
            Some(outside) => {
                let options = outside.superuser.clone().database(&self.name);
                let connected = PgConnection::connect_with(&options).await;
                connected.expect("the superuser connects")
            }
            None => self.connect("postgres").await,
        }
    }

    /// Removes it, whatever is still connected.
    pub(crate) async fn drop(self) {
        let drop = format!("DROP DATABASE {} WITH (FORCE)", self.name);
        let Some(outside) = &self.outside else {
            Cluster::get().await.run(&drop).await;
            return;
        };
        for node in &outside.nodes {
            let mut superuser = PgConnection::connect_with(node)
                .await
                .expect("the superuser connects to every node");
            let dropped = raw_sql(AssertSqlSafe(drop.clone())).execute(&mut superuser);
            dropped.await.expect("the superuser may do this");
        }
    }
}

/// What signs the tokens of all worlds, for tests that make their own.
#[derive(Debug, Default)]
pub(crate) struct SigningKey {
    pub(crate) kid: String,
    /// The private half, PKCS#8 in PEM.
    pub(crate) pem: String,
}

/// The key in the database of every test.
pub(crate) async fn signing_key() -> &'static SigningKey {
    &Cluster::get().await.signing_key
}

/// What opens the secrets in the databases of all tests, as the configuration takes it.
pub(crate) async fn encryption_key() -> &'static str {
    &Cluster::get().await.encryption_keys
}

/// The vault of all tests, once there is a database.
pub(crate) fn vault() -> Arc<Vault> {
    CLUSTER.get().expect("a database was made before").vault()
}

/// A data folder that no other test run holds.
async fn open_data() -> DataDir {
    for run in 0..MOST_RUNS {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("cluster-{run}"));
        match DataDir::open(&path, Contents::Fresh, &|_| {}).await {
            Err(DevError::InUse { .. }) => {}
            opened => return opened.expect("a data folder for the cluster"),
        }
    }
    panic!("{MOST_RUNS} test runs at the same time are too many");
}
