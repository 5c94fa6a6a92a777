//! All SQL that only invitations need.

use super::{
    Invitation,
    accept::{ExistingAccount, Joining, NewAccount},
};
use crate::{
    base::{
        error::{Error, Result},
        ids::{InvitationId, TenantId, Typed as _, UserId},
        text::normalize,
    },
    db::{Columns as _, Registered as _, Sql, Statements, SystemTx, Tx, list},
    organization::members::invitations::secret::InvitationSecret,
};

pub(super) async fn insert(
    statements: &mut Statements,
    tenant: TenantId,
    new: &Invitation,
    normalized: &str,
    secret_hash: Vec<u8>,
) -> Result<Invitation> {
    let sql = Sql::new(
        "INSERT INTO invitations AS t (tenant_id, invitation_id, email, email_normalized, role, role_id, team_id, \
         secret_hash, sent_at, expires_at, created_at, created_by) VALUES (",
    )
    .bind(tenant)
    .push(", ")
    .bind(new.invitation_id)
    .push(", ")
    .bind(new.email.clone())
    .push(", ")
    .bind(normalized.to_owned())
    .push(", ")
    .bind(new.role)
    .push(", ")
    .bind(new.role_id)
    .push(", ")
    .bind(new.team_id)
    .push(", ")
    .bind(secret_hash)
    .push(", ")
    .bind(new.sent_at)
    .push(", ")
    .bind(new.expires_at)
    .push(", ")
    .bind(new.created_at)
    .push(", ")
    .bind(new.created_by.clone())
    .push(") RETURNING ")
    .push(Invitation::select());
    statements
        .optional(sql)
        .await?
        .ok_or(Error::Forbidden("invite people"))
}

/// Whether a person with this address is a member, suspended ones included.
pub(super) async fn is_member(tx: &mut Tx, normalized: &str) -> Result<bool> {
    let sql = Sql::new("SELECT count(*) FROM memberships WHERE tenant_id = ")
        .bind(tx.tenant())
        .push(" AND lower(email) = ")
        .bind(normalized.to_owned());
    Ok(tx.column::<i64>(sql).await?.first() != Some(&0))
}

/// The invitation of an address that was neither accepted nor revoked.
pub(super) async fn open_for(tx: &mut Tx, normalized: &str) -> Result<Option<Invitation>> {
    let sql = Sql::new("SELECT ")
        .push(Invitation::select())
        .push(" FROM invitations t WHERE t.tenant_id = ")
        .bind(tx.tenant())
        .push(" AND t.email_normalized = ")
        .bind(normalized.to_owned())
        .push(" AND t.accepted_at IS NULL AND t.revoked_at IS NULL");
    tx.optional(sql).await
}

/// Locks an invitation for a change, if it still is at the version that the change was made for.
pub(super) async fn lock(
    tx: &mut Tx,
    id: InvitationId,
    expected_version: Option<i32>,
) -> Result<Invitation> {
    let sql = list::by_id::<Invitation>(tx, id.uuid()).push(" FOR UPDATE");
    let Some(invitation) = tx.optional::<Invitation>(sql).await? else {
        return Err(match list::find::<Invitation>(tx, id.uuid()).await? {
            Some(_) => Error::Forbidden("change this invitation"),
            None => Error::NotFound {
                kind: Invitation::KIND,
                field: "id",
            },
        });
    };
    match expected_version {
        Some(expected) if expected != invitation.version => Err(Error::Conflict {
            kind: Invitation::KIND,
            version: invitation.version,
        }),
        _ => Ok(invitation),
    }
}

pub(super) async fn update(
    tx: &mut Tx,
    invitation: &Invitation,
    secret_hash: Option<Vec<u8>>,
) -> Result<Invitation> {
    let sql = Sql::new("UPDATE invitations t SET sent_at = ")
        .bind(invitation.sent_at)
        .push(", sent_count = ")
        .bind(invitation.sent_count)
        .push(", expires_at = ")
        .bind(invitation.expires_at)
        .push(", revoked_at = ")
        .bind(invitation.revoked_at)
        .push(", secret_hash = coalesce(")
        .bind(secret_hash)
        .push(", t.secret_hash), version = ")
        .bind(invitation.version)
        .push(" WHERE t.tenant_id = ")
        .bind(tx.tenant())
        .push(" AND t.invitation_id = ")
        .bind(invitation.invitation_id)
        .push(" RETURNING ")
        .push(Invitation::select());
    tx.optional(sql)
        .await?
        .ok_or(Error::Forbidden("change this invitation"))
}

