//! What operators do beside serving: bring a database to this version, manage tenants, people and audit logs.

use std::{path::PathBuf, time::Duration};

use crate::{
    api::Plan,
    base::clock::Clock,
    data::import,
    db::{
        journal::Hints,
        migrate::{Patience, Release, Report, distribute},
    },
    events,
    organization::{
        accounts::operator::{self, PersonCommand},
        audit,
        jobs::command::{self as jobs, JobCommand},
        tenants::command::{self, TenantCommand},
    },
    platform::{Progress, telemetry},
    tools::{
        config::{Config, Purpose},
        dev,
        doctor::{self, Asked, Level},
    },
};

use super::{
    Outcome,
    databases::{as_login, open},
    print, print_line,
};

pub(crate) async fn run_migrations(patience_s: u32, shards: Option<u32>, dry_run: bool) -> Outcome {
    let config = Config::from_env(Purpose::Migrate)?;
    let _telemetry = telemetry::init(&config.telemetry)?;
    let url = config
        .database
        .owner_url
        .as_ref()
        .ok_or("DEALGRAPH_OWNER_DATABASE_URL is not set")?;
    let patience = Patience {
        total: Duration::from_secs(patience_s.into()),
        ..Patience::default()
    };
    let owner = url.expose().parse()?;
    let report = match shards {
        Some(shards) if dry_run => {
            print(&distribute::dry_run(&owner, shards).await?.to_string());
            return Ok(());
        }
        Some(shards) => Release::this().distribute(&owner, patience, shards).await?,
        None => Release::this().run(&owner, patience).await?,
    };
    println!("{}", described(&report));
    Ok(())
}

fn described(report: &Report) -> String {
    if let Some(newer) = report.newer {
        return format!("the database is at {newer}, newer than this version: nothing was changed");
    }
    let mut said = "the database is at this version".to_owned();
    let migrations: Vec<_> = report
        .migrations_applied
        .iter()
        .map(|number| format!("{number:04}"))
        .collect();
    if !migrations.is_empty() {
        said += &format!("; migrations applied: {}", migrations.join(", "));
    }
    match report.policies_applied.as_slice() {
        [] => said += "; no policy changed",
        applied => said += &format!("; policies applied: {}", applied.join(", ")),
    }
    if let Some(distributed) = &report.distributed {
        let tables: Vec<_> = distributed
            .tables
            .iter()
            .map(|(table, place)| format!("{table} ({place})"))
            .collect();
        match tables.as_slice() {
            [] => said += "; nothing new to distribute",
            tables => said += &format!("; distributed: {}", tables.join(", ")),
        }
        let placements = distributed.placements;
        said += &format!("; {placements} placements of shards are secured as their tables are");
    }
    if !report.not_distributed.is_empty() {
        let tables = report.not_distributed.join(", ");
        said += &format!("; not distributed: {tables}: run `dealgraph migrate --distribute`");
    }
    if report.repeated > 0 {
        said += &format!(
            "; {} attempts repeated, for the locks of others",
            report.repeated
        );
    }
    said
}

pub(crate) async fn examine(json: bool, asked: Asked) -> Outcome {
    let (config, problems) = Config::examine_env();
    let report = doctor::examine((&config, &problems), &asked, &Clock::system()).await;
    if json {
        print(&format!("{:#}\n", report.json()));
    } else {
        print(&report.to_string());
    }
    match report.count(Level::Error) {
        0 => Ok(()),
        errors => Err(format!("{errors} of {} findings are errors", report.findings.len()).into()),
    }
}

pub(crate) async fn token(email: String, tenant: Option<String>, data_dir: PathBuf) -> Outcome {
    println!(
        "{}",
        dev::token(&data_dir, &email, tenant.as_deref())
            .await?
            .token
    );
    Ok(())
}

