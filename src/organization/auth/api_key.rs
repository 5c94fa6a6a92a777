//! What a program's key looks like: `dgk_` and, in base64url, the tenant, the key's id and a random secret. So a key is
//! found by the primary key of its row, and a scanner finds one that was committed by mistake.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use uuid::Uuid;

use crate::base::{
    ids::{ApiKeyId, TenantId, Typed as _},
    secret,
};

/// What every key begins with.
pub(super) const PREFIX: &str = "dgk_";
/// Characters by which keys are distinguished in a list, the prefix included.
const HINT_CHARS: usize = 4;

/// A key as its holder has it.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKeySecret {
    /// The tenant it works in.
    pub tenant: TenantId,
    /// The key's id.
    pub id: ApiKeyId,
    text: String,
}

impl ApiKeySecret {
    /// Makes a new key.
    #[must_use]
    pub fn generate(tenant: TenantId, id: ApiKeyId) -> Self {
        let secret: [u8; secret::SECRET_BYTES] = secret::random();
        let bytes = [
            tenant.uuid().as_bytes(),
            id.uuid().as_bytes(),
            secret.as_slice(),
        ]
        .concat();
        let text = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes));
        Self { tenant, id, text }
    }

    /// Reads a key; `None` when it cannot be one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text.strip_prefix(PREFIX)?).ok()?;
        let (tenant, rest) = bytes.split_at_checked(16)?;
        let (id, secret) = rest.split_at_checked(16)?;
        (secret.len() == secret::SECRET_BYTES).then_some(Self {
            tenant: TenantId::from_uuid(Uuid::from_slice(tenant).ok()?),
            id: ApiKeyId::from_uuid(Uuid::from_slice(id).ok()?),
            text: text.to_owned(),
        })
    }

    /// The key to hand out, once.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.text
    }

    /// What the database keeps of it.
    #[must_use]
    pub fn hash(&self) -> Vec<u8> {
        secret::hash(&self.text)
    }

    /// What a list shows of it: the end, since all keys of a tenant begin alike.
    #[must_use]
    pub fn hint(&self) -> String {
        format!("{PREFIX}…{}", &self.text[self.text.len() - HINT_CHARS..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_reads_back_and_nothing_else_is_one() {
        let key = ApiKeySecret::generate(TenantId::new(), ApiKeyId::new());
        let read = ApiKeySecret::parse(key.expose()).expect("a key");
        assert!(read == key && read.hash() == key.hash());
        for bad in [
            "",
            "dgk_",
            "dgk_AAAA",
            &key.expose()[1..],
            &key.expose()[..40],
            "dgk_éé",
        ] {
            assert!(ApiKeySecret::parse(bad).is_none(), "{bad}");
        }
        assert!(!key.expose().contains(&key.hint()));
    }
}