/// Locks the invitation of a secret, if there is one.
pub(super) async fn opened_by(
    tx: &mut SystemTx,
    secret: &InvitationSecret,
) -> Result<Option<Invitation>> {
    let sql = Sql::new("SELECT ")
        .push(Invitation::select())
        .push(" FROM invitations t WHERE t.tenant_id = ")
        .bind(secret.tenant)
        .push(" AND t.invitation_id = ")
        .bind(secret.id)
        .push(" AND t.secret_hash = ")
        .bind(secret.hash())
        .push(" FOR UPDATE");
    tx.optional(sql).await
}

pub(super) async fn accepted(
    tx: &mut SystemTx,
    secret: &InvitationSecret,
    by: UserId,
) -> Result<()> {
    let sql = Sql::new("UPDATE invitations SET version = version + 1, accepted_at = ")
        .bind(tx.now())
        .push(", accepted_by = ")
        .bind(by)
        .push(" WHERE tenant_id = ")
        .bind(secret.tenant)
        .push(" AND invitation_id = ")
        .bind(secret.id);
    tx.execute(sql).await?;
    Ok(())
}

/// Makes the person a member, at the path that the invitation's team has now; false if they are one already.
pub(super) async fn join(
    tx: &mut SystemTx,
    secret: &InvitationSecret,
    invitation: &Invitation,
    joining: Joining,
) -> Result<bool> {
    let sql = Sql::new(
        "INSERT INTO memberships (tenant_id, user_id, email, name, name_normalized, role, role_id, team_id, invited_by, \
         created_at, team_path) VALUES (",
    )
    .bind(secret.tenant)
    .push(", ")
    .bind(joining.user_id)
    .push(", ")
    .bind(joining.email)
    .push(", ")
    .bind(joining.name.clone())
    .push(", ")
    .bind(normalize(&joining.name))
    .push(", ")
    .bind(invitation.role)
    .push(", ")
    .bind(invitation.role_id)
    .push(", ")
    .bind(invitation.team_id)
    .push(", ")
    .bind(invitation.created_by.clone())
    .push(", ")
    .bind(tx.now())
    .push(", (SELECT path FROM teams WHERE tenant_id = ")
    .bind(secret.tenant)
    .push(" AND team_id = ")
    .bind(invitation.team_id)
    .push(")) ON CONFLICT (tenant_id, user_id) DO NOTHING");
    Ok(tx.execute(sql).await? > 0)
}

/// The status of the tenant.
pub(super) async fn tenant_status(tx: &mut SystemTx, tenant: TenantId) -> Result<Option<String>> {
    let sql = Sql::new("SELECT status FROM tenants WHERE tenant_id = ").bind(tenant);
    Ok(tx.column::<String>(sql).await?.into_iter().next())
}

/// The person with an account for an address.
pub(super) async fn person(tx: &mut SystemTx, normalized: &str) -> Result<Option<ExistingAccount>> {
    let sql =
        Sql::new("SELECT user_id, email, name, password_hash FROM users WHERE email_normalized = ")
            .bind(normalized.to_owned());
    tx.optional(sql).await
}

/// Makes an account; false if there is one for the address.
pub(super) async fn add_person(tx: &mut SystemTx, new: NewAccount) -> Result<bool> {
    let now = tx.now();
    let sql = Sql::new(
        "INSERT INTO users (user_id, email, email_normalized, name, password_hash, password_changed_at, created_at) \
         VALUES ",
    )
    .row(|mut row| {
        row.bind(new.user_id)
            .bind(new.email)
            .bind(new.normalized)
            .bind(new.name)
            .bind(new.password_hash)
            .bind(now)
            .bind(now);
    })
    .push(" ON CONFLICT (email_normalized) DO NOTHING");
    Ok(tx.execute(sql).await? > 0)
}

/// The bearer of a mailed secret reads the mail of the address.
pub(super) async fn verify_address(tx: &mut SystemTx, user: UserId) -> Result<()> {
    let sql = Sql::new("UPDATE users SET email_verified_at = ")
        .bind(tx.now())
        .push(" WHERE email_verified_at IS NULL AND user_id = ")
        .bind(user);
    tx.execute(sql).await?;
    Ok(())
}
