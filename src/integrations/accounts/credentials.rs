//! What accounts authenticate with: sealed in the database, opened to ask the service, refreshed by one at a time.
//!
//! Services that hand out another refresh token each time end the one before, so two who refresh at once would lock each
//! other out. Who refreshes takes a lease in the account's row, of the database's clock, and stores the new tokens before
//! anybody uses them. Others wait for that.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::{Connector, Integration, store};
use crate::{
    access::Actor,
    base::{
        error::{Error, Result},
        ids::{IntegrationId, TenantId, Typed as _},
        secret::Secret,
    },
    db::journal::Origin,
    integrations::provider::{
        Authorization, Provider, ProviderFailure, Session, Tokens, authorization, counter,
    },
    platform::Vault,
};

/// Tokens that end sooner are refreshed before they are used.
const SOON: TimeDelta = TimeDelta::seconds(60);
/// How long who refreshes has for it.
pub(super) const LEASE: Duration = Duration::from_secs(45);
/// How often those who wait look.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// How often at the most: longer than the lease.
const LOOKS: u32 = 240;

/// What an account authenticates with.
#[derive(Clone, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "snake_case")]
pub(in crate::integrations) enum Credentials {
    /// By OAuth 2.0.
    OAuth {
        access: String,
        refresh: Option<String>,
        ends_at: Option<DateTime<Utc>>,
    },
    /// By a key.
    ApiKey { key: String },
}

impl Credentials {
    /// Those that a service gave now.
    pub(super) fn of(tokens: &Tokens, now: DateTime<Utc>) -> Self {
        let lasts = tokens
            .lasts
            .and_then(|lasts| TimeDelta::from_std(lasts).ok());
        Self::OAuth {
            access: tokens.access.expose().clone(),
            refresh: tokens.refresh.as_ref().map(|token| token.expose().clone()),
            ends_at: lasts.and_then(|lasts| now.checked_add_signed(lasts)),
        }
    }

    pub(super) fn seal(&self, vault: &Vault, id: IntegrationId) -> Result<Vec<u8>> {
        let text = serde_json::to_vec(self).map_err(Error::internal)?;
        vault.seal(&place(id), &text)
    }

    fn open(vault: &Vault, id: IntegrationId, sealed: &[u8]) -> Result<Self> {
        let text = vault.open(&place(id), sealed)?;
        serde_json::from_slice(&text).map_err(Error::internal)
    }

    /// What is sent.
    fn sent(&self) -> &str {
        match self {
            Self::OAuth { access, .. } => access,
            Self::ApiKey { key } => key,
        }
    }

    fn is_good(&self, now: DateTime<Utc>) -> bool {
        match self {
            Self::OAuth { ends_at, .. } => ends_at.is_none_or(|ends| now + SOON < ends),
            Self::ApiKey { .. } => true,
        }
    }
}

fn place(id: IntegrationId) -> String {
    format!("integration:{}", id.uuid())
}

/// A session, and what it authenticates with, to tell afterwards whether that has been replaced.
pub(in crate::integrations) struct Opened {
    pub(in crate::integrations) session: Session,
    pub(in crate::integrations) used: Secret<String>,
}

/// Why an account can't be asked.
pub(in crate::integrations) enum Shut {
    /// The service.
    Provider(ProviderFailure),
    /// The server.
    Server(Error),
}

impl From<ProviderFailure> for Shut {
    fn from(failure: ProviderFailure) -> Self {
        Self::Provider(failure)
    }
}

impl From<Error> for Shut {
    fn from(error: Error) -> Self {
        Self::Server(error)
    }
}

