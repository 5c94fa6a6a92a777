//! Accounts at services: connected, authorised again, paused and disconnected.
//!
//! An account is the tenant's, or a person's where the service has one for each. What it authenticates with is sealed
//! ([`credentials`]); nobody is ever shown it. It acts with the rights of who authorised it last.

mod authorize;
mod connect;
pub(in crate::integrations) mod credentials;
mod disconnect;
mod filter;
mod graphql;
mod model;
mod mutation;
mod notice;
mod store;
mod subscription;
mod synchronizer;

use std::sync::Arc;

pub use disconnect::DisconnectHandler;
pub use filter::{IntegrationFilter, IntegrationOrder};
pub use graphql::IntegrationQuery;
pub use model::{Integration, IntegrationFields, IntegrationOrderField, IntegrationStatus};
pub use mutation::IntegrationMutation;
pub use subscription::{IntegrationEvent, IntegrationSubscription};
pub(in crate::integrations) use synchronizer::Nobody;
pub use synchronizer::Synchronizer;

use crate::{
    access::Actor,
    base::{
        error::{Error, Result},
        ids::{IntegrationId, Typed as _},
    },
    db::{
        Db, Tx,
        journal::{Entry, EventKind},
        list,
    },
    entity::{self, Stamps},
    integrations::{
        provider::{BelongsTo, Identity, Provider, ProviderFailure, Providers},
        sync::{self, SyncMode, SyncRequest, SyncTrigger},
    },
    platform::{Vault, outbound::Outbound, redis::Throttle},
};

/// How many accounts a tenant may have.
const MOST: i64 = 200;

/// What accounts are connected with, and services asked for them.
pub struct Connector {
    pub(in crate::integrations) db: Db,
    pub(in crate::integrations) providers: Providers,
    pub(in crate::integrations) outbound: Outbound,
    pub(in crate::integrations) throttle: Throttle,
    pub(in crate::integrations) vault: Arc<Vault>,
}

impl Connector {
    /// Puts it together.
    #[must_use]
    pub fn new(
        db: Db,
        providers: Providers,
        outbound: Outbound,
        throttle: Throttle,
        vault: Arc<Vault>,
    ) -> Self {
        Self {
            db,
            providers,
            outbound,
            throttle,
            vault,
        }
    }

    /// The service of an account.
    ///
    /// # Errors
    /// `PROVIDER_UNKNOWN`: this server does not have it (any more).
    pub(in crate::integrations) fn provider_of(
        &self,
        integration: &Integration,
    ) -> Result<&Arc<dyn Provider>, ProviderFailure> {
        let provider = self.providers.get(&integration.fields.provider);
        provider.ok_or_else(|| ProviderFailure::Unavailable {
            code: "PROVIDER_UNKNOWN",
            message: "this installation does not have the service".to_owned(),
        })
    }
}

/// An account that there is.
///
/// # Errors
/// `NOT_FOUND`.
async fn existing(tx: &mut Tx, id: IntegrationId) -> Result<Integration> {
    let found: Option<Integration> = list::find(tx, id.uuid()).await?;
    found.ok_or(Error::NotFound {
        kind: "integration",
        field: "id",
    })
}

/// An account to be connected.
#[derive(Debug, Clone)]
pub(super) struct NewIntegration {
    pub(super) id: IntegrationId,
    pub(super) name: Option<String>,
    pub(super) sync_every_minutes: Option<i32>,
}

/// Whether the actor may connect accounts of a service.
///
/// # Errors
/// `FORBIDDEN`.
pub(super) fn require_connecting(actor: &Actor, provider: &dyn Provider) -> Result<()> {
    let may = match provider.about().belongs_to {
        BelongsTo::Tenant => actor.may("integrations:write"),
        BelongsTo::Person => actor.person().is_some(),
    };
    // What they are not shown here, a service would be told.
    match may && actor.rights.masks().is_empty() {
        true => Ok(()),
        false => Err(Error::Forbidden("connect this service")),
    }
}

