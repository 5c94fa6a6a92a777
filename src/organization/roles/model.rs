//! What a tenant's own role is, and what it may look like.

use async_graphql::Enum;
use dealgraph_derive::{Columns, OrderField, SchemaFields};
use serde::Serialize;
use serde_json::{Value as Json, json};
use uuid::Uuid;

use crate::{
    access::{BadPermission, Rights, Sensitive},
    base::{
        error::{Error, Result},
        ids::{RoleId, Typed as _},
        text::{self, Text},
    },
    db::list::Record,
    entity::{Entity, Stamps, UNARCHIVED},
};

/// A role that the tenant made.
#[derive(Debug, Clone, sqlx::FromRow, Columns)]
#[unread(name_normalized)]
pub struct CustomRole {
    #[sqlx(rename = "role_id")]
    #[column(once)]
    pub(super) id: RoleId,
    #[sqlx(flatten)]
    pub(super) fields: RoleFields,
    /// The permission to read is not scoped: it covers all roles of the tenant.
    #[column(select = "'|'")]
    pub(super) visible_to: String,
    #[sqlx(flatten)]
    #[column(parts = UNARCHIVED)]
    pub(super) stamps: Stamps,
}

/// What can be written of a role. Permissions and masks are the words that [`Rights`] reads.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, sqlx::FromRow, Columns, SchemaFields)]
pub struct RoleFields {
    /// What it is called.
    pub name: String,
    /// What it is for.
    #[column(long)]
    pub description: Option<String>,
    /// What it allows.
    #[graphql(skip)]
    pub permissions: Vec<String>,
    /// The sensitive fields that people with it are not shown.
    #[graphql(skip)]
    pub masks: Vec<String>,
}

impl RoleFields {
    /// Cleans and bounds all fields.
    pub(super) fn check(&mut self) -> Result<()> {
        Text::line("name").required(&mut self.name)?;
        Text::long("description").optional(&mut self.description)
    }

    /// Normalizes the permissions and masks into the form that roles are stored in.
    ///
    /// # Errors
    /// `UNKNOWN_PERMISSION`, `WIDER_THAN_NEEDED`.
    pub(super) fn grant(&mut self, permissions: &[String], masks: &[Sensitive]) -> Result<()> {
        let rights = parse(permissions, masks)?;
        self.permissions = rights.granted();
        let kept_back = Sensitive::ALL
            .into_iter()
            .filter(|what| !rights.shows(*what));
        self.masks = kept_back.map(|what| what.word().to_owned()).collect();
        Ok(())
    }

    /// What a member with the role may do.
    #[must_use]
    pub(super) fn rights(&self) -> Rights {
        Rights::stored(&self.permissions, &self.masks)
    }
}

/// Reads permissions that a client sent.
///
/// # Errors
/// `UNKNOWN_PERMISSION` on the place in the list, `WIDER_THAN_NEEDED` on the list.
pub(crate) fn parse(permissions: &[String], masks: &[Sensitive]) -> Result<Rights> {
    Rights::parse(permissions, masks).map_err(|bad| {
        let message = bad.to_string();
        match bad {
            BadPermission::Unknown(text) => {
                let place = permissions.iter().position(|sent| *sent == text);
                let field = format!("permissions.{}", place.unwrap_or_default());
                Error::invalid("UNKNOWN_PERMISSION", field, message)
            }
            BadPermission::Wider { .. } => {
                Error::invalid("WIDER_THAN_NEEDED", "permissions", message)
            }
        }
    })
}

/// What roles can be sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, OrderField)]
#[order(of = CustomRole)]
#[graphql(name = "CustomRoleOrderField")]
pub enum RoleOrderField {
    /// Its name, without regard to case.
    #[order(text = text::normalize(&self.fields.name), column = "name_normalized")]
    Name,
}

impl Record for CustomRole {
    const ARCHIVES: bool = false;
    type Order = RoleOrderField;

    fn key(&self) -> Uuid {
        self.id.uuid()
    }
}

impl Entity for CustomRole {
    fn stamps(&self) -> &Stamps {
        &self.stamps
    }

    fn visible_to(&self) -> &str {
        &self.visible_to
    }

    fn columns(&self) -> Json {
        json!(self.fields)
    }
}
