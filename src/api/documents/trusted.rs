//! The documents that the operator has listed, from a manifest that the build of an application writes.

use std::{
    collections::{BTreeSet, HashMap},
    path::Path,
};

use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::Hash;
use crate::api::operation;

/// A manifest larger than this is none.
const LARGEST: u64 = 64 << 20;
/// Longer ids are none.
const LONGEST_ID: usize = 256;

/// The documents that the operator has listed.
#[derive(Debug, Default)]
pub struct Trusted {
    by_id: HashMap<String, (String, Hash)>,
    id_of: HashMap<Hash, String>,
    names: BTreeSet<String>,
}

/// Why a manifest is not taken.
#[derive(Debug, thiserror::Error)]
pub enum TrustedError {
    /// It can't be read.
    #[error("the manifest of documents can't be read: {0}")]
    Unreadable(#[from] std::io::Error),
    /// It is no manifest.
    #[error(
        "the manifest of documents is neither {{\"<id>\": \"<text>\"}} nor an Apollo persisted query manifest: {0}"
    )]
    NoManifest(#[from] serde_json::Error),
    /// It is larger than any list of documents.
    #[error("the manifest of documents has more than {LARGEST} bytes")]
    TooLarge,
    /// A document in it is none.
    #[error("the document {0:?} of the manifest is not valid GraphQL: {1}")]
    Document(String, String),
    /// An id in it is none.
    #[error("the id {0:?} in the manifest of documents is not 1 to {LONGEST_ID} characters")]
    Id(String),
}

/// What the tools of clients write: Relay and graphql-codegen a plain map, Apollo's a list of operations
/// (<https://www.apollographql.com/docs/kotlin/advanced/persisted-queries>).
#[derive(Deserialize)]
#[serde(untagged)]
enum Manifest {
    Operations { operations: Vec<ManifestOperation> },
    Map(HashMap<String, String>),
}

#[derive(Deserialize)]
struct ManifestOperation {
    id: String,
    body: String,
}

impl Trusted {
    /// Reads a manifest.
    ///
    /// # Errors
    /// [`TrustedError`].
    pub fn read(path: &Path) -> Result<Self, TrustedError> {
        if std::fs::metadata(path)?.len() > LARGEST {
            return Err(TrustedError::TooLarge);
        }
        Self::parse(&std::fs::read(path)?)
    }

    /// Reads the text of a manifest.
    ///
    /// # Errors
    /// [`TrustedError`].
    pub fn parse(manifest: &[u8]) -> Result<Self, TrustedError> {
        let documents = match serde_json::from_slice(manifest)? {
            Manifest::Map(map) => map,
            Manifest::Operations { operations } => {
                let documents = operations.into_iter();
                documents
                    .map(|document| (document.id, document.body))
                    .collect()
            }
        };
        let mut trusted = Self::default();
        for (id, text) in documents {
            if !(1..=LONGEST_ID).contains(&id.len()) {
                return Err(TrustedError::Id(id));
            }
            let read = operation::read(&text);
            let read = read.map_err(|error| TrustedError::Document(id.clone(), error.message))?;
            let names = read.parsed.operations.iter().filter_map(|(name, _)| name);
            trusted.names.extend(names.map(ToString::to_string));
            let hash: Hash = Sha256::digest(&text).into();
            trusted.id_of.insert(hash, id.clone());
            trusted.by_id.insert(id, (text, hash));
        }
        Ok(trusted)
    }

    /// Whether none is listed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    /// The names of the operations in them, as far as they have one.
    pub fn operation_names(&self) -> impl Iterator<Item = String> {
        self.names.clone().into_iter()
    }

    pub(super) fn by_id(&self, id: &str) -> Option<&(String, Hash)> {
        self.by_id.get(id)
    }

    pub(super) fn by_hash(&self, hash: &Hash) -> Option<&str> {
        let (text, _) = self.by_id.get(self.id_of.get(hash)?)?;
        Some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_of_manifest_are_read_and_nothing_else() {
        let map = Trusted::parse(br#"{"one": "{ a }", "two": "{ b }"}"#).expect("a manifest");
        let (text, hash) = map.by_id("one").expect("it is listed");
        assert_eq!((text.as_str(), map.by_hash(hash)), ("{ a }", Some("{ a }")));
        let apollo = br#"{"format": "apollo-persisted-query-manifest", "version": 1,
            "operations": [{"id": "x", "name": "A", "type": "query", "body": "query A { a }"}]}"#;
        let apollo = Trusted::parse(apollo).expect("a manifest");
        assert!(apollo.by_id("x").is_some() && apollo.by_id("one").is_none());
        for wrong in ["[]", "{\"a\": 1}", "{\"a\": \"{\"}", "{\"\": \"{ a }\"}"] {
            assert!(Trusted::parse(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }
}
