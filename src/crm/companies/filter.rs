//! Companies in the schema: which ones are asked for, and in which order.

use async_graphql::InputObject;

use super::CompanyOrderField;
use crate::{
    base::{
        error::Result,
        ids::{CompanyId, UserId},
        text::Form,
    },
    crm::{
        contacts::{Contact, ContactFilter},
        opportunities::{Opportunity, OpportunityFilter},
    },
    db::{Direction, OrderTerm, Predicate, Quantifier},
    graphql::{
        Filter,
        filters::{Conditions, DateTimeFilter, IdFilter, IntFilter, TextFilter, order_input},
    },
};

/// Which companies.
#[derive(Debug, Default, InputObject)]
pub struct CompanyFilter {
    /// All of these hold.
    and: Option<Vec<CompanyFilter>>,
    /// At least one of these holds.
    or: Option<Vec<CompanyFilter>>,
    /// This does not hold.
    not: Option<Box<CompanyFilter>>,
    /// By id.
    id: Option<IdFilter>,
    /// By name, without regard to case.
    name: Option<TextFilter>,
    /// By internet domain.
    domain: Option<TextFilter>,
    /// By industry, as written.
    industry: Option<TextFilter>,
    /// By country, as written.
    country: Option<TextFilter>,
    /// By number of employees.
    employee_count: Option<IntFilter>,
    /// By owner.
    owner_id: Option<IdFilter>,
    /// By parent company.
    parent_company_id: Option<IdFilter>,
    /// By time of creation.
    created_at: Option<DateTimeFilter>,
    /// By time of the last change.
    updated_at: Option<DateTimeFilter>,
    /// At least one of its contacts matches.
    contacts_some: Option<Box<ContactFilter>>,
    /// None of its contacts matches.
    contacts_none: Option<Box<ContactFilter>>,
    /// At least one of its deals matches.
    opportunities_some: Option<Box<OpportunityFilter>>,
    /// None of its deals matches.
    opportunities_none: Option<Box<OpportunityFilter>>,
}

impl Filter for CompanyFilter {
    fn predicate(self) -> Result<Predicate> {
        let mut all = Conditions::default();
        all.id::<CompanyId>("id", "company_id", self.id)?;
        all.text("name", "name_normalized", self.name, Form::Name)?;
        all.text("domain", "domain", self.domain, Form::Domain)?;
        all.text("industry", "industry", self.industry, Form::Line)?;
        all.text("country", "country", self.country, Form::Line)?;
        all.int("employeeCount", "employee_count", self.employee_count)?;
        all.id::<UserId>("ownerId", "owner_id", self.owner_id)?;
        all.id::<CompanyId>(
            "parentCompanyId",
            "parent_company_id",
            self.parent_company_id,
        )?;
        all.time("createdAt", "created_at", self.created_at)?;
        all.time("updatedAt", "updated_at", self.updated_at)?;
        let key = ("company_id", "company_id");
        all.related::<Contact, _>("contactsSome", key, Quantifier::Some, self.contacts_some)?;
        all.related::<Contact, _>("contactsNone", key, Quantifier::None, self.contacts_none)?;
        all.related::<Opportunity, _>(
            "opportunitiesSome",
            key,
            Quantifier::Some,
            self.opportunities_some,
        )?;
        all.related::<Opportunity, _>(
            "opportunitiesNone",
            key,
            Quantifier::None,
            self.opportunities_none,
        )?;
        all.finish(self.and, self.or, self.not)
    }
}

order_input! {
    /// One criterion of the order of companies.
    pub CompanyOrder(CompanyOrderField)
}

pub(super) const USUAL_ORDER: OrderTerm<CompanyOrderField> = OrderTerm {
    field: CompanyOrderField::CreatedAt,
    direction: Direction::Desc,
};
