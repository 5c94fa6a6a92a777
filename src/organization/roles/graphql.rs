//! Roles in the schema: what can be read.

use std::sync::Arc;

use async_graphql::{Context, Object, SimpleObject};
use chrono::{DateTime, Utc};
use dealgraph_derive::connection_args;

use super::{
    CustomRole, RoleFields,
    filter::{CustomRoleFilter, CustomRoleOrder, USUAL_ORDER},
};
use crate::{
    access::{RecordKind, Rights, Role, Scope, Sensitive},
    base::{
        error::Result,
        ids::{RoleId, Typed as _},
    },
    db::list::Relation,
    graphql::{Connection, ContextExt as _, ListArgs, Listing, RecordRights},
    organization::members::{self, ChangeAuthor, Member, MembershipFilter, MembershipOrder},
};

static MEMBERS: Relation = Relation {
    name: "role.members",
    link: None,
    key: "t.role_id",
};

/// Which rows of a kind of record are reached, for reading, writing and deleting.
#[derive(Debug, Clone, Copy, SimpleObject)]
#[graphql(name = "PermissionScopes")]
pub struct ScopeOfKind {
    /// The kind of record, as permissions name it: `opportunities` for example.
    kind: &'static str,
    /// Which ones are seen.
    read: Scope,
    /// Which ones are changed, archived and restored.
    write: Scope,
    /// Which ones are deleted for good.
    delete: Scope,
}

/// The scopes of all kinds of records.
#[must_use]
pub fn scopes_of(rights: &Rights) -> Vec<ScopeOfKind> {
    let of_kind = |kind: RecordKind| ScopeOfKind {
        kind: kind.word(),
        read: rights.sees(kind),
        write: rights.edits(kind),
        delete: rights.deletes(kind),
    };
    RecordKind::ALL.map(of_kind).to_vec()
}

/// A role that the tenant made.
#[connection_args]
#[Object]
impl CustomRole {
    /// The id, as `role:<uuid>`.
    pub async fn id(&self) -> RoleId {
        self.id
    }

    #[graphql(flatten)]
    async fn fields(&self) -> &RoleFields {
        &self.fields
    }

    /// What it allows: `<records>:<read|write|delete>:<own|team|all>`, for example `opportunities:write:own`, and
    /// permissions without a scope such as `audit:read`.
    async fn permissions(&self) -> Vec<String> {
        self.fields.rights().granted()
    }

    /// The same by kind of record.
    async fn scopes(&self) -> Vec<ScopeOfKind> {
        scopes_of(&self.fields.rights())
    }

    /// The sensitive fields that people with this role are not shown.
    async fn masks(&self) -> Vec<Sensitive> {
        self.fields.rights().masks().to_vec()
    }

    /// Who has it.
    async fn memberships(
        &self,
        ctx: &Context<'_>,
        #[list(never_archived)] args: ListArgs<MembershipFilter, MembershipOrder>,
    ) -> Result<Connection<Member>> {
        let query = args.query(ctx.request().actor().tenant, members::USUAL_ORDER)?;
        Listing::below(ctx, &MEMBERS, self.id.uuid(), query).await
    }

    /// What you may do with it; rights that you do not have can't be put into it all the same.
    async fn can(&self, ctx: &Context<'_>) -> RecordRights {
        let runs = ctx.request().actor().may("admin");
        RecordRights {
            update: runs,
            delete: runs,
        }
    }

    /// When it was made.
    async fn created_at(&self) -> DateTime<Utc> {
        self.stamps.created_at
    }

    /// Who made it.
    async fn created_by(&self) -> ChangeAuthor {
        ChangeAuthor::new(&self.stamps.created_by)
    }

    /// When it last changed.
    async fn updated_at(&self) -> DateTime<Utc> {
        self.stamps.updated_at
    }

    /// Who changed it last.
    async fn updated_by(&self) -> ChangeAuthor {
        ChangeAuthor::new(&self.stamps.updated_by)
    }

    /// Counts changes; send it back as `expectedVersion` to not overwrite another change.
    async fn version(&self) -> i32 {
        self.stamps.version
    }
}

/// A role that every tenant has. It can't be changed.
pub struct BuiltInRole(Role);

/// A role that every tenant has. It can't be changed.
#[Object]
impl BuiltInRole {
    /// The role.
    async fn role(&self) -> Role {
        self.0
    }

    /// What it is for.
    async fn description(&self) -> &str {
        match self.0 {
            Role::Admin => "Runs the tenant: everything, everywhere.",
            Role::Manager => {
                "Leads a team: sees and changes what the team and its sub-teams own; sees all companies and contacts."
            }
            Role::SalesRep => {
                "Sells: sees and changes their own deals, leads and activities; sees all companies and contacts."
            }
            Role::Analyst => "Reads everything and exports it; changes nothing.",
            Role::Viewer => "Reads everything; changes nothing.",
            Role::Custom => "A role that the tenant made.",
        }
    }

    /// What it allows, in the same words as a role of the tenant's own.
    async fn permissions(&self) -> Vec<String> {
        self.0.rights().granted()
    }

    /// The same by kind of record.
    async fn scopes(&self) -> Vec<ScopeOfKind> {
        scopes_of(&self.0.rights())
    }

    /// The sensitive fields that it does not show.
    async fn masks(&self) -> Vec<Sensitive> {
        self.0.rights().masks().to_vec()
    }
}

/// Reading roles.
#[derive(Default)]
pub struct RoleQuery;

#[connection_args]
#[Object]
impl RoleQuery {
    /// The roles that every tenant has.
    async fn built_in_roles(&self) -> Vec<BuiltInRole> {
        Role::ALL.map(BuiltInRole).into()
    }

    /// A role of the tenant's own by its id; null when there is none that you may see.
    async fn role(&self, ctx: &Context<'_>, id: RoleId) -> Result<Option<Arc<CustomRole>>> {
        ctx.request().load(Some(id.uuid())).await
    }

    /// The roles that the tenant made, by name.
    async fn roles(
        &self,
        ctx: &Context<'_>,
        #[list(never_archived)] args: ListArgs<CustomRoleFilter, CustomRoleOrder>,
    ) -> Result<Connection<CustomRole>> {
        Listing::read(ctx, args.query(ctx.request().actor().tenant, USUAL_ORDER)?).await
    }
}
