//! All SQL that only roles need.

use super::model::CustomRole;
use crate::{
    base::{
        error::{Error, Result},
        ids::RoleId,
        text::normalize,
    },
    db::{Columns as _, Sql, Tx},
};

pub(super) async fn insert(tx: &mut Tx, role: &CustomRole) -> Result<CustomRole> {
    let CustomRole {
        id,
        fields: f,
        stamps: s,
        ..
    } = role;
    let sql = Sql::new(
        "INSERT INTO roles AS t (tenant_id, role_id, name, name_normalized, description, permissions, masks, \
         created_at, created_by, updated_at, updated_by, version) VALUES ",
    );
    let (tenant, role) = (tx.tenant(), (*id, f.clone(), s.clone()));
    let sql = sql.row(move |mut row| {
        let (id, f, s) = role;
        row.bind(tenant)
            .bind(id)
            .bind(f.name.clone())
            .bind(normalize(&f.name))
            .bind(f.description)
            .bind(f.permissions)
            .bind(f.masks)
            .bind(s.created_at)
            .bind(s.created_by)
            .bind(s.updated_at)
            .bind(s.updated_by)
            .bind(s.version);
    });
    tx.optional(sql.push(" RETURNING ").push(CustomRole::select()))
        .await?
        .ok_or(Error::Forbidden("make roles"))
}

pub(super) async fn update(tx: &mut Tx, role: &CustomRole) -> Result<CustomRole> {
    let CustomRole {
        id,
        fields: f,
        stamps: s,
        ..
    } = role;
    let sql = Sql::new("UPDATE roles t SET name = ")
        .bind(f.name.clone())
        .push(", name_normalized = ")
        .bind(normalize(&f.name))
        .push(", description = ")
        .bind(f.description.clone())
        .push(", permissions = ")
        .bind(f.permissions.clone())
        .push(", masks = ")
        .bind(f.masks.clone())
        .push(", updated_at = ")
        .bind(s.updated_at)
        .push(", updated_by = ")
        .bind(s.updated_by.clone())
        .push(", version = ")
        .bind(s.version)
        .push(" WHERE t.tenant_id = ")
        .bind(tx.tenant())
        .push(" AND t.role_id = ")
        .bind(*id)
        .push(" RETURNING ")
        .push(CustomRole::select());
    tx.optional(sql)
        .await?
        .ok_or(Error::Forbidden("change this role"))
}

/// Removes what refers to a role and will never use it again: keys that are revoked or have ended, invitations that
/// were accepted or revoked. The audit log keeps their entries.
pub(super) async fn forget_what_is_over(tx: &mut Tx, id: RoleId) -> Result<()> {
    let sql = Sql::new("DELETE FROM api_keys WHERE tenant_id = ")
        .bind(tx.tenant())
        .push(" AND role_id = ")
        .bind(id)
        .push(" AND (revoked_at IS NOT NULL OR expires_at <= now())");
    tx.execute(sql).await?;
    let sql = Sql::new("DELETE FROM invitations WHERE tenant_id = ")
        .bind(tx.tenant())
        .push(" AND role_id = ")
        .bind(id)
        .push(" AND (revoked_at IS NOT NULL OR accepted_at IS NOT NULL)");
    tx.execute(sql).await?;
    Ok(())
}
