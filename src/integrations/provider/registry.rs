//! The services that a server knows.

use std::{collections::BTreeMap, sync::Arc};

use super::Provider;
use crate::base::error::{Error, Result};

/// The services that a server knows, by their keys. Cheap to clone.
#[derive(Clone, Default)]
pub struct Providers(Arc<BTreeMap<&'static str, Arc<dyn Provider>>>);

impl Providers {
    /// With another one.
    #[must_use]
    pub fn with(self, provider: impl Provider) -> Self {
        let mut all = (*self.0).clone();
        all.insert(provider.about().key, Arc::new(provider));
        Self(Arc::new(all))
    }

    /// One by its key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Arc<dyn Provider>> {
        self.0.get(key)
    }

    /// One by its key.
    ///
    /// # Errors
    /// `NOT_FOUND` on `provider`.
    pub fn require(&self, key: &str) -> Result<&Arc<dyn Provider>> {
        self.get(key).ok_or(Error::NotFound {
            kind: "provider",
            field: "provider",
        })
    }

    /// All of them, in the order of their keys.
    pub fn all(&self) -> impl Iterator<Item = &Arc<dyn Provider>> {
        self.0.values()
    }
}
