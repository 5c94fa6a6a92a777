//! The public key of a form: in base64url, the tenant and the form's id. So a form is found by the primary key of its row, in
//! its tenant.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use uuid::Uuid;

use crate::base::ids::{LeadFormId, TenantId, Typed as _};

/// What a form is known by on a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FormKey {
    /// The tenant.
    pub tenant: TenantId,
    /// The form.
    pub id: LeadFormId,
}

impl FormKey {
    /// Reads a key; `None` when it cannot be one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (tenant, id) = bytes.split_at_checked(16)?;
        Some(Self {
            tenant: TenantId::from_uuid(Uuid::from_slice(tenant).ok()?),
            id: LeadFormId::from_uuid(Uuid::from_slice(id).ok()?),
        })
    }

    /// The key to put into a page.
    #[must_use]
    pub fn text(self) -> String {
        let (tenant, id) = (self.tenant.uuid(), self.id.uuid());
        URL_SAFE_NO_PAD.encode([tenant.as_bytes().as_slice(), id.as_bytes()].concat())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_reads_back_and_nothing_else_is_one() {
        let key = FormKey {
            tenant: TenantId::new(),
            id: LeadFormId::new(),
        };
        assert_eq!(FormKey::parse(&key.text()), Some(key));
        for bad in ["", "AAAA", &key.text()[1..], &format!("{}AA", key.text())] {
            assert_eq!(FormKey::parse(bad), None, "{bad}");
        }
    }
}
