//! Connecting an account by a key: the service is asked whose it is, and then it is active.

use async_graphql::InputObject;

use super::{
    Connector, Integration, NewIntegration, activate, create, credentials::Credentials, existing,
    require_authorizing, require_connecting, require_of,
};
use crate::{
    base::{
        error::{Error, Result},
        ids::IntegrationId,
    },
    graphql::RequestContext,
    integrations::provider::Authorization,
};

/// The longest key that is taken.
const KEY_BYTES: usize = 1_000;

/// An account of a service that takes keys.
#[derive(InputObject)]
pub(super) struct IntegrationConnectInput {
    /// The key of the service.
    provider: String,
    /// The account's key, as it is copied from the service.
    api_key: String,
    /// An account that is there and gets another key; leave it out for a new one.
    pub(super) id: Option<IntegrationId>,
    /// The version that it is expected at; another one answers CONFLICT.
    expected_version: Option<i32>,
    /// What it is called; the service's name if it is left out. Not taken with `id`.
    name: Option<String>,
    /// How often it is looked at, 5 to 1440 minutes; as is usual for the service if it is left out. Not taken with `id`.
    sync_every_minutes: Option<i32>,
}

/// Connects an account by a key, or gives one another key.
///
/// # Errors
/// `INVALID_KEY`, `CREDENTIALS_REFUSED` on `apiKey`; `NOT_APPLICABLE`, `NOT_FOUND` on `provider`; as [`create`] and
/// [`activate`].
pub(super) async fn connect(
    request: &RequestContext,
    connector: &Connector,
    input: IntegrationConnectInput,
) -> Result<Integration> {
    let provider = connector.providers.require(&input.provider)?.as_ref();
    if matches!(provider.about().authorization, Authorization::OAuth(_)) {
        let message = "people are sent to this service: use integrationAuthorize";
        return Err(Error::invalid("NOT_APPLICABLE", "provider", message));
    }
    let id = input.id.unwrap_or_default();
    let mut known = None;
    if !request.is_committed() {
        // The service is not asked for who may not connect it.
        require_connecting(request.actor(), provider)?;
        let key = input.api_key.trim();
        let is_sound =
            (1..=KEY_BYTES).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_graphic());
        if !is_sound {
            let message = "expected a key as the service shows it";
            return Err(Error::invalid("INVALID_KEY", "apiKey", message));
        }
        let credentials = Credentials::ApiKey {
            key: key.to_owned(),
        };
        // Keys are guessed by nobody through us: all tries of a tenant count together until the account is there.
        let account = match input.id {
            Some(id) => id.to_string(),
            None => format!("{} {}", request.actor().tenant, provider.about().key),
        };
        let session = connector.session(provider, &account, &credentials);
        let session = session.map_err(|failure| failure.about("apiKey"))?;
        let identity = provider.authenticate(&session).await;
        let identity = identity.map_err(|failure| failure.about("apiKey"))?;
        known = Some((identity, credentials.seal(&connector.vault, id)?));
    }
    let new = NewIntegration {
        id,
        name: input.name,
        sync_every_minutes: input.sync_every_minutes,
    };
    request
        .write(async |tx| {
            let known = known.ok_or_else(|| Error::internal("it was connected already"))?;
            match input.id {
                Some(_) => {
                    let known = existing(tx, id).await?;
                    require_authorizing(tx.actor(), provider, &known)?;
                    require_of(provider, &known)?;
                }
                None => {
                    create(tx, provider, new).await?;
                }
            }
            let expected = input.expected_version;
            activate(tx, provider, (id, expected), known, "apiKey").await
        })
        .await
}
