//! The command line: what can be said on it, and a file per kind of command.

mod arguments;
mod databases;
mod keys;
mod operate;
mod serve;

use std::{io::Write as _, process::ExitCode};

use crate::{api, tools::doctor::Asked};
use clap::Parser as _;

use arguments::{Audit, Cli, Command, Events, Source};

/// Does what the command line says, and prints what went wrong.
///
/// The runtime is made here and not in `main.rs`: the compiler turns a future into code where it is run, and all of
/// them once more in an executable that ran them itself.
#[tokio::main]
#[must_use]
pub async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("dealgraph: {error}");
            ExitCode::FAILURE
        }
    }
}

/// How a command ended; its error is one sentence for the person who typed it.
pub(crate) type Outcome = Result<(), Box<dyn std::error::Error>>;

/// Does what the command line says.
async fn run() -> Outcome {
    match Cli::parse().command {
        Command::Dev {
            port,
            servers,
            data_dir,
            fresh,
        } => serve::run_dev(port, servers, data_dir, fresh).await,
        Command::Serve => serve::serve().await,
        Command::Migrate {
            patience_s,
            distribute,
            shards,
            dry_run,
        } => operate::run_migrations(patience_s, distribute.then_some(shards), dry_run).await,
        Command::Doctor {
            json,
            servers,
            mail_to,
        } => operate::examine(json, Asked { servers, mail_to }).await,
        Command::Schema => {
            print(&api::sdl());
            Ok(())
        }
        Command::Token {
            email,
            tenant,
            data_dir,
        } => operate::token(email, tenant, data_dir).await,
        Command::Tenant { command, data_dir } => operate::manage_tenants(command, data_dir).await,
        Command::Person { command, data_dir } => operate::manage_people(command, data_dir).await,
        Command::Jobs { command, data_dir } => operate::manage_jobs(command, data_dir).await,
        Command::Audit {
            what:
                Audit::Verify {
                    tenant,
                    head,
                    data_dir,
                },
        } => operate::verify_audit(tenant, head, data_dir).await,
        Command::Events {
            what: Events::BeginAnew { yes, data_dir },
        } => operate::begin_anew(yes, data_dir).await,
        Command::Keys { change, data_dir } => keys::change(change, data_dir).await,
        Command::Import {
            source:
                Source::Maven {
                    dir,
                    tenant,
                    data_dir,
                },
        } => operate::import_maven(dir, tenant, data_dir).await,
    }
}

/// Prints to a reader that may have gone away, such as `head`.
pub(crate) fn print(text: &str) {
    _ = std::io::stdout().write_all(text.as_bytes());
}

pub(crate) fn print_line(line: String) {
    print(&(line + "\n"));
}
