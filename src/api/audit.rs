//! The audit log in the schema.

use async_graphql::{ComplexObject, Context, Enum, ID, InputObject, Object, SimpleObject};
use chrono::{DateTime, Utc};
use dealgraph_derive::connection_args;

use crate::{
    api::{Node, node},
    base::{
        error::{Error, Result},
        ids::{AuditEntryId, UserId},
        text::Form,
    },
    db::{Direction, OrderTerm, Predicate},
    entity::FieldDiff,
    graphql::{
        Connection, ContextExt as _, Filter, ListArgs, Listing,
        filters::{Conditions, DateTimeFilter, IdFilter, TextFilter, order_input},
        scalars::{BigInt, JsonValue},
    },
    organization::{
        audit::{AuditEntry, AuditOrderField, log::EntryVisibility},
        members::User,
    },
};

/// Something that was done or tried. Entries are never changed and outlive what they are about.
#[Object]
impl AuditEntry {
    /// The id, as `auditEntry:<uuid>`.
    async fn id(&self) -> AuditEntryId {
        self.id
    }

    /// Its number in the tenant's log, without gaps.
    async fn seq(&self) -> BigInt {
        BigInt(self.seq)
    }

    /// When it happened.
    async fn occurred_at(&self) -> DateTime<Utc> {
        self.occurred_at
    }

    /// Who did it.
    async fn actor(&self) -> AuditActor {
        AuditActor::new(&self.actor)
    }

    /// What was done, for example `opportunity.updated`, `session.refused` or `access.foreign_id`.
    async fn action(&self) -> &str {
        &self.action
    }

    /// To what kind of record, for example `opportunity`.
    async fn entity(&self) -> Option<&str> {
        self.entity.as_deref()
    }

    /// To which one, as `<type>:<uuid>`. It may be gone.
    async fn entity_id(&self) -> Option<ID> {
        self.subject().map(ID)
    }

    /// The record itself, if it still exists and you may see it.
    async fn record(&self, ctx: &Context<'_>) -> Result<Option<Node>> {
        let Some(id) = self.subject() else {
            return Ok(None);
        };
        match node::find(ctx, &ID(id)).await {
            // Not everything that is done is done to an object of the schema.
            Err(Error::Invalid { .. }) => Ok(None),
            found => found,
        }
    }

    /// The fields with their values before and after, or the circumstances. Ways to reach people are kept shortened.
    /// You are shown the values that you could read in the record itself: without the permission to read its kind, or
    /// where your scope does not reach it (any more), all of them are masked.
    async fn changes(&self, ctx: &Context<'_>) -> Result<Vec<AuditChange>> {
        let rights = &ctx.request().actor().rights;
        let is_shown = match self.reach(rights) {
            EntryVisibility::All => true,
            EntryVisibility::None => false,
            EntryVisibility::Seen => self.record(ctx).await?.is_some(),
        };
        let changes = match is_shown {
            true => self.changes_for(rights, self.entity.as_deref().and_then(node::parts)),
            false => self.changes_hidden(rights),
        };
        Ok(changes.into_iter().map(AuditChange::from).collect())
    }

    /// The address it came from.
    async fn address(&self) -> Option<&str> {
        self.address.as_deref()
    }

    /// What the client said it was.
    async fn user_agent(&self) -> Option<&str> {
        self.user_agent.as_deref()
    }

    /// The request it was done by, as in the answer's header `x-request-id` and in the server's log.
    async fn request_id(&self) -> &str {
        &self.request_id
    }
}

/// A field of a record, or a circumstance, in an entry of the audit log.
#[derive(SimpleObject)]
struct AuditChange {
    /// Which field.
    field: String,
    /// Its value before; null when there was none.
    before: Option<JsonValue>,
    /// Its value after; null when there is none.
    after: Option<JsonValue>,
    /// Whether your role keeps the values from you, by its masks or its permissions.
    masked: bool,
}

