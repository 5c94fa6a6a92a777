//! A machine of an operator: clusters, and a shell as the account that they run as.

use std::{
    fs,
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, chown},
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use nix::{sys::signal::kill, unistd::Pid};
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use tokio::time::timeout;

use crate::{
    defaults::child::url,
    harness::{World, encryption_key},
};

/// Nothing that is run takes as long as this, unless it hangs.
const PATIENCE: Duration = Duration::from_secs(120);

/// A folder with clusters in it, which end with it.
pub(crate) struct Machine {
    /// What its folders are called, before the id of the process.
    name: &'static str,
    folder: PathBuf,
    /// The user and group of the harness's cluster, since Postgres refuses root.
    account: (u32, u32),
    /// Where the programs of the harness's cluster are.
    programs: String,
    keys: &'static str,
}

/// A cluster.
#[derive(Clone)]
pub(crate) struct Cluster<'m> {
    machine: &'m Machine,
    name: &'static str,
    port: u16,
    time: String,
}

impl Machine {
    /// `name` is the test's own.
    pub(crate) async fn new(world: &World, name: &'static str) -> Self {
        let options = world.database.options("postgres").await;
        let sockets = options.get_socket().expect("the cluster is on a socket");
        let owner = fs::metadata(sockets).expect("its folder is there");
        let programs = "SELECT setting FROM pg_config WHERE name = 'BINDIR'";
        let programs = sqlx::query_scalar(programs)
            .fetch_one(&mut world.database.superuser().await)
            .await
            .expect("a superuser may ask");
        // Not in the target folder, which others can't enter when it is below root's home.
        let folder = std::env::temp_dir().join(format!("{name}{}", std::process::id()));
        let machine = Self {
            name,
            folder,
            account: (owner.uid(), owner.gid()),
            programs,
            keys: encryption_key().await,
        };
        machine.sweep();
        for folder in [machine.folder.clone(), machine.folder.join("backup")] {
            let made = fs::DirBuilder::new().mode(0o700).create(&folder);
            made.expect("a folder of ours");
            let (user, group) = machine.account;
            chown(&folder, Some(user), Some(group)).expect("it is given to the account");
        }
        machine
    }

