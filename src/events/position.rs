//! How far in a tenant's records a client has seen, as it says with its requests.

use std::{fmt, str::FromStr};

use sha2::{Digest as _, Sha256};

use crate::base::ids::{TenantId, Typed as _};

/// How far in a tenant's records an answer is: the effects of all events up to a number are in it.
///
/// It is not signed: a client that makes one up is answered by the primary, or by what is older than it has seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// Tells the tenants of a person apart, whose numbers have nothing to do with each other.
    tenant: u32,
    seq: i64,
}

/// A text that is not a position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected a position, as answers have it")]
pub struct BadPosition;

impl Position {
    /// The position of a tenant's event.
    #[must_use]
    pub fn of(tenant: TenantId, seq: i64) -> Self {
        Self {
            tenant: tag(tenant),
            seq,
        }
    }

    /// The number of the event, if the position is one of this tenant.
    #[must_use]
    pub fn seq_of(self, tenant: TenantId) -> Option<i64> {
        (self.tenant == tag(tenant)).then_some(self.seq)
    }
}

/// Ids that were made in the same moment have a beginning in common.
fn tag(tenant: TenantId) -> u32 {
    let hash = Sha256::digest(tenant.uuid().as_bytes());
    u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]])
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}-{}", self.tenant, self.seq)
    }
}

impl FromStr for Position {
    type Err = BadPosition;

    fn from_str(text: &str) -> Result<Self, BadPosition> {
        let (tenant, seq) = text.split_once('-').ok_or(BadPosition)?;
        let is_number = !seq.is_empty() && seq.bytes().all(|byte| byte.is_ascii_digit());
        let is_tag = tenant.len() == 8 && tenant.bytes().all(|byte| byte.is_ascii_hexdigit());
        match (u32::from_str_radix(tenant, 16), seq.parse()) {
            (Ok(tenant), Ok(seq)) if is_number && is_tag => Ok(Self { tenant, seq }),
            _ => Err(BadPosition),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_reads_back_and_is_of_its_tenant_alone() {
        let (tenant, other) = (TenantId::new(), TenantId::new());
        let position = Position::of(tenant, 42);
        let read: Position = position.to_string().parse().expect("a position");
        assert_eq!((read, read.seq_of(tenant)), (position, Some(42)));
        assert_eq!(read.seq_of(other), None);
        for bad in [
            "",
            "none",
            "42",
            "0123abcd",
            "0123abcd-",
            "0123abcd--1",
            "0123abcg-1",
            "+123abcd-1",
        ] {
            assert_eq!(bad.parse::<Position>(), Err(BadPosition), "{bad}");
        }
    }
}
