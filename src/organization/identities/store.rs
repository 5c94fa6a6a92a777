//! The SQL of external identities. All of it runs as the system: there is no actor yet.

use crate::{
    base::{
        error::Result,
        ids::{TenantId, UserId},
    },
    db::{Sql, SystemTx},
    organization::auth::TenantName,
};

use super::ExternalIdentity;

/// What a tenant requires of a sign-in.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(super) struct SignInPolicy {
    pub(super) tenant_id: TenantId,
    pub(super) required_provider: Option<String>,
    pub(super) second_factor_required: bool,
}

/// A person by their address.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct Addressee {
    pub(super) user_id: UserId,
    /// No other person can have registered the address: it was verified, or there is no password to it.
    pub(super) is_owned: bool,
}

pub(super) async fn sign_in_policy(
    tx: &mut SystemTx,
    tenant: &TenantName,
) -> Result<Option<SignInPolicy>> {
    let columns =
        "SELECT t.tenant_id, t.required_provider, t.second_factor_required FROM tenants t WHERE ";
    let sql = match tenant {
        TenantName::Id(id) => Sql::new(columns).push("t.tenant_id = ").bind(*id),
        TenantName::Slug(slug) => Sql::new(columns).push("t.slug = ").bind(slug.clone()),
    };
    tx.optional(sql).await
}

pub(super) async fn find(tx: &mut SystemTx, identity: &ExternalIdentity) -> Result<Option<UserId>> {
    let sql = Sql::new(
        "SELECT i.user_id FROM identities i JOIN users u ON u.user_id = i.user_id \
         WHERE u.active AND i.issuer = ",
    )
    .bind(identity.issuer.clone())
    .push(" AND i.subject = ")
    .bind(identity.subject.clone());
    Ok(tx.column(sql).await?.first().copied())
}

pub(super) async fn addressee(tx: &mut SystemTx, email: &str) -> Result<Option<Addressee>> {
    let sql = Sql::new(
        "SELECT user_id, (email_verified_at IS NOT NULL OR password_hash IS NULL) AS is_owned \
         FROM users WHERE active AND email_normalized = ",
    )
    .bind(email.to_owned());
    tx.optional(sql).await
}

pub(super) async fn is_member(tx: &mut SystemTx, tenant: TenantId, user: UserId) -> Result<bool> {
    let sql = Sql::new("SELECT 1 FROM memberships m WHERE m.status = 'ACTIVE' AND m.tenant_id = ")
        .bind(tenant)
        .push(" AND m.user_id = ")
        .bind(user);
    Ok(!tx.column::<i32>(sql).await?.is_empty())
}

/// Links an identity to a person, whose address the issuer has checked thereby; false when a concurrent request did.
pub(super) async fn link(
    tx: &mut SystemTx,
    identity: &ExternalIdentity,
    user: UserId,
) -> Result<bool> {
    let now = tx.now();
    let sql =
        Sql::new("INSERT INTO identities (issuer, subject, user_id, email, linked_at) VALUES (")
            .bind(identity.issuer.clone())
            .push(", ")
            .bind(identity.subject.clone())
            .push(", ")
            .bind(user)
            .push(", ")
            .bind(identity.verified_email.clone().unwrap_or_default())
            .push(", ")
            .bind(now)
            .push(") ON CONFLICT (issuer, subject) DO NOTHING");
    if tx.execute(sql).await? == 0 {
        return Ok(false);
    }
    let sql = Sql::new("UPDATE users SET email_verified_at = ")
        .bind(now)
        .push(" WHERE email_verified_at IS NULL AND user_id = ")
        .bind(user);
    tx.execute(sql).await?;
    Ok(true)
}