    /// Makes a cluster and starts it; it listens on a socket in our folder alone.
    pub(crate) async fn cluster(&self, name: &'static str, port: u16) -> Cluster<'_> {
        let cluster = self.no_cluster(name, port);
        let settings = format!(
            "listen_addresses = ''\nunix_socket_directories = '{}'\nport = {port}\nfsync = off\nshared_buffers = 32MB\n",
            self.folder.display()
        );
        let begin = format!(
            "initdb --username=postgres --auth=trust --encoding=UTF8 --locale=C --no-sync --no-instructions\n\
             cat >> \"$PGDATA/postgresql.conf\" <<END\n{settings}END\n\
             pg_ctl --wait --log=\"$PGDATA/log\" start"
        );
        cluster.run(&begin).await;
        cluster
    }

    /// Where a cluster is to be that something else makes.
    pub(crate) fn no_cluster(&self, name: &'static str, port: u16) -> Cluster<'_> {
        Cluster {
            machine: self,
            name,
            port,
            time: String::new(),
        }
    }

    /// Ends what killed runs have left.
    fn sweep(&self) {
        let beside = fs::read_dir(std::env::temp_dir()).expect("there is a folder for this");
        for left in beside.flatten() {
            let name = left.file_name().to_string_lossy().into_owned();
            let id = name.strip_prefix(self.name).and_then(|id| id.parse().ok());
            if id.is_some_and(|id| kill(Pid::from_raw(id), None).is_err()) {
                self.end(&left.path());
            }
        }
    }

    /// Ends the clusters in a folder, and removes it.
    fn end(&self, folder: &Path) {
        for cluster in fs::read_dir(folder).into_iter().flatten().flatten() {
            if cluster.path().join("postmaster.pid").exists() {
                let mut stop = self.command("pg_ctl --wait --mode=immediate stop");
                stop.env("PGDATA", cluster.path());
                // One that has ended is as good; what could not be ended shows by its folder.
                let _ended = stop.status();
            }
        }
        let _removed = fs::remove_dir_all(folder);
    }

    /// A shell as the account.
    fn command(&self, script: &str) -> Command {
        use std::os::unix::process::CommandExt as _;
        let mut command = Command::new("/bin/sh");
        command.args(["-euc", script]).env_clear();
        command.env("PATH", format!("{}:/usr/bin:/bin", self.programs));
        command.env("HOME", &self.folder).env("LC_ALL", "C");
        // The folder that the tests run in may be closed to the account.
        command.current_dir("/");
        if self.account.0 != nix::unistd::geteuid().as_raw() {
            command.uid(self.account.0).gid(self.account.1);
        }
        command
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.end(&self.folder);
    }
}

impl Cluster<'_> {
    /// How `user` connects to the product's database.
    pub(crate) fn options(&self, user: &str) -> PgConnectOptions {
        PgConnectOptions::new_without_pgpass()
            .socket(&self.machine.folder)
            .port(self.port)
            .username(user)
            .database("dealgraph")
            .ssl_mode(PgSslMode::Disable)
    }

    /// The same with another moment to go back to.
    pub(crate) fn at(&self, time: &str) -> Self {
        Self {
            time: time.to_owned(),
            ..self.clone()
        }
    }

    /// Runs commands as the account of the cluster, which must succeed.
    pub(crate) async fn run(&self, script: &str) -> String {
        let done = self.try_run(script).await;
        done.unwrap_or_else(|said| panic!("{script}\n{said}"))
    }

    /// Runs commands as the account of the cluster; what they say if they fail.
    pub(crate) async fn try_run(&self, script: &str) -> Result<String, String> {
        self.finish(self.machine.command(script)).await
    }

    /// Runs commands as who runs the tests, with the settings of the product, which must succeed.
    pub(crate) async fn run_as_operator(&self, script: &str) -> String {
        let mut command = Command::new("/bin/sh");
        command.args(["-euc", script]).env_clear();
        let product = Path::new(env!("CARGO_BIN_EXE_dealgraph"));
        let product = product.parent().expect("it is in a folder").display();
        let programs = &self.machine.programs;
        command.env("PATH", format!("{programs}:{product}:/usr/bin:/bin"));
        command.current_dir(env!("CARGO_MANIFEST_DIR"));
        for (name, login) in [
            ("DEALGRAPH_OWNER_DATABASE_URL", "dealgraph_owner"),
            ("DEALGRAPH_DATABASE_URL", "dealgraph_app"),
            ("DEALGRAPH_SYSTEM_DATABASE_URL", "dealgraph_system"),
        ] {
            command.env(name, url(&self.options(login)));
        }
        command.env("DEALGRAPH_ENCRYPTION_KEYS", self.machine.keys);
        for login in ["OWNER", "APP", "SYSTEM"] {
            command.env(format!("{login}_PASSWORD"), format!("it's {login}\\"));
        }
        let done = self.finish(command).await;
        done.unwrap_or_else(|said| panic!("{script}\n{said}"))
    }

    async fn finish(&self, mut command: Command) -> Result<String, String> {
        let folder = &self.machine.folder;
        // A file and no pipe: a server that is started keeps it open.
        let said = folder.join("said");
        let file = fs::File::create(&said).expect("the folder is ours");
        command.stdin(std::process::Stdio::null());
        command.stdout(file.try_clone().expect("a second handle"));
        command.stderr(file);
        command.env("PGDATA", folder.join(self.name));
        command.env("PGHOST", folder);
        command.env("PGPORT", self.port.to_string());
        command.env("PGUSER", "postgres");
        command.env("BACKUP", folder.join("backup"));
        command.env("TIME", &self.time);
        let status = tokio::process::Command::from(command)
            .kill_on_drop(true)
            .status();
        let status = timeout(PATIENCE, status).await.expect("it ends by itself");
        let said = fs::read_to_string(said).expect("it says text");
        match status.expect("there is a shell").success() {
            true => Ok(said),
            false => Err(said),
        }
    }

    /// A file of the cluster.
    pub(crate) fn read(&self, name: &str) -> String {
        let file = self.machine.folder.join(self.name).join(name);
        fs::read_to_string(file).expect("it is there")
    }

    pub(crate) async fn stop(self) {
        self.run("pg_ctl --wait stop").await;
    }
}
