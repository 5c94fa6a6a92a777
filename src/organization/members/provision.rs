//! Setting up tenants, people and teams as the system, before there is a member who could.
//!
//! Everything here is idempotent: what exists by its id stays as it is.

use uuid::Uuid;

use crate::{
    access::Role,
    base::{
        error::Result,
        ids::{TeamId, TenantId, Typed as _, UserId},
        text::{normalize, normalize_email},
    },
    db::{Sql, SystemTx},
};

/// A tenant to be set up.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the names say it")]
pub struct NewTenant {
    pub id: TenantId,
    pub slug: String,
    pub name: String,
    pub base_currency: String,
    pub time_zone: String,
    pub locale: String,
}

/// A person to become a member.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the names say it")]
pub struct NewMember {
    pub user: UserId,
    pub email: String,
    pub name: String,
    pub role: Role,
    pub team: Option<NewTeam>,
}

/// A team, with its place in the tree.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the names say it")]
pub struct NewTeam {
    pub id: TeamId,
    pub name: String,
    pub parent: Option<TeamId>,
    /// The parent's path followed by [`segment`] of the id.
    pub path: String,
}

/// The path segment of a team: the last twelve hex digits of its id, and a dot.
#[must_use]
pub fn segment(team: TeamId) -> String {
    format!("{}.", &team.uuid().simple().to_string()[20..])
}

/// Sets up a tenant with its event counter.
///
/// # Errors
/// The database; `TAKEN` when another tenant has the slug.
pub async fn tenant(tx: &mut SystemTx, new: &NewTenant) -> Result<()> {
    let now = tx.now();
    let sql = Sql::new(
        "INSERT INTO tenants (tenant_id, slug, name, base_currency, time_zone, locale, created_at, updated_at) VALUES (",
    )
    .bind(new.id)
    .push(", ")
    .bind(new.slug.clone())
    .push(", ")
    .bind(new.name.clone())
    .push(", ")
    .bind(new.base_currency.clone())
    .push(", ")
    .bind(new.time_zone.clone())
    .push(", ")
    .bind(new.locale.clone())
    .push(", ")
    .bind(now)
    .push(", ")
    .bind(now)
    .push(") ON CONFLICT (tenant_id) DO NOTHING");
    tx.execute(sql).await?;
    let sql = Sql::new("INSERT INTO tenant_seq (tenant_id, epoch) VALUES (")
        .bind(new.id)
        .push(", ")
        .bind(crate::base::ids::mint())
        .push(") ON CONFLICT (tenant_id) DO NOTHING");
    tx.execute(sql).await?;
    Ok(())
}

/// Sets up teams, parents before their sub-teams, and answers how many are new.
///
/// # Errors
/// The database.
pub async fn teams(tx: &mut SystemTx, tenant: TenantId, teams: &[NewTeam]) -> Result<u64> {
    if teams.is_empty() {
        return Ok(0);
    }
    let now = tx.now();
    let sql =
        Sql::new("INSERT INTO teams (tenant_id, team_id, name, parent_team_id, path, created_at)");
    let sql = sql.rows(teams, |mut row, team| {
        row.bind(tenant)
            .bind(team.id)
            .bind(team.name.clone())
            .bind(team.parent)
            .bind(team.path.clone())
            .bind(now);
    });
    tx.execute(sql.push(" ON CONFLICT (tenant_id, team_id) DO NOTHING"))
        .await
}

/// Makes people members, and answers how many are new. A person whose address is known keeps their identity, whatever id
/// is given.
///
/// # Errors
/// `INVALID_EMAIL`, or the database.
pub async fn members(tx: &mut SystemTx, tenant: TenantId, members: &[NewMember]) -> Result<u64> {
    let mut new = 0;
    for member in members {
        let user = user(tx, member).await?;
        let (team, path) = member
            .team
            .as_ref()
            .map(|team| (team.id, team.path.clone()))
            .unzip();
        let sql = Sql::new(
            "INSERT INTO memberships (tenant_id, user_id, email, name, name_normalized, role, team_id, team_path, \
             created_at) VALUES (",
        )
        .bind(tenant)
        .push(", ")
        .bind(user)
        .push(", ")
        .bind(member.email.clone())
        .push(", ")
        .bind(member.name.clone())
        .push(", ")
        .bind(normalize(&member.name))
        .push(", ")
        .bind(member.role)
        .push(", ")
        .bind(team)
        .push(", ")
        .bind(path)
        .push(", ")
        .bind(tx.now())
        .push(") ON CONFLICT (tenant_id, user_id) DO NOTHING");
        new += tx.execute(sql).await?;
    }
    Ok(new)
}

async fn user(tx: &mut SystemTx, member: &NewMember) -> Result<UserId> {
    let normalized = normalize_email(&member.email, "email")?;
    let sql =
        Sql::new("INSERT INTO users (user_id, email, email_normalized, name, created_at) VALUES (")
            .bind(member.user)
            .push(", ")
            .bind(member.email.clone())
            .push(", ")
            .bind(normalized.clone())
            .push(", ")
            .bind(member.name.clone())
            .push(", ")
            .bind(tx.now())
            .push(") ON CONFLICT (email_normalized) DO NOTHING");
    tx.execute(sql).await?;
    let sql = Sql::new("SELECT user_id FROM users WHERE email_normalized = ").bind(normalized);
    Ok(tx
        .column::<Uuid>(sql)
        .await?
        .first()
        .map_or(member.user, |id| UserId::from_uuid(*id)))
}

/// A person who may sign in, as development clusters list them.
#[derive(Debug, Clone, sqlx::FromRow)]
#[expect(missing_docs, reason = "the names say it")]
pub struct KnownPerson {
    pub user_id: UserId,
    pub email: String,
    pub name: String,
    pub role: Role,
    pub tenant_id: TenantId,
    pub slug: String,
    pub tenant_name: String,
}

/// Finds active members by address, in one tenant or in all; for `dealgraph token` on development clusters.
///
/// # Errors
/// The database.
pub async fn known_people(tx: &mut SystemTx) -> Result<Vec<KnownPerson>> {
    tx.all(Sql::new(
        "SELECT m.user_id, m.email, m.name, m.role, m.tenant_id, t.slug, t.name AS tenant_name \
         FROM memberships m JOIN tenants t ON t.tenant_id = m.tenant_id \
         WHERE m.status = 'ACTIVE' ORDER BY t.slug DESC, m.role, m.name_normalized LIMIT 1000",
    ))
    .await
}