/// Whether the actor may authorise an account that is there: nobody takes a person's account over.
///
/// # Errors
/// `FORBIDDEN`.
pub(super) fn require_authorizing(
    actor: &Actor,
    provider: &dyn Provider,
    integration: &Integration,
) -> Result<()> {
    require_connecting(actor, provider)?;
    match integration.fields.user_id == actor.person() || integration.fields.user_id.is_none() {
        true => Ok(()),
        false => Err(Error::Forbidden("authorise somebody else's account")),
    }
}

/// Refuses an account of another service than is named.
///
/// # Errors
/// `NOT_APPLICABLE` on `provider`.
pub(super) fn require_of(provider: &dyn Provider, integration: &Integration) -> Result<()> {
    match integration.fields.provider == provider.about().key {
        true => Ok(()),
        false => {
            let message = "the account is one of another service";
            Err(Error::invalid("NOT_APPLICABLE", "provider", message))
        }
    }
}

/// Makes an account that is not authorised yet.
///
/// # Errors
/// `BLANK`, `TOO_LONG`, `OUT_OF_RANGE`, `QUOTA_EXCEEDED`, `FORBIDDEN`.
pub(super) async fn create(
    tx: &mut Tx,
    provider: &dyn Provider,
    new: NewIntegration,
) -> Result<Integration> {
    require_connecting(tx.actor(), provider)?;
    let about = provider.about();
    let user_id = match about.belongs_to {
        BelongsTo::Person => tx.actor().person(),
        BelongsTo::Tenant => None,
    };
    let usual = i32::try_from(about.sync_every.as_secs() / 60).unwrap_or(i32::MAX);
    let mut fields = IntegrationFields {
        provider: about.key.to_owned(),
        name: new.name.unwrap_or_else(|| about.name.to_owned()),
        user_id,
        status: IntegrationStatus::Connecting,
        status_since: tx.now(),
        status_reason: None,
        external_account: None,
        external_name: None,
        sync_every_minutes: new.sync_every_minutes.unwrap_or(usual),
        runs_as: tx.author(),
    };
    fields.check()?;
    entity::require_fewer::<Integration>(tx, MOST, "integrations").await?;
    let integration = Integration {
        id: new.id,
        fields,
        visible_to: match user_id {
            Some(_) => tx.actor().me(),
            None => "|".to_owned(),
        },
        stamps: Stamps::new(tx, None),
    };
    let integration = entity::insert(tx, &[integration]).await?.remove(0);
    entity::emit_created(tx, &integration, &integration.fields);
    Ok(integration)
}

/// Has an account be active with credentials that the service has said whose they are, and keeps its records in step from
/// now on.
///
/// # Errors
/// `OTHER_ACCOUNT` on `field` for credentials of another account than it was; `NOT_FOUND`, `CONFLICT`, `FORBIDDEN`.
pub(super) async fn activate(
    tx: &mut Tx,
    provider: &dyn Provider,
    (id, expected_version): (IntegrationId, Option<i32>),
    (identity, sealed): (Identity, Vec<u8>),
    field: &'static str,
) -> Result<Integration> {
    let (now, author) = (tx.now(), tx.author());
    let act = async |tx: &mut Tx, integration: &mut Integration| {
        let fields = &mut integration.fields;
        let known = fields.external_account.as_ref();
        if known.is_some_and(|known| *known != identity.external_id) {
            let message =
                "this is another account of the service than it was: connect that one by itself";
            return Err(Error::invalid("OTHER_ACCOUNT", field, message));
        }
        fields.external_account = Some(identity.external_id);
        fields.external_name = Some(identity.name);
        fields.runs_as = author;
        fields.stand(IntegrationStatus::Active, None, now);
        store::set_credentials(tx, id, Some(sealed)).await
    };
    let id = (id, expected_version);
    let integration = entity::change(tx, id, EventKind::Updated, act).await?;
    let request = SyncRequest {
        mode: None,
        trigger: SyncTrigger::Connected,
        may_remove: false,
    };
    let kinds = provider.about().kind_names();
    sync::request(tx, &integration, kinds, request).await?;
    Ok(integration)
}

