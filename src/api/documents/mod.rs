//! Known documents: an application sends the same few again and again, and may send their hashes or ids instead.
//!
//! - [`Prepared`]: a document with what it is to be run with.
//! - [`Trusted`]: those that the operator has listed, which can be all that may be run.

mod prepared;
mod trusted;

use std::sync::{Arc, OnceLock};

use async_graphql::{ServerError, parser::types::ExecutableDocument};
use moka::sync::Cache;
use sha2::{Digest as _, Sha256};

use super::operation::{Collected, Read};
use crate::{organization::webhooks::is_usual_document, platform::redis::DocumentStore};
pub(super) use prepared::Prepared;
pub use trusted::{Trusted, TrustedError};

/// Bytes of text whose parsed documents are cached. A parsed document takes some ten times its text.
const CACHED_TEXT: u64 = 2 << 20;

/// SHA-256 of a document's text.
pub(super) type Hash = [u8; 32];

/// A document that was scanned and parsed.
#[derive(Debug)]
pub(super) struct Document {
    /// Its text.
    pub(super) text: String,
    /// SHA-256 of its text.
    pub(super) hash: Hash,
    /// Its lexical tokens.
    pub(super) tokens: usize,
    /// What the parser made of it.
    pub(super) parsed: ExecutableDocument,
    /// What is wrong with it by the schema; then it is not run.
    pub(super) faults: Vec<ServerError>,
    /// What its operation selects, if it has only one and that is the same for all variables.
    collected: OnceLock<Collected>,
    /// Whether a response to its operation may carry a secret, if it has only one.
    has_secrets: OnceLock<bool>,
}

impl Document {
    /// A text with its tokens and what was read of it.
    pub(super) fn new(text: String, tokens: usize, Read { parsed, faults }: Read) -> Self {
        Self {
            hash: Sha256::digest(&text).into(),
            text,
            tokens,
            parsed,
            faults,
            collected: OnceLock::new(),
            has_secrets: OnceLock::new(),
        }
    }

    /// Where what the operation selects is cached; nowhere if there are several.
    fn collected(&self) -> Option<&OnceLock<Collected>> {
        self.is_single().then_some(&self.collected)
    }

    /// Whether a response may carry a secret; cached where there is one operation only.
    pub(super) fn has_secrets(&self, find: impl FnOnce() -> bool) -> bool {
        match self.is_single() {
            true => *self.has_secrets.get_or_init(find),
            false => find(),
        }
    }

    fn is_single(&self) -> bool {
        self.parsed.operations.iter().count() == 1
    }
}

/// How a client names a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Named {
    /// By its text.
    Text(String),
    /// By its text, which from now on can be named by this hash (automatic persisted queries).
    Registered(String, Hash),
    /// By the hash of a text that was sent before.
    Hash(Hash),
    /// By the id under which the operator has listed it.
    Id(String),
}

/// Why a document is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Missing {
    /// The text has another hash.
    Mismatch,
    /// No text with this hash was sent, or it is forgotten.
    Hash,
    /// No such document is listed.
    Id,
}

/// A document that a client has named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NamedDocument {
    hash: Hash,
    /// None of one that is parsed already.
    text: Option<String>,
}

/// The documents that are known.
pub(super) struct Documents {
    parsed: Cache<Hash, Arc<Document>>,
    registered: DocumentStore,
    trusted: Arc<Trusted>,
}

impl Documents {
    pub(super) fn new(registered: DocumentStore, trusted: Arc<Trusted>) -> Self {
        let weight = |_: &Hash, document: &Arc<Document>| {
            u32::try_from(document.text.len()).unwrap_or(u32::MAX)
        };
        let parsed = Cache::builder().max_capacity(CACHED_TEXT).weigher(weight);
        Self {
            parsed: parsed.build(),
            registered,
            trusted,
        }
    }

    /// The document that a client names.
    ///
    /// # Errors
    /// [`Missing`].
    pub(super) async fn find(&self, named: Named) -> Result<NamedDocument, Missing> {
        let (hash, text) = match named {
            Named::Text(text) => (Sha256::digest(&text).into(), Some(text)),
            Named::Registered(text, hash) if Sha256::digest(&text)[..] == hash => {
                (hash, Some(text))
            }
            Named::Registered(..) => return Err(Missing::Mismatch),
            Named::Hash(hash) if self.parsed.contains_key(&hash) => (hash, None),
            Named::Hash(hash) => {
                let text = match self.trusted.by_hash(&hash) {
                    Some(text) => Some(text.to_owned()),
                    None => self.registered.get(&hash).await,
                };
                (hash, Some(text.ok_or(Missing::Hash)?))
            }
            Named::Id(id) => {
                let (text, hash) = self.trusted.by_id(&id).ok_or(Missing::Id)?;
                (*hash, Some(text.to_owned()))
            }
        };
        Ok(NamedDocument { hash, text })
    }

    /// Stores a text that the client will name by its hash, for all servers.
    pub(super) async fn register(&self, document: &Document) {
        self.registered.put(&document.hash, &document.text).await;
    }

    /// Whether the operator has listed a document, or it is one that this server sends webhooks by.
    pub(super) fn is_trusted(&self, document: &Document) -> bool {
        self.trusted.by_hash(&document.hash).is_some() || is_usual_document(&document.text)
    }

    /// A document that was named; `read` scans and parses a text that is not cached, and counts its tokens.
    ///
    /// # Errors
    /// What `read` fails with; such a text is not cached.
    pub(super) fn get<E>(
        &self,
        named: NamedDocument,
        read: impl FnOnce(&str) -> Result<(usize, Read), E>,
    ) -> Result<Option<Arc<Document>>, E> {
        let NamedDocument { hash, text } = named;
        if let Some(known) = self.parsed.get(&hash) {
            return Ok(Some(known));
        }
        let Some(text) = text else {
            return Ok(None);
        };
        let (tokens, read) = read(&text)?;
        let document = Arc::new(Document::new(text, tokens, read));
        self.parsed.insert(hash, Arc::clone(&document));
        Ok(Some(document))
    }
}

#[cfg(test)]
mod tests {
    use super::{super::operation, *};
    use crate::platform::redis::RedisAddress;

    #[tokio::test]
    async fn a_text_is_read_once_and_one_that_is_wrong_each_time() {
        let documents = Documents::new(DocumentStore::new(&RedisAddress::none()), Arc::default());
        let mut reads = 0;
        let mut get = async |text: &str| {
            let named = documents.find(Named::Text(text.to_owned())).await;
            documents.get(named.expect("it is given"), |text| {
                reads += 1;
                operation::read(text).map(|read| (1, read))
            })
        };
        let first = get("{ a }")
            .await
            .expect("sound text")
            .expect("it is there");
        let again = get("{ a }")
            .await
            .expect("sound text")
            .expect("it is there");
        assert!(Arc::ptr_eq(&first, &again));
        assert!(get("{ b }").await.is_ok());
        assert!(get("{").await.is_err() && get("{").await.is_err());
        assert_eq!(reads, 4);
        let by_hash = documents.find(Named::Hash(first.hash)).await;
        let is_parsed = NamedDocument {
            hash: first.hash,
            text: None,
        };
        assert_eq!(by_hash, Ok(is_parsed));
        let unknown = Sha256::digest("{").into();
        assert_eq!(
            documents.find(Named::Hash(unknown)).await,
            Err(Missing::Hash)
        );
        let wrong = Named::Registered("{ a }".to_owned(), unknown);
        assert_eq!(documents.find(wrong).await, Err(Missing::Mismatch));
    }
}
