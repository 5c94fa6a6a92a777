//! All SQL that only members need; that of teams and invitations is beside them.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{Member, MembershipStatus};
use crate::{
    base::{
        error::{Error, Result},
        ids::{TenantId, Typed as _, UserId},
    },
    db::{Columns as _, ReadTx, Registered as _, Sql, Statements, Tx, list},
    entity::OwnedKinds,
};

/// Serializes changes of who is in a tenant, and in which team: a transaction that invites, accepts, changes, suspends
/// or removes a member or moves a team sees what the one before it did. So the last admin stays, quotas hold and the
/// teams stay a tree.
pub(super) async fn lock_members_of(statements: &mut Statements, tenant: TenantId) -> Result<()> {
    let sql = Sql::new("SELECT pg_advisory_xact_lock(hashtextextended(")
        .bind(format!("members:{}", tenant.uuid()))
        .push(", 0))");
    statements.execute(sql).await?;
    Ok(())
}

/// [`lock_members_of`] the actor's tenant.
pub(super) async fn lock_members(tx: &mut Tx) -> Result<()> {
    let tenant = tx.tenant();
    lock_members_of(tx, tenant).await
}

/// Locks a member for a change. One whom only admins change is not found by a lock that asks the update policies.
pub(super) async fn lock(
    tx: &mut Tx,
    user: UserId,
    expected_version: Option<i32>,
) -> Result<Member> {
    let sql = list::by_id::<Member>(tx, user.uuid()).push(" FOR NO KEY UPDATE");
    let Some(member) = tx.optional::<Member>(sql).await? else {
        return Err(match list::find::<Member>(tx, user.uuid()).await? {
            Some(_) => Error::Forbidden("change this member"),
            None => Error::NotFound {
                kind: Member::KIND,
                field: "userId",
            },
        });
    };
    match expected_version {
        Some(expected) if expected != member.version => Err(Error::Conflict {
            kind: Member::KIND,
            version: member.version,
        }),
        _ => Ok(member),
    }
}

/// Writes what can be changed of a membership.
pub(super) async fn update(tx: &mut Tx, member: &Member) -> Result<Member> {
    let sql = Sql::new("UPDATE memberships t SET role = ")
        .bind(member.role)
        .push(", role_id = ")
        .bind(member.role_id)
        .push(", title = ")
        .bind(member.title.clone())
        .push(", team_id = ")
        .bind(member.team_id)
        .push(", team_path = ")
        .bind(member.team_path.clone())
        .push(", status = ")
        .bind(member.status)
        .push(", successor_id = ")
        .bind(member.successor_id)
        .push(", moving = ")
        .bind(member.moving)
        .push(", version = ")
        .bind(member.version)
        .push(", updated_at = ")
        .bind(tx.now())
        .push(" WHERE t.tenant_id = ")
        .bind(tx.tenant())
        .push(" AND t.user_id = ")
        .bind(member.user_id)
        .push(" RETURNING ")
        .push(Member::select());
    tx.optional(sql)
        .await?
        .ok_or(Error::Forbidden("change this member"))
}

/// How many admins there are who can sign in, but for one person.
pub(super) async fn other_admins(tx: &mut Tx, but: UserId) -> Result<i64> {
    // The rows too, beside the lock of the tenant: an admin whom another transaction removes is waited for.
    let sql = Sql::new("SELECT t.user_id FROM memberships t WHERE t.tenant_id = ")
        .bind(tx.tenant())
        .push(" AND t.role = 'ADMIN' AND t.status = 'ACTIVE' ORDER BY t.user_id FOR NO KEY UPDATE");
    let admins = tx.column::<Uuid>(sql).await?;
    Ok(admins.iter().filter(|id| **id != but.uuid()).count() as i64)
}

/// Replaces a member as the successor of all members who are leaving.
pub(super) async fn repoint(tx: &mut Tx, from: UserId, to: UserId) -> Result<()> {
    let sql = Sql::new("UPDATE memberships SET successor_id = ")
        .bind(to)
        .push(" WHERE tenant_id = ")
        .bind(tx.tenant())
        .push(" AND successor_id = ")
        .bind(from);
    tx.execute(sql).await?;
    Ok(())
}

