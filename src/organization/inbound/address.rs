//! Where an endpoint is: `/hooks/` and, in base64url, the tenant, the endpoint's id and, where the path has to be a secret, a
//! random one. So an endpoint is found by the primary key of its row, in its tenant.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use uuid::Uuid;

use crate::base::{
    ids::{InboundEndpointId, TenantId, Typed as _},
    secret,
};

/// What every path begins with.
const PREFIX: &str = "/hooks/";

/// The address of an endpoint, without the server's own.
#[derive(Clone, PartialEq, Eq)]
pub struct EndpointAddress {
    /// The tenant.
    pub tenant: TenantId,
    /// The endpoint.
    pub id: InboundEndpointId,
    secret: Option<[u8; secret::SECRET_BYTES]>,
}

impl EndpointAddress {
    /// One that is found by whoever knows the ids; what is sent there is signed.
    #[must_use]
    pub fn open(tenant: TenantId, id: InboundEndpointId) -> Self {
        Self {
            tenant,
            id,
            secret: None,
        }
    }

    /// One that nobody guesses.
    #[must_use]
    pub fn secret(tenant: TenantId, id: InboundEndpointId) -> Self {
        Self {
            secret: Some(secret::random()),
            ..Self::open(tenant, id)
        }
    }

    /// Reads what follows `/hooks/`; `None` when it cannot be an endpoint.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (tenant, rest) = bytes.split_at_checked(16)?;
        let (id, secret) = rest.split_at_checked(16)?;
        let secret = match secret {
            [] => None,
            some => Some(some.try_into().ok()?),
        };
        Some(Self {
            tenant: TenantId::from_uuid(Uuid::from_slice(tenant).ok()?),
            id: InboundEndpointId::from_uuid(Uuid::from_slice(id).ok()?),
            secret,
        })
    }

    /// The path to hand out.
    #[must_use]
    pub fn path(&self) -> String {
        let secret = self.secret.as_ref().map_or(&[][..], <[u8; _]>::as_slice);
        let bytes = [
            self.tenant.uuid().as_bytes(),
            self.id.uuid().as_bytes(),
            secret,
        ]
        .concat();
        format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes))
    }

    /// What the database keeps of a path that is a secret.
    #[must_use]
    pub fn hash(&self) -> Option<Vec<u8>> {
        self.secret.map(|_| secret::hash(&self.path()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_reads_back_and_nothing_else_is_one() {
        let (tenant, id) = (TenantId::new(), InboundEndpointId::new());
        for address in [
            EndpointAddress::open(tenant, id),
            EndpointAddress::secret(tenant, id),
        ] {
            let path = address.path();
            let read = EndpointAddress::parse(&path[PREFIX.len()..]).expect("an address");
            assert!(read == address && read.hash() == address.hash());
        }
        let path = EndpointAddress::secret(tenant, id).path();
        for bad in ["", "AAAA", &path, &path[PREFIX.len() + 1..], &path[7..60]] {
            assert!(EndpointAddress::parse(bad).is_none(), "{bad}");
        }
        assert_eq!(EndpointAddress::open(tenant, id).hash(), None);
    }
}
