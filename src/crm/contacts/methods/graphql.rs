//! Contact methods in the schema.

use async_graphql::{Context, InputObject, Object};
use chrono::{DateTime, Utc};

use super::{ContactMethod, ContactMethodKind, NewContactMethod};
use crate::{base::ids::ContactMethodId, graphql::ContextExt as _};

/// A way to reach a contact.
#[Object]
impl ContactMethod {
    /// The id, as `contactMethod:<uuid>`.
    async fn id(&self) -> ContactMethodId {
        self.id
    }

    /// What it is.
    async fn kind(&self) -> ContactMethodKind {
        self.kind
    }

    /// The address, number or name, as it was written; `•••` when your role does not show it.
    async fn value(&self, ctx: &Context<'_>) -> &str {
        match self.is_masked(ctx) {
            true => "•••",
            false => &self.value,
        }
    }

    /// Whether your role does not show the value.
    async fn masked(&self, ctx: &Context<'_>) -> bool {
        self.is_masked(ctx)
    }

    /// What it is for, for example `assistant`.
    async fn label(&self) -> Option<&str> {
        self.label.as_deref()
    }

    /// Whether it is the one to use of its kind.
    async fn preferred(&self) -> bool {
        self.preferred
    }

    /// Since when the contact does not want to be reached by it.
    async fn opted_out_at(&self) -> Option<DateTime<Utc>> {
        self.opted_out_at
    }
}

impl ContactMethod {
    fn is_masked(&self, ctx: &Context<'_>) -> bool {
        let rights = &ctx.request().actor().rights;
        !self.kind.sensitivity().is_shown(rights)
    }
}

/// A way to reach a contact, as a part of the whole list.
#[derive(Debug, InputObject)]
pub(in crate::crm::contacts) struct ContactMethodInput {
    /// Which of the contact's methods it is, to keep that one; leave it out for a new one.
    id: Option<ContactMethodId>,
    /// What it is.
    kind: ContactMethodKind,
    /// The address, number or name. Numbers have 5 to 20 digits, web addresses begin with http or https.
    value: String,
    /// What it is for, for example `assistant`.
    label: Option<String>,
    /// Whether it is the one to use of its kind, at most one is; the first is when none is said to be.
    #[graphql(default)]
    preferred: bool,
    /// Since when the contact does not want to be reached by it.
    opted_out_at: Option<DateTime<Utc>>,
}

impl From<ContactMethodInput> for NewContactMethod {
    fn from(input: ContactMethodInput) -> Self {
        let ContactMethodInput {
            id,
            kind,
            value,
            label,
            preferred,
            opted_out_at,
        } = input;
        Self {
            id,
            kind,
            value,
            label,
            preferred,
            opted_out_at,
        }
    }
}
