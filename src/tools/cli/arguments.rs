//! What can be said on the command line.

use std::path::PathBuf;

use crate::{
    db::migrate::distribute::SHARDS,
    organization::{
        accounts::operator::PersonCommand, audit, jobs::command::JobCommand,
        tenants::command::TenantCommand,
    },
    tools::config,
};
use clap::{Parser, Subcommand};

/// A GraphQL, multi-tenant CRM platform under Postgres row-level security.
#[derive(Parser)]
#[command(version, after_help = config::listing())]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Runs everything on this machine: a private Postgres and Redis, the demo tenants, the server, the explorer.
    Dev {
        /// The port on 127.0.0.1.
        #[arg(long, default_value_t = 8080)]
        port: u16,
        /// How many servers to start, on this port and the next ones: what is written at one reaches subscribers of all.
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=4))]
        servers: u8,
        /// Where everything is kept.
        #[arg(long, default_value = ".dealgraph")]
        data_dir: PathBuf,
        /// Removes what an earlier run kept and begins anew.
        #[arg(long)]
        fresh: bool,
    },
    /// Serves the API over a database of yours; configured by DEALGRAPH_ variables.
    Serve,
    /// Brings a database to this version: migrations, then policies; while servers of the version before serve, too.
    Migrate {
        /// How long it waits for locks that others hold, in seconds, and for another run of it.
        #[arg(long, default_value_t = 600, value_parser = clap::value_parser!(u32).range(1..=86_400))]
        patience_s: u32,
        /// Then distributes the tables over the Citus cluster that the database is in: tenants in shards, what all share on
        /// every node. No server may run meanwhile. Once it was done, only what is new is distributed.
        #[arg(long)]
        distribute: bool,
        /// In how many shards; a tenant is in one. Counts the first time only.
        #[arg(long, default_value_t = SHARDS, requires = "distribute", value_parser = clap::value_parser!(u32).range(1..=64_000))]
        shards: u32,
        /// Prints the statements that would distribute the database as it is, and does nothing. It need not have Citus.
        #[arg(long, requires = "distribute")]
        dry_run: bool,
    },
    /// Looks at a configuration from end to end and says what to do: logins, schema, Postgres, Redis, mail, keys, clocks.
    /// Nothing is changed. Ends with 1 if there are errors.
    Doctor {
        /// Prints JSON.
        #[arg(long)]
        json: bool,
        /// How many servers are to run with this configuration.
        #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=1_000))]
        servers: u32,
        /// Sends a mail to this address, to see whether it arrives.
        #[arg(long)]
        mail_to: Option<String>,
    },
    /// Prints the schema of the API.
    Schema,
    /// Prints an access token for a person of a development cluster, and nothing else.
    Token {
        /// Whose token.
        #[arg(long)]
        email: String,
        /// In which tenant, by its slug; needed when the person is in several.
        #[arg(long)]
        tenant: Option<String>,
        /// The development cluster's folder.
        #[arg(long, default_value = ".dealgraph")]
        data_dir: PathBuf,
    },
    /// Manages tenants, for the operator of the platform.
    Tenant {
        #[command(subcommand)]
        command: TenantCommand,
        /// The development cluster's folder; without it the database of DEALGRAPH_SYSTEM_DATABASE_URL is used, and for
        /// `purge` that of DEALGRAPH_OWNER_DATABASE_URL.
        #[arg(long, global = true)]
        data_dir: Option<PathBuf>,
    },
    /// Manages people beyond their tenants, for the operator of the platform.
    Person {
        #[command(subcommand)]
        command: PersonCommand,
        /// The development cluster's folder; without it the database of DEALGRAPH_SYSTEM_DATABASE_URL is used.
        #[arg(long, global = true)]
        data_dir: Option<PathBuf>,
    },
    /// Looks at the jobs of a tenant, and has them tried again or ended.
    Jobs {
        #[command(subcommand)]
        command: JobCommand,
        /// The development cluster's folder; without it the databases of DEALGRAPH_DATABASE_URL and
        /// DEALGRAPH_SYSTEM_DATABASE_URL are used.
        #[arg(long, global = true)]
        data_dir: Option<PathBuf>,
    },
    /// Checks the audit log.
    Audit {
        #[command(subcommand)]
        what: Audit,
    },
    /// Works with the event logs.
    Events {
        #[command(subcommand)]
        what: Events,
    },
    /// Changes the keys that access tokens are signed with, while servers run.
    Keys {
        #[command(subcommand)]
        change: KeyChange,
        /// The development cluster's folder; without it the database of DEALGRAPH_SYSTEM_DATABASE_URL is used.
        #[arg(long, global = true)]
        data_dir: Option<PathBuf>,
    },
    /// Imports data into a tenant.
    Import {
        #[command(subcommand)]
        source: Source,
    },
}

#[derive(Subcommand)]
pub(crate) enum Audit {
    /// Proves that audit logs are as they were written, and prints where each ends; keep that elsewhere.
    Verify {
        /// Only this tenant's, by its slug.
        #[arg(long)]
        tenant: Option<String>,
        /// Where the tenant's log ended when it was verified before, as printed then: `seq:hash`.
        #[arg(long, requires = "tenant")]
        head: Option<audit::Head>,
        /// The development cluster's folder; without it the database of DEALGRAPH_DATABASE_URL is used.
        #[arg(long)]
        data_dir: Option<PathBuf>,
    },
}

#[derive(Subcommand)]
pub(crate) enum Events {
    /// Has all subscribers of all tenants ask for the state and follow from there, after a disk was put back as it was.
    BeginAnew {
        /// Says that this is meant.
        #[arg(long)]
        yes: bool,
        /// The development cluster's folder; without it the database of DEALGRAPH_OWNER_DATABASE_URL is used.
        #[arg(long)]
        data_dir: Option<PathBuf>,
    },
}

#[derive(Subcommand)]
pub(crate) enum KeyChange {
    /// Lists the keys and what they do.
    List,
    /// Makes a new key. It signs once all servers know it; the ones of before check until their last token has ended.
    Rotate {
        /// In how many seconds the new key signs.
        #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(0..=86_400))]
        overlap_s: u32,
    },
    /// Ends a key at once, with all tokens that it signed; for a key that got out.
    Retire {
        /// Its id.
        kid: String,
    },
}

#[derive(Subcommand)]
pub(crate) enum Source {
    /// The "CRM Sales Opportunities" data set of Maven Analytics: a folder of four CSV files.
    Maven {
        /// The folder.
        dir: PathBuf,
        /// Into which tenant, by its slug.
        #[arg(long)]
        tenant: String,
        /// The development cluster's folder; without it the database of DEALGRAPH_DATABASE_URL is used.
        #[arg(long)]
        data_dir: Option<PathBuf>,
    },
}