impl From<FieldDiff> for AuditChange {
    fn from(change: FieldDiff) -> Self {
        Self {
            field: change.field,
            before: JsonValue::some(change.before),
            after: JsonValue::some(change.after),
            masked: change.masked,
        }
    }
}

/// Who did something, or tried to.
#[derive(SimpleObject)]
#[graphql(complex)]
struct AuditActor {
    /// What kind of actor it was.
    kind: AuditActorKind,
    /// The person's or the key's id, as `user:<uuid>` or `apiKey:<uuid>`.
    id: Option<ID>,
    /// The import's source, or what the server was doing.
    source: Option<String>,
    #[graphql(skip)]
    user: Option<UserId>,
}

/// Kinds of actors in the audit log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
enum AuditActorKind {
    /// A person.
    User,
    /// A program with a key.
    ApiKey,
    /// An import of data.
    Import,
    /// The server itself.
    System,
    /// A caller who was not signed in.
    Anonymous,
    /// A member of another tenant.
    Outside,
}

impl AuditActor {
    fn new(actor: &str) -> Self {
        let (what, rest) = actor.split_once(':').unwrap_or((actor, ""));
        let (kind, named) = match what {
            "user" => (AuditActorKind::User, true),
            "apiKey" => (AuditActorKind::ApiKey, true),
            "import" => (AuditActorKind::Import, false),
            "anonymous" => (AuditActorKind::Anonymous, false),
            "outside" => (AuditActorKind::Outside, false),
            _ => (AuditActorKind::System, false),
        };
        Self {
            kind,
            id: named.then(|| ID(actor.to_owned())),
            source: (!named && !rest.is_empty()).then(|| rest.to_owned()),
            user: actor.parse().ok(),
        }
    }
}

#[ComplexObject]
impl AuditActor {
    /// The person, when it was one who is still a member.
    async fn user(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        User::load(ctx, self.user).await
    }
}

/// Which entries of the audit log.
#[derive(Debug, Default, InputObject)]
pub struct AuditFilter {
    /// All of these hold.
    and: Option<Vec<AuditFilter>>,
    /// At least one of these holds.
    or: Option<Vec<AuditFilter>>,
    /// This does not hold.
    not: Option<Box<AuditFilter>>,
    /// By who did it: `user:<uuid>`, `apiKey:<uuid>`, `import:<source>`, `system:<what>`, `anonymous` or `outside`.
    actor: Option<TextFilter>,
    /// By what was done, for example `startsWith: "session."`.
    action: Option<TextFilter>,
    /// By the kind of record it was done to, for example `opportunity`.
    entity: Option<TextFilter>,
    /// By the record it was done to.
    entity_id: Option<IdFilter>,
    /// By when it happened.
    occurred_at: Option<DateTimeFilter>,
}

impl Filter for AuditFilter {
    fn predicate(self) -> Result<Predicate> {
        let mut all = Conditions::default();
        all.text("actor", "actor", self.actor, Form::Line)?;
        all.text("action", "action", self.action, Form::Line)?;
        all.text("entity", "entity", self.entity, Form::Line)?;
        all.any_id("entityId", "entity_id", self.entity_id)?;
        all.time("occurredAt", "occurred_at", self.occurred_at)?;
        all.finish(self.and, self.or, self.not)
    }
}

order_input! {
    /// One criterion of the order of the audit log.
    pub AuditOrder(AuditOrderField), descending
}

const USUAL_ORDER: OrderTerm<AuditOrderField> = OrderTerm {
    field: AuditOrderField::Seq,
    direction: Direction::Desc,
};

/// Reading the audit log.
#[derive(Default)]
pub struct AuditQuery;

#[connection_args]
#[Object]
impl AuditQuery {
    /// The tenant's audit log, the newest first unless ordered otherwise; empty without the permission `audit:read`.
    async fn audit_log(
        &self,
        ctx: &Context<'_>,
        #[list(never_archived)] args: ListArgs<AuditFilter, AuditOrder>,
    ) -> Result<Connection<AuditEntry>> {
        Listing::read(ctx, args.query(ctx.request().actor().tenant, USUAL_ORDER)?).await
    }
}
