//! Contacts in the schema: which ones are asked for, and in which order.

use async_graphql::InputObject;

use super::ContactOrderField;
use crate::{
    base::{
        error::Result,
        ids::{CompanyId, ContactId, UserId},
        text::Form,
    },
    crm::companies::{Company, CompanyFilter},
    db::{Direction, OrderTerm, Predicate, Quantifier},
    graphql::{
        Filter,
        filters::{Conditions, DateTimeFilter, IdFilter, IntFilter, TextFilter, order_input},
    },
};

/// Which contacts.
#[derive(Debug, Default, InputObject)]
pub struct ContactFilter {
    /// All of these hold.
    and: Option<Vec<ContactFilter>>,
    /// At least one of these holds.
    or: Option<Vec<ContactFilter>>,
    /// This does not hold.
    not: Option<Box<ContactFilter>>,
    /// By id.
    id: Option<IdFilter>,
    /// By last name, then first name (`lovelace ada`), without regard to case; `startsWith` matches the last name.
    name: Option<TextFilter>,
    /// By preferred e-mail address.
    email: Option<TextFilter>,
    /// By company.
    company_id: Option<IdFilter>,
    /// By owner.
    owner_id: Option<IdFilter>,
    /// By boss.
    reports_to_id: Option<IdFilter>,
    /// By warmness, from 0 to 100.
    warmness_score: Option<IntFilter>,
    /// By when they were last in touch.
    last_contacted_at: Option<DateTimeFilter>,
    /// By time of creation.
    created_at: Option<DateTimeFilter>,
    /// By time of the last change.
    updated_at: Option<DateTimeFilter>,
    /// The company matches; nobody without a company does.
    company: Option<Box<CompanyFilter>>,
}

impl Filter for ContactFilter {
    fn predicate(self) -> Result<Predicate> {
        let mut all = Conditions::default();
        all.id::<ContactId>("id", "contact_id", self.id)?;
        all.text("name", "name_normalized", self.name, Form::Name)?;
        all.text("email", "email_normalized", self.email, Form::Email)?;
        all.id::<CompanyId>("companyId", "company_id", self.company_id)?;
        all.id::<UserId>("ownerId", "owner_id", self.owner_id)?;
        all.id::<ContactId>("reportsToId", "reports_to_id", self.reports_to_id)?;
        all.int("warmnessScore", "warmness_score", self.warmness_score)?;
        all.time(
            "lastContactedAt",
            ("last_contacted_at", "'-infinity'::timestamptz"),
            self.last_contacted_at,
        )?;
        all.time("createdAt", "created_at", self.created_at)?;
        all.time("updatedAt", "updated_at", self.updated_at)?;
        all.related::<Company, _>(
            "company",
            ("company_id", "company_id"),
            Quantifier::Some,
            self.company,
        )?;
        all.finish(self.and, self.or, self.not)
    }
}

order_input! {
    /// One criterion of the order of contacts.
    pub ContactOrder(ContactOrderField)
}

pub(super) const USUAL_ORDER: OrderTerm<ContactOrderField> = OrderTerm {
    field: ContactOrderField::CreatedAt,
    direction: Direction::Desc,
};