impl Connector {
    /// A session for an account. Credentials that end soon are refreshed first, and those that the service has refused
    /// (`refused`), unless somebody else has.
    ///
    /// # Errors
    /// [`Shut`]; `Unauthorized` when somebody has to authorise the account again.
    pub(in crate::integrations) async fn open(
        &self,
        tenant: TenantId,
        integration: &Integration,
        refused: Option<&Secret<String>>,
    ) -> Result<Opened, Shut> {
        let provider = self.provider_of(integration)?;
        let id = integration.id;
        for _ in 0..LOOKS {
            let (sealed, is_refreshed) = self.read(tenant, id).await?;
            let sealed = sealed.ok_or(ProviderFailure::Unauthorized)?;
            let known = Credentials::open(&self.vault, id, &sealed)?;
            let is_refused = refused.is_some_and(|refused| refused.expose() == known.sent());
            if known.is_good(self.db.clock().now()) && !is_refused {
                return self.opened(provider.as_ref(), id, &known);
            }
            let Credentials::OAuth {
                refresh: Some(refresh),
                ..
            } = &known
            else {
                return Err(ProviderFailure::Unauthorized.into());
            };
            let fence = match is_refreshed {
                true => None,
                false => self.take(tenant, id, sealed).await?,
            };
            match fence {
                Some(fence) => {
                    let refresh = Secret::new(refresh.clone());
                    let refreshed = self.refresh(tenant, id, provider.as_ref(), refresh, fence);
                    // However short it is good: it is used at once.
                    return self.opened(provider.as_ref(), id, &refreshed.await?);
                }
                None => tokio::time::sleep(LOOK_EVERY).await,
            }
        }
        Err(ProviderFailure::Unavailable {
            code: "REFRESH_BLOCKED",
            message: "the credentials are being refreshed for too long".to_owned(),
        }
        .into())
    }

    fn opened(
        &self,
        provider: &dyn Provider,
        id: IntegrationId,
        credentials: &Credentials,
    ) -> Result<Opened, Shut> {
        Ok(Opened {
            session: self.session(provider, &id.to_string(), credentials)?,
            used: Secret::new(credentials.sent().to_owned()),
        })
    }

    /// A session with credentials that need not be stored yet.
    ///
    /// # Errors
    /// `Unauthorized` for what can't be sent.
    pub(in crate::integrations) fn session(
        &self,
        provider: &dyn Provider,
        account: &str,
        credentials: &Credentials,
    ) -> Result<Session, ProviderFailure> {
        let about = provider.about();
        let (header, value) = match &about.authorization {
            Authorization::OAuth(_) => ("authorization", format!("Bearer {}", credentials.sent())),
            Authorization::ApiKey { header } => (*header, credentials.sent().to_owned()),
        };
        Ok(Session {
            outbound: self.outbound.clone(),
            throttle: self.throttle.clone(),
            counter: counter(account, about.budget),
            authorization: authorization(header, &Secret::new(value))
                .ok_or(ProviderFailure::Unauthorized)?,
        })
    }

    async fn refresh(
        &self,
        tenant: TenantId,
        id: IntegrationId,
        provider: &dyn Provider,
        refresh: Secret<String>,
        fence: i64,
    ) -> Result<Credentials, Shut> {
        let Authorization::OAuth(client) = &provider.about().authorization else {
            return Err(ProviderFailure::Unauthorized.into());
        };
        let refreshed = match client.refresh(&self.outbound, &refresh).await {
            Ok(tokens) => {
                let tokens = Tokens {
                    // Services that keep the same one need not say it again (RFC 6749, section 6).
                    refresh: tokens.refresh.clone().or(Some(refresh)),
                    ..tokens
                };
                Ok(Credentials::of(&tokens, self.db.clock().now()))
            }
            Err(failure) => Err(failure),
        };
        let sealed = match &refreshed {
            Ok(credentials) => Some(credentials.seal(&self.vault, id)?),
            Err(_) => None,
        };
        let stored = self.keep(tenant, async |tx| {
            store::end_refresh(tx, id, fence, sealed).await
        });
        if !stored.await? {
            tracing::warn!(integration = %id, "credentials were refreshed for too long, and by somebody else too");
        }
        Ok(refreshed?)
    }

    async fn read(&self, tenant: TenantId, id: IntegrationId) -> Result<(Option<Vec<u8>>, bool)> {
        let session = self.db.read_session(worker(tenant));
        let read = session.run(async |tx| store::credentials(tx, id).await);
        read.await
    }

    async fn take(
        &self,
        tenant: TenantId,
        id: IntegrationId,
        known: Vec<u8>,
    ) -> Result<Option<i64>> {
        self.keep(tenant, async |tx| store::begin_refresh(tx, id, known).await)
            .await
    }

    /// A unit of work of the server itself.
    async fn keep<T>(
        &self,
        tenant: TenantId,
        work: impl AsyncFnOnce(&mut crate::db::Tx) -> Result<T>,
    ) -> Result<T> {
        let origin = Origin::process("integrations");
        self.db.write(&worker(tenant), &origin, work).await
    }
}

fn worker(tenant: TenantId) -> std::sync::Arc<Actor> {
    std::sync::Arc::new(Actor::worker(tenant, "integrations"))
}
