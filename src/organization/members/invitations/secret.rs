//! What is mailed: `dgi_` and, in base64url, the tenant, the invitation's id and a random secret. So an invitation is
//! found by the primary key of its row.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use uuid::Uuid;

use crate::base::{
    ids::{InvitationId, TenantId, Typed as _},
    secret,
};

const PREFIX: &str = "dgi_";

/// The secret of an invitation, as the invited person has it.
#[derive(Clone, PartialEq, Eq)]
pub struct InvitationSecret {
    pub(super) tenant: TenantId,
    pub(super) id: InvitationId,
    text: String,
}

impl InvitationSecret {
    /// Makes a new one.
    #[must_use]
    pub(crate) fn generate(tenant: TenantId, id: InvitationId) -> Self {
        let random: [u8; secret::SECRET_BYTES] = secret::random();
        let bytes = [tenant.uuid().as_bytes(), id.uuid().as_bytes(), &random[..]].concat();
        let text = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes));
        Self { tenant, id, text }
    }

    /// Reads one; `None` when it cannot be one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text.strip_prefix(PREFIX)?).ok()?;
        let (tenant, rest) = bytes.split_at_checked(16)?;
        let (id, secret) = rest.split_at_checked(16)?;
        (secret.len() == secret::SECRET_BYTES).then_some(Self {
            tenant: TenantId::from_uuid(Uuid::from_slice(tenant).ok()?),
            id: InvitationId::from_uuid(Uuid::from_slice(id).ok()?),
            text: text.to_owned(),
        })
    }

    /// The secret to mail, once.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.text
    }

    /// What the database keeps of it.
    #[must_use]
    pub(crate) fn hash(&self) -> Vec<u8> {
        secret::hash(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_reads_back_and_nothing_else_is_one() {
        let secret = InvitationSecret::generate(TenantId::new(), InvitationId::new());
        let read = InvitationSecret::parse(secret.expose()).expect("a secret");
        assert!(read == secret && read.hash() == secret.hash());
        let key = secret.expose().replacen(PREFIX, "dgk_", 1);
        for bad in [
            "",
            PREFIX,
            "dgi_AAAA",
            &key,
            &secret.expose()[..50],
            "dgi_éé",
        ] {
            assert!(InvitationSecret::parse(bad).is_none(), "{bad}");
        }
    }
}
