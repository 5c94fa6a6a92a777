//! All SQL that only keys need.

use super::model::ApiKey;
use crate::{
    base::{
        error::{Error, Result},
        ids::{ApiKeyId, Typed as _},
        text::normalize,
    },
    db::{Columns as _, Sql, Tx},
    organization::auth::ApiKeySecret,
};

pub(super) async fn insert(tx: &mut Tx, key: &ApiKey, secret: &ApiKeySecret) -> Result<ApiKey> {
    let sql = Sql::new(
        "INSERT INTO api_keys AS t (tenant_id, api_key_id, name, name_normalized, hint, secret_hash, role, role_id, \
         permissions, team_id, team_path, expires_at, rotated_from, trusted_documents_only, created_at, created_by) VALUES ",
    );
    let (tenant, f, s) = (tx.tenant(), &key.fields, &key.stamps);
    let sql = sql.row(|mut row| {
        row.bind(tenant)
            .bind(key.id)
            .bind(f.name.clone())
            .bind(normalize(&f.name))
            .bind(key.hint.clone())
            .bind(secret.hash())
            .bind(f.role)
            .bind(f.role_id)
            .bind(f.permissions.clone())
            .bind(f.team_id)
            .bind(f.team_path.clone())
            .bind(f.expires_at)
            .bind(f.rotated_from)
            .bind(f.trusted_documents_only)
            .bind(s.created_at)
            .bind(s.created_by.clone());
    });
    tx.optional(sql.push(" RETURNING ").push(ApiKey::select()))
        .await?
        .ok_or(Error::Forbidden("make keys"))
}

pub(super) async fn update(tx: &mut Tx, key: &ApiKey) -> Result<ApiKey> {
    let ApiKey {
        id,
        fields: f,
        stamps: s,
        ..
    } = key;
    let sql = Sql::new("UPDATE api_keys t SET name = ")
        .bind(f.name.clone())
        .push(", name_normalized = ")
        .bind(normalize(&f.name))
        .push(", expires_at = ")
        .bind(f.expires_at)
        .push(", revoked_at = ")
        .bind(f.revoked_at)
        .push(", version = ")
        .bind(s.version)
        .push(" WHERE t.tenant_id = ")
        .bind(tx.tenant())
        .push(" AND t.api_key_id = ")
        .bind(*id)
        .push(" RETURNING ")
        .push(ApiKey::select());
    tx.optional(sql)
        .await?
        .ok_or(Error::Forbidden("change this key"))
}

/// Whether a key was rotated before.
pub(super) async fn was_rotated(tx: &mut Tx, id: ApiKeyId) -> Result<bool> {
    let sql = Sql::new("SELECT count(*) FROM api_keys WHERE tenant_id = ")
        .bind(tx.tenant())
        .push(" AND rotated_from = ")
        .bind(id.uuid());
    Ok(tx.column::<i64>(sql).await?.first().is_some_and(|n| *n > 0))
}
