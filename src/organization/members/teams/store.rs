//! All SQL that only teams need.

use super::{Member, Team};
use crate::{
    base::{
        error::{Error, Result},
        ids::{TeamId, Typed as _},
    },
    db::{Columns as _, Registered as _, Sql, Tx, list},
};

pub(super) async fn insert(tx: &mut Tx, team: &Team) -> Result<Team> {
    let sql = Sql::new(
        "INSERT INTO teams AS t (tenant_id, team_id, name, parent_team_id, path, created_at, updated_at, version) VALUES (",
    )
    .bind(tx.tenant())
    .push(", ")
    .bind(team.team_id)
    .push(", ")
    .bind(team.name.clone())
    .push(", ")
    .bind(team.parent_team_id)
    .push(", ")
    .bind(team.path.clone())
    .push(", ")
    .bind(team.created_at)
    .push(", ")
    .bind(team.created_at)
    .push(", ")
    .bind(team.version)
    .push(") RETURNING ")
    .push(Team::select());
    tx.optional(sql)
        .await?
        .ok_or(Error::Forbidden("make teams"))
}

/// Locks a team for a change, if it still is at the version that the change was made for.
pub(super) async fn lock(tx: &mut Tx, id: TeamId, expected_version: Option<i32>) -> Result<Team> {
    let sql = list::by_id::<Team>(tx, id.uuid()).push(" FOR UPDATE");
    let Some(team) = tx.optional::<Team>(sql).await? else {
        return Err(match list::find::<Team>(tx, id.uuid()).await? {
            Some(_) => Error::Forbidden("change teams"),
            None => Error::NotFound {
                kind: Team::KIND,
                field: "id",
            },
        });
    };
    match expected_version {
        Some(expected) if expected != team.version => Err(Error::Conflict {
            kind: Team::KIND,
            version: team.version,
        }),
        _ => Ok(team),
    }
}

pub(super) async fn update(tx: &mut Tx, team: &Team) -> Result<Team> {
    let sql = Sql::new("UPDATE teams t SET name = ")
        .bind(team.name.clone())
        .push(", parent_team_id = ")
        .bind(team.parent_team_id)
        .push(", path = ")
        .bind(team.path.clone())
        .push(", version = ")
        .bind(team.version)
        .push(", updated_at = ")
        .bind(tx.now())
        .push(" WHERE t.tenant_id = ")
        .bind(tx.tenant())
        .push(" AND t.team_id = ")
        .bind(team.team_id)
        .push(" RETURNING ")
        .push(Team::select());
    tx.optional(sql)
        .await?
        .ok_or(Error::Forbidden("change teams"))
}

pub(super) async fn delete(tx: &mut Tx, id: TeamId) -> Result<()> {
    let sql = Sql::new("DELETE FROM teams WHERE tenant_id = ")
        .bind(tx.tenant())
        .push(" AND team_id = ")
        .bind(id);
    match tx.execute(sql).await? {
        0 => Err(Error::Forbidden("delete teams")),
        _ => Ok(()),
    }
}

/// Closed invitations and ended keys don't prevent the deletion of a team.
pub(super) async fn forget_in_closed(tx: &mut Tx, id: TeamId) -> Result<()> {
    let sql = Sql::new("UPDATE invitations SET team_id = NULL WHERE tenant_id = ")
        .bind(tx.tenant())
        .push(" AND team_id = ")
        .bind(id)
        .push(" AND (accepted_at IS NOT NULL OR revoked_at IS NOT NULL OR expires_at <= ")
        .bind(tx.now())
        .push(")");
    tx.execute(sql).await?;
    let sql = Sql::new("UPDATE api_keys SET team_id = NULL, team_path = NULL WHERE tenant_id = ")
        .bind(tx.tenant())
        .push(" AND team_id = ")
        .bind(id)
        .push(" AND (revoked_at IS NOT NULL OR expires_at <= ")
        .bind(tx.now())
        .push(")");
    tx.execute(sql).await?;
    Ok(())
}

/// The paths of a team and of all below it.
pub(super) async fn paths_below(tx: &mut Tx, path: &str) -> Result<Vec<String>> {
    let sql = Sql::new("SELECT t.path FROM teams t WHERE t.tenant_id = ")
        .bind(tx.tenant())
        .push(" AND t.path ^@ ")
        .bind(path.to_owned());
    tx.column(sql).await
}

/// Updates the paths of the teams below one that has moved; that one itself has its new path already.
pub(super) async fn move_sub_teams(tx: &mut Tx, paths: (&str, &str)) -> Result<()> {
    let sql = moved(Sql::new("UPDATE teams t SET path = "), "t.path", paths)
        .push(", version = t.version + 1, updated_at = ")
        .bind(tx.now())
        .push(" WHERE t.tenant_id = ")
        .bind(tx.tenant())
        .push(" AND t.path ^@ ")
        .bind(paths.0.to_owned());
    tx.execute(sql).await?;
    Ok(())
}

pub(super) async fn move_keys(tx: &mut Tx, paths: (&str, &str)) -> Result<()> {
    let head = Sql::new("UPDATE api_keys t SET team_path = ");
    let sql = moved(head, "t.team_path", paths)
        .push(" WHERE t.tenant_id = ")
        .bind(tx.tenant())
        .push(" AND t.team_path ^@ ")
        .bind(paths.0.to_owned());
    tx.execute(sql).await?;
    Ok(())
}

pub(super) async fn move_members(tx: &mut Tx, paths: (&str, &str)) -> Result<Vec<Member>> {
    let head = Sql::new("UPDATE memberships t SET team_path = ");
    let sql = moved(head, "t.team_path", paths)
        .push(", moving = true, version = t.version + 1, updated_at = ")
        .bind(tx.now())
        .push(" WHERE t.tenant_id = ")
        .bind(tx.tenant())
        .push(" AND t.team_path ^@ ")
        .bind(paths.0.to_owned())
        .push(" RETURNING ")
        .push(Member::select());
    tx.all(sql).await
}

/// The new beginning of a path, and the rest of it.
fn moved(sql: Sql, column: &'static str, (from, to): (&str, &str)) -> Sql {
    sql.bind(to.to_owned())
        .push(" || substr(")
        .push(column)
        .push(", ")
        .bind(from.len() as i32 + 1)
        .push(")")
}
