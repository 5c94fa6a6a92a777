//! `dealgraph tenant …`: the platform operator's command line.

use clap::Subcommand;

use super::{
    operator::{Operator, QuotaChange, in_words},
    purge::{PurgeProgress, purge},
};
use crate::{
    base::{error::Result, ids::TenantId},
    db::Db,
    organization::members::{invitation_mail, provision::NewTenant},
};

/// What the operator wants.
#[derive(Debug, Subcommand)]
#[expect(missing_docs, reason = "the help describes the arguments")]
pub enum TenantCommand {
    /// Lists all tenants.
    List,
    /// Makes a tenant and prints the invitation of its first admin.
    Create {
        /// The short name: small letters, digits, single dashes.
        slug: String,
        /// What it is called.
        #[arg(long)]
        name: String,
        /// Who becomes its first admin.
        #[arg(long)]
        admin_email: String,
        /// The currency it reports in, by its ISO 4217 code.
        #[arg(long, default_value = "EUR")]
        currency: String,
        /// Its time zone, by its IANA name.
        #[arg(long, default_value = "UTC")]
        time_zone: String,
        /// Its language and region.
        #[arg(long, default_value = "en")]
        locale: String,
    },
    /// Lets a tenant be read and not changed.
    Suspend {
        slug: String,
        /// Why, for its admins.
        #[arg(long)]
        reason: String,
    },
    /// Lets a suspended tenant be changed again.
    Resume { slug: String },
    /// Changes how many of something a tenant may have.
    SetQuota {
        slug: String,
        /// Members and open invitations.
        #[arg(long)]
        members: Option<i32>,
        #[arg(long)]
        teams: Option<i32>,
        #[arg(long)]
        roles: Option<i32>,
        #[arg(long)]
        api_keys: Option<i32>,
        #[arg(long)]
        webhook_endpoints: Option<i32>,
    },
    /// Puts a tenant on a plan, whose limits are in the file of DEALGRAPH_PLANS, or on none.
    SetPlan {
        slug: String,
        /// The plan's name; without it the usual limits are the tenant's.
        plan: Option<String>,
    },
    /// Schedules the end of a tenant; until then it can be read.
    ScheduleDeletion {
        slug: String,
        /// Days until its data may be removed.
        #[arg(long, default_value_t = super::lifecycle::USUAL_GRACE)]
        grace_days: i32,
    },
    /// Calls off the scheduled end of a tenant.
    CancelDeletion { slug: String },
    /// Removes the tenants whose days of grace are over, with all they had. Needs the login that owns the tables.
    Purge {
        /// Only this one.
        #[arg(long)]
        slug: Option<String>,
    },
}

impl TenantCommand {
    /// Whether it needs the login that owns the tables, and not the system's.
    #[must_use]
    pub fn is_owners(&self) -> bool {
        matches!(self, Self::Purge { .. })
    }
}

/// Does what the operator wants. `app_url` is where people find the frontend; `print` takes lines for the operator.
///
/// # Errors
/// What the act fails with.
pub async fn run(
    command: TenantCommand,
    db: &Db,
    app_url: &str,
    print: impl Fn(String),
) -> Result<()> {
    let operator = Operator::new(db);
    match command {
        TenantCommand::List => {
            for tenant in operator.list().await? {
                let ends = tenant.delete_after.map(|at| format!(", ends {at}"));
                let why = tenant
                    .suspended_because
                    .map(|why| format!(", because: {why}"));
                let plan = tenant.plan.map(|plan| format!(", on {plan}"));
                print(format!(
                    "{}\t{:?}\t{} members\tsince {}\t{}{}{}{}",
                    tenant.slug,
                    tenant.status,
                    tenant.members,
                    tenant.created_at.date_naive(),
                    tenant.name,
                    plan.unwrap_or_default(),
                    ends.unwrap_or_default(),
                    why.unwrap_or_default(),
                ));
            }
        }
        TenantCommand::Create {
            slug,
            name,
            admin_email,
            currency,
            time_zone,
            locale,
        } => {
            let new = NewTenant {
                id: TenantId::new(),
                slug: slug.clone(),
                name: name.clone(),
                base_currency: currency,
                time_zone,
                locale,
            };
            let secret = operator.create(new, &admin_email).await?;
            let link = invitation_mail::link(app_url, &secret);
            print(format!("{slug}: made"));
            print(format!(
                "send this to {admin_email}; it works once, for 30 days:"
            ));
            print(invitation_mail::message(&admin_email, &name, None, &link).text);
        }
        TenantCommand::Suspend { slug, reason } => {
            operator.suspend(&slug, &reason).await?;
            print(format!("{slug}: suspended"));
        }
        TenantCommand::Resume { slug } => {
            operator.resume(&slug).await?;
            print(format!("{slug}: at work"));
        }
        TenantCommand::SetQuota {
            slug,
            members,
            teams,
            roles,
            api_keys,
            webhook_endpoints,
        } => {
            let wanted = QuotaChange {
                members,
                teams,
                roles,
                api_keys,
                webhook_endpoints,
            };
            let tenant = operator.set_quota(&slug, wanted).await?;
            print(format!("{slug}: {}", in_words(&tenant.quotas)));
        }
        TenantCommand::SetPlan { slug, plan } => {
            let tenant = operator.set_plan(&slug, plan.as_deref()).await?;
            let plan = tenant.plan.as_deref().unwrap_or("no plan");
            print(format!("{slug}: {plan}"));
        }
        TenantCommand::ScheduleDeletion { slug, grace_days } => {
            let tenant = operator.schedule_deletion(&slug, grace_days).await?;
            let ends = tenant.delete_after.map(|at| at.to_string());
            print(format!("{slug}: ends {}", ends.unwrap_or_default()));
        }
        TenantCommand::CancelDeletion { slug } => {
            operator.cancel_deletion(&slug).await?;
            print(format!("{slug}: at work"));
        }
        TenantCommand::Purge { slug } => {
            let report = |progress: PurgeProgress| print(progress.to_string());
            let gone = purge(db, slug.as_deref(), report).await?;
            print(format!("tenants removed: {gone}"));
        }
    }
    Ok(())
}
