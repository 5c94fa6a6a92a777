//! Authorising an account at a service by OAuth 2.0: the person goes there, and comes back with a code.

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use super::{
    Connector, Integration, NewIntegration, activate, create, credentials::Credentials,
    require_authorizing, require_of, store,
};
use crate::{
    base::{
        error::{Error, Result},
        ids::{IntegrationId, TenantId, Typed as _},
        secret::{self, Secret},
    },
    db::{Tx, journal::Origin, list},
    entity,
    graphql::RequestContext,
    integrations::provider::{Authorization, OAuthClient, Provider},
    platform::Vault,
};

/// How long somebody may take at the service.
const PATIENCE: TimeDelta = TimeDelta::minutes(15);

/// What an authorisation is finished with.
#[derive(Serialize, Deserialize)]
struct Begun {
    verifier: String,
    redirect_uri: String,
    /// In whose name it was begun; nobody else finishes it.
    author: String,
}

/// The begin of an authorisation.
pub(super) struct Authorizing {
    pub(super) integration: Integration,
    /// Where the person is sent.
    pub(super) address: String,
}

/// Begins to authorise an account: a new one, or one again.
///
/// # Errors
/// `NOT_REGISTERED` on `redirectUri`, `NOT_APPLICABLE` for a service that takes keys; as [`create`].
pub(super) async fn begin(
    tx: &mut Tx,
    vault: &Vault,
    provider: &dyn Provider,
    account: Account,
    redirect_uri: &str,
) -> Result<Authorizing> {
    let client = client_of(provider)?;
    let integration = match account {
        Account::New(new) => create(tx, provider, new).await?,
        Account::Again(id, expected_version) => {
            let integration: Integration = entity::lock(tx, id.uuid(), expected_version).await?;
            require_authorizing(tx.actor(), provider, &integration)?;
            require_of(provider, &integration)?;
            integration
        }
    };
    let id = integration.id;
    // The address that the person comes back to says which account it is: others are not looked through for it.
    let state = format!("{}.{}", id.uuid().simple(), secret::token(""));
    let grant = client.begin(&state, redirect_uri)?;
    let begun = Begun {
        verifier: grant.verifier.expose().clone(),
        redirect_uri: redirect_uri.to_owned(),
        author: tx.author(),
    };
    let begun = serde_json::to_vec(&begun).map_err(Error::internal)?;
    let sealed = vault.seal(&place(tx.tenant(), id), &begun)?;
    let ends_at = tx.now() + PATIENCE;
    store::begin_authorization(tx, id, (secret::hash(&state), sealed), ends_at).await?;
    Ok(Authorizing {
        integration,
        address: grant.address,
    })
}

/// Which account is authorised.
pub(super) enum Account {
    /// One that there is not yet.
    New(NewIntegration),
    /// One that there is, expected at a version.
    Again(IntegrationId, Option<i32>),
}

/// The account that somebody came back for.
///
/// # Errors
/// `AUTHORIZATION_UNKNOWN` on `state`.
pub(super) fn account_of(state: &str) -> Result<IntegrationId> {
    let id = state.split_once('.').map(|(id, _)| id);
    let id = id.and_then(|id| uuid::Uuid::try_parse(id).ok());
    id.map(IntegrationId::from_uuid).ok_or_else(unknown)
}

impl Connector {
    /// Finishes an authorisation: exchanges the code, asks whose account it is, and keeps it in step from now on. The state
    /// is good once, whatever becomes of it.
    ///
    /// # Errors
    /// `AUTHORIZATION_UNKNOWN` on `state` for one that was used, is too old, or was begun by somebody else;
    /// `CREDENTIALS_REFUSED` on `code`; as [`activate`].
    pub(super) async fn finish(
        &self,
        request: &RequestContext,
        (state, code): (String, String),
    ) -> Result<Integration> {
        if request.is_committed() {
            return request.write(async |_| Err(unknown())).await;
        }
        let (actor, id) = (request.actor(), account_of(&state)?);
        let hash = secret::hash(&state);
        let origin = Origin::process("integrations");
        let taken = self.db.write(actor, &origin, async |tx| {
            let integration: Option<Integration> = list::find(tx, id.uuid()).await?;
            let sealed = store::take_authorization(tx, id, hash).await?;
            Ok(integration.zip(sealed))
        });
        let (integration, sealed) = taken.await?.ok_or_else(unknown)?;
        let begun = self.vault.open(&place(actor.tenant, id), &sealed)?;
        let begun: Begun = serde_json::from_slice(&begun).map_err(Error::internal)?;
        if begun.author != actor.author.to_string() {
            return Err(unknown());
        }
        let provider = self.providers.require(&integration.fields.provider)?;
        let client = client_of(provider.as_ref())?;
        let verifier = Secret::new(begun.verifier);
        let tokens = client.exchange(&self.outbound, &code, &verifier, &begun.redirect_uri);
        let tokens = tokens.await.map_err(|failure| failure.about("code"))?;
        let credentials = Credentials::of(&tokens, self.db.clock().now());
        let session = self.session(provider.as_ref(), &id.to_string(), &credentials);
        let session = session.map_err(|failure| failure.about("code"))?;
        let identity = provider.authenticate(&session).await;
        let identity = identity.map_err(|failure| failure.about("code"))?;
        let sealed = credentials.seal(&self.vault, id)?;
        request
            .write(async |tx| {
                let known = (identity, sealed);
                activate(tx, provider.as_ref(), (id, None), known, "code").await
            })
            .await
    }
}

fn client_of(provider: &dyn Provider) -> Result<&OAuthClient> {
    match &provider.about().authorization {
        Authorization::OAuth(client) => Ok(client.as_ref()),
        Authorization::ApiKey { .. } => {
            let message = "this service takes a key: use integrationConnect";
            Err(Error::invalid("NOT_APPLICABLE", "provider", message))
        }
    }
}

fn unknown() -> Error {
    let message =
        "this authorisation was used, is too old, or was begun by somebody else: begin again";
    Error::invalid("AUTHORIZATION_UNKNOWN", "state", message)
}

fn place(tenant: TenantId, id: IntegrationId) -> String {
    format!("integrationAuthorization:{}:{}", tenant.uuid(), id.uuid())
}