/// Changes what an account is called and how often it is looked at.
///
/// # Errors
/// `BLANK`, `TOO_LONG`, `OUT_OF_RANGE`; `NOT_FOUND`, `CONFLICT`, `FORBIDDEN`.
pub(super) async fn update(
    tx: &mut Tx,
    id: (IntegrationId, Option<i32>),
    change: impl FnOnce(&mut IntegrationFields),
) -> Result<Integration> {
    let act = async |_: &mut Tx, integration: &mut Integration| {
        change(&mut integration.fields);
        integration.fields.check()
    };
    entity::change(tx, id, EventKind::Updated, act).await
}

/// Has an account's records be kept in step no more, until it is resumed. A page that is being written is.
///
/// # Errors
/// `NOT_ACTIVE`; `NOT_FOUND`, `CONFLICT`, `FORBIDDEN`.
pub(super) async fn pause(tx: &mut Tx, id: (IntegrationId, Option<i32>)) -> Result<Integration> {
    let now = tx.now();
    let act = async |_: &mut Tx, integration: &mut Integration| {
        require(
            integration,
            IntegrationStatus::Active,
            "NOT_ACTIVE",
            "it is not active",
        )?;
        integration
            .fields
            .stand(IntegrationStatus::Paused, None, now);
        Ok(())
    };
    entity::change(tx, id, EventKind::Suspended, act).await
}

/// Has a paused account's records be kept in step again, what changed meanwhile among them.
///
/// # Errors
/// `NOT_PAUSED`; `NOT_FOUND`, `CONFLICT`, `FORBIDDEN`.
pub(super) async fn resume(
    tx: &mut Tx,
    provider: &dyn Provider,
    id: (IntegrationId, Option<i32>),
) -> Result<Integration> {
    let now = tx.now();
    let act = async |_: &mut Tx, integration: &mut Integration| {
        require(
            integration,
            IntegrationStatus::Paused,
            "NOT_PAUSED",
            "it is not paused",
        )?;
        integration
            .fields
            .stand(IntegrationStatus::Active, None, now);
        Ok(())
    };
    let integration = entity::change(tx, id, EventKind::Resumed, act).await?;
    let request = SyncRequest {
        mode: None,
        trigger: SyncTrigger::Request,
        may_remove: false,
    };
    let kinds = provider.about().kind_names();
    sync::request(tx, &integration, kinds, request).await?;
    Ok(integration)
}

/// Brings records of an account in step now, and not when it is their turn.
///
/// # Errors
/// `NOT_ACTIVE`; `NOT_FOUND` on `kinds`; `NOT_FOUND`, `CONFLICT`, `FORBIDDEN`.
pub(super) async fn sync_now(
    tx: &mut Tx,
    provider: &dyn Provider,
    (id, expected_version): (IntegrationId, Option<i32>),
    kinds: Option<Vec<String>>,
    (mode, may_remove): (SyncMode, bool),
) -> Result<Integration> {
    let integration: Integration = entity::lock(tx, id.uuid(), expected_version).await?;
    require(
        &integration,
        IntegrationStatus::Active,
        "NOT_ACTIVE",
        "it is not active: resume or authorise it first",
    )?;
    let about = provider.about();
    let mut asked = Vec::new();
    match &kinds {
        Some(kinds) => {
            for kind in kinds {
                let known = about.kind(kind).ok_or(Error::NotFound {
                    kind: "kind of records",
                    field: "kinds",
                })?;
                asked.push(known.name);
            }
        }
        None => asked = about.kind_names(),
    }
    let request = SyncRequest {
        mode: Some(mode),
        trigger: SyncTrigger::Request,
        may_remove,
    };
    sync::request(tx, &integration, asked, request).await?;
    let entry = Entry::new(tx.author(), "integration.sync_requested");
    tx.note(entry.about("integration", id.uuid()));
    Ok(integration)
}

fn require(
    integration: &Integration,
    status: IntegrationStatus,
    code: &'static str,
    message: &str,
) -> Result<()> {
    match integration.fields.status == status {
        true => Ok(()),
        false => Err(Error::invalid(code, "id", message)),
    }
}
