//! Ids that a record has by what it is, so that importing it twice means the same record.

use uuid::Uuid;

use crate::base::{
    ids::{TenantId, Typed, UserId},
    text::normalize,
};

/// Makes the ids of one tenant's records from natural keys (RFC 9562, version 5).
#[derive(Debug, Clone, Copy)]
pub struct Ids {
    tenant: TenantId,
    source: &'static str,
}

impl Ids {
    /// Ids of records of `tenant` that come from `source`. The source is part of every id.
    #[must_use]
    pub fn new(tenant: TenantId, source: &'static str) -> Self {
        Self { tenant, source }
    }

    /// The id of the record of type `T` with this natural key; letter case and spacing make no difference.
    #[must_use]
    pub fn of<T: Typed>(self, key: &str) -> T {
        let name = format!("{}/{}/{}", self.source, T::PREFIX, normalize(key));
        T::from_uuid(Uuid::new_v5(&self.tenant.uuid(), name.as_bytes()))
    }

    /// The id for a person who is not known yet. People are the same in every tenant, so it comes from the address.
    #[must_use]
    pub fn person(email: &str) -> UserId {
        UserId::from_uuid(Uuid::new_v5(
            &Uuid::NAMESPACE_URL,
            format!("mailto:{}", normalize(email)).as_bytes(),
        ))
    }

    /// The id of a tenant that is known by its slug alone, such as a demo tenant.
    #[must_use]
    pub fn tenant(slug: &str) -> TenantId {
        TenantId::from_uuid(Uuid::new_v5(
            &Uuid::NAMESPACE_URL,
            format!("dealgraph:tenant:{slug}").as_bytes(),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ids::{CompanyId, ContactId};

    #[test]
    fn the_same_key_is_the_same_record_and_every_part_of_it_counts() {
        let ids = Ids::new(Ids::tenant("a"), "maven");
        let id: CompanyId = ids.of("Acme");
        assert_eq!(id, ids.of(" ACME "));
        assert_ne!(id.uuid(), ids.of::<ContactId>("Acme").uuid());
        assert_ne!(id, Ids::new(Ids::tenant("b"), "maven").of("Acme"));
        assert_ne!(id, Ids::new(Ids::tenant("a"), "demo").of("Acme"));
    }
}