pub(crate) async fn verify_audit(
    tenant: Option<String>,
    head: Option<audit::Head>,
    data_dir: Option<PathBuf>,
) -> Outcome {
    let db = open(data_dir)?;
    let progress = Progress::on_stderr();
    let found = audit::verify(&db, tenant.as_deref(), head.as_ref(), &progress).await?;
    for verified in &found {
        print(&format!("{verified}\n"));
    }
    match found
        .iter()
        .filter(|verified| verified.outcome.is_err())
        .count()
    {
        0 => Ok(()),
        broken => Err(format!(
            "{broken} of {} audit logs are not as they were written",
            found.len()
        )
        .into()),
    }
}

pub(crate) async fn begin_anew(is_meant: bool, data_dir: Option<PathBuf>) -> Outcome {
    if !is_meant {
        let what = "this has all subscribers of all tenants ask for everything again: say --yes if it is meant";
        return Err(what.into());
    }
    let db = match data_dir {
        Some(data_dir) => dev::connect_as_owner(&data_dir, Hints::default())?,
        None => {
            let config = Config::from_env(Purpose::Develop)?;
            let url = config.database.owner_url.as_ref();
            as_login(&config, "DEALGRAPH_OWNER_DATABASE_URL", url)?
        }
    };
    let tenants = events::begin_anew(&db).await?;
    print_line(format!("the event logs of {tenants} tenants begin anew"));
    db.close().await;
    Ok(())
}

pub(crate) async fn import_maven(
    dir: PathBuf,
    tenant: String,
    data_dir: Option<PathBuf>,
) -> Outcome {
    let db = open(data_dir)?;
    let summary = import::maven::import(&db, &dir, &tenant, Progress::on_stderr()).await?;
    print(&summary.to_string());
    Ok(())
}

pub(crate) async fn manage_jobs(command: JobCommand, data_dir: Option<PathBuf>) -> Outcome {
    let db = open(data_dir)?;
    jobs::run(command, &db, print_line).await?;
    db.close().await;
    Ok(())
}

pub(crate) async fn manage_tenants(command: TenantCommand, data_dir: Option<PathBuf>) -> Outcome {
    let config = Config::from_env(Purpose::Develop)?;
    require_known_plan(&command, &config)?;
    let (name, url) = match command.is_owners() {
        true => ("DEALGRAPH_OWNER_DATABASE_URL", &config.database.owner_url),
        false => ("DEALGRAPH_SYSTEM_DATABASE_URL", &config.database.system_url),
    };
    let db = match data_dir {
        Some(data_dir) if command.is_owners() => {
            dev::connect_as_owner(&data_dir, Hints::default())?
        }
        Some(data_dir) => dev::connect(&data_dir, Hints::default())?,
        None => as_login(&config, name, url.as_ref())?,
    };
    command::run(command, &db, config.accounts.app_url.as_str(), print_line).await?;
    db.close().await;
    Ok(())
}

/// Refuses a plan that the file of plans does not name, where it is said which file that is: most likely it is misspelt.
fn require_known_plan(command: &TenantCommand, config: &Config) -> Outcome {
    let TenantCommand::SetPlan {
        plan: Some(plan), ..
    } = command
    else {
        return Ok(());
    };
    let Some(path) = &config.server.plans else {
        return Ok(());
    };
    let plans = Plan::read_all(path)?;
    match plans.contains_key(plan) {
        true => Ok(()),
        false => {
            let known: Vec<_> = plans.into_keys().collect();
            let known = known.join(", ");
            Err(format!(
                "there is no plan {plan:?} in {}, only: {known}",
                path.display()
            )
            .into())
        }
    }
}

pub(crate) async fn manage_people(command: PersonCommand, data_dir: Option<PathBuf>) -> Outcome {
    let config = Config::from_env(Purpose::Develop)?;
    let db = match data_dir {
        Some(data_dir) => dev::connect(&data_dir, Hints::default())?,
        None => {
            let url = config.database.system_url.as_ref();
            as_login(&config, "DEALGRAPH_SYSTEM_DATABASE_URL", url)?
        }
    };
    operator::run(command, &db, print_line).await?;
    db.close().await;
    Ok(())
}