/// Locks a member whose records are being reassigned, unless another transaction has locked them.
pub(super) async fn lock_moving(tx: &mut Tx, user: UserId) -> Result<Option<Member>> {
    let sql =
        list::by_id::<Member>(tx, user.uuid()).push(" AND t.moving FOR NO KEY UPDATE SKIP LOCKED");
    tx.optional(sql).await
}

/// Locks a member who is there, and tells whether their records are being reassigned.
pub(super) async fn lock_if_moving(tx: &mut Tx, user: UserId) -> Result<bool> {
    let sql = Sql::new("SELECT moving FROM memberships WHERE tenant_id = ")
        .bind(tx.tenant())
        .push(" AND user_id = ")
        .bind(user)
        .push(" FOR NO KEY UPDATE");
    Ok(tx.column(sql).await?.pop().unwrap_or(false))
}

/// Notes that all of a member's records are reassigned; that is no change of the membership.
pub(super) async fn settle(tx: &mut Tx, user: UserId) -> Result<()> {
    let sql = Sql::new("UPDATE memberships SET moving = false WHERE tenant_id = ")
        .bind(tx.tenant())
        .push(" AND user_id = ")
        .bind(user);
    tx.execute(sql).await?;
    Ok(())
}

/// When a member was changed last.
pub(super) async fn changed_at(tx: &mut Tx, user: UserId) -> Result<Option<DateTime<Utc>>> {
    let sql = Sql::new("SELECT updated_at FROM memberships WHERE tenant_id = ")
        .bind(tx.tenant())
        .push(" AND user_id = ")
        .bind(user);
    Ok(tx
        .column::<Option<DateTime<Utc>>>(sql)
        .await?
        .first()
        .copied()
        .flatten())
}

/// Deletes a membership whose records are all reassigned.
pub(super) async fn delete(tx: &mut Tx, member: &Member) -> Result<bool> {
    debug_assert_eq!(member.status, MembershipStatus::Leaving);
    let sql = Sql::new("DELETE FROM memberships WHERE tenant_id = ")
        .bind(tx.tenant())
        .push(" AND user_id = ")
        .bind(member.user_id);
    Ok(tx.execute(sql).await? > 0)
}

/// How many records of a member remain to be reassigned: all of one who leaves, those with another team path of one who
/// stays.
pub(super) async fn misplaced(tx: &mut ReadTx, kinds: OwnedKinds, member: &Member) -> Result<i64> {
    let mut sql = Sql::new("SELECT ");
    let leaves = member.status == MembershipStatus::Leaving;
    for (at, kind) in kinds.iter().enumerate() {
        sql = sql
            .push(if at == 0 { "(" } else { " + (" })
            .push("SELECT count(*) FROM ")
            .push(kind.table())
            .push(" t WHERE t.tenant_id = ")
            .bind(tx.tenant())
            .push(" AND t.owner_id = ")
            .bind(member.user_id)
            .push(" AND (t.team_path IS DISTINCT FROM ")
            .bind(member.team_path.clone())
            .push(" OR ")
            .bind(leaves)
            .push("))");
    }
    Ok(tx.column::<i64>(sql).await?.first().copied().unwrap_or(0))
}

/// Admins who are told of something that nobody answers for by themselves.
const MOST_TOLD: i64 = 10;

/// The address of an active member.
pub(super) async fn address(tx: &mut Tx, person: UserId) -> Result<Vec<String>> {
    let sql = addresses(tx).push(" AND m.user_id = ").bind(person);
    tx.column(sql).await
}

/// The addresses of some active admins.
pub(super) async fn addresses_of_admins(tx: &mut Tx) -> Result<Vec<String>> {
    let sql = addresses(tx).push(" AND m.role = 'ADMIN' ORDER BY m.user_id LIMIT ");
    tx.column(sql.bind(MOST_TOLD)).await
}

fn addresses(tx: &Tx) -> Sql {
    Sql::new("SELECT m.email FROM memberships m WHERE m.status = 'ACTIVE' AND m.tenant_id = ")
        .bind(tx.tenant())
}
