//! A service that has nothing: what is asked of accounts can be tried without anything being kept in step.

use std::time::Duration;

use dealgraph::{
    base::error::Result,
    db::Tx,
    integrations::provider::{
        About, Applied, Authorization, BelongsTo, Budget, Identity, Provider, ProviderFailure,
        PullFrom, Pulled, RemoteChange, Session,
    },
};
use futures_util::future::{BoxFuture, FutureExt as _, ready};

/// The service.
pub(crate) struct Plain(About);

impl Default for Plain {
    fn default() -> Self {
        Self(About {
            key: "plain",
            name: "Plain",
            belongs_to: BelongsTo::Tenant,
            authorization: Authorization::ApiKey { header: "x-key" },
            kinds: Vec::new(),
            budget: Budget {
                burst: 10,
                every: Duration::from_secs(1),
            },
            sync_every: Duration::from_secs(3_600),
        })
    }
}

impl Provider for Plain {
    fn about(&self) -> &About {
        &self.0
    }

    fn authenticate<'a>(
        &'a self,
        _: &'a Session,
    ) -> BoxFuture<'a, Result<Identity, ProviderFailure>> {
        let identity = Identity {
            external_id: "plain".to_owned(),
            name: "Plain".to_owned(),
        };
        ready(Ok(identity)).boxed()
    }

    fn pull<'a>(
        &'a self,
        _: &'a Session,
        _: PullFrom<'a>,
    ) -> BoxFuture<'a, Result<Pulled, ProviderFailure>> {
        ready(Ok(Pulled::default())).boxed()
    }

    fn apply<'a>(&'a self, _: &'a mut Tx, _: RemoteChange<'a>) -> BoxFuture<'a, Result<Applied>> {
        ready(Ok(Applied::Skipped)).boxed()
    }
}
