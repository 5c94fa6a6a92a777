//! The rights of whoever had a job done, as they are when it runs.

use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::{Access, Bearer, TenantSubject, judge};
use crate::{
    access::{Actor, Subject},
    base::{error::Result, ids::TenantId},
    jobs::Authority,
};

impl Authority for Access {
    fn actor(
        &self,
        tenant: TenantId,
        subject: Subject,
    ) -> BoxFuture<'_, Result<Option<Arc<Actor>>>> {
        Box::pin(async move {
            let bearer = Bearer {
                who: TenantSubject { tenant, subject },
                expires_at: None,
                secret_hash: None,
                is_foreign: false,
                // What was refused is read again.
                issued_at_s: i64::MAX,
            };
            let cached = self.cached(&bearer).await?;
            let actor = judge(&cached.resolved, &bearer, self.tokens.clock().now());
            Ok(actor.ok().map(Arc::clone))
        })
    }
}
