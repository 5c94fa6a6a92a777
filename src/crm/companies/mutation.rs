//! Companies in the schema: what can be changed.

use std::sync::Arc;

use async_graphql::{Context, InputObject, MaybeUndefined, Object};

use super::{Company, CompanyFields, NewCompany};
use crate::{
    access::Rights,
    base::{
        error::Result,
        ids::{CompanyId, UserId},
    },
    crm::lifecycle::record_lifecycle,
    graphql::{
        ContextExt as _,
        patch::{patch, patch_money, patch_or_default, patch_required, refuse_masked},
        scalars::MoneyInput,
    },
};

/// What can be written of a company beside its name. Leave a field out to keep it, send null to empty it.
#[derive(Debug, InputObject)]
struct CompanyDetails {
    /// Internet domain, for example `acme.example`.
    domain: MaybeUndefined<String>,
    /// What it does.
    industry: MaybeUndefined<String>,
    /// How many people work there.
    employee_count: MaybeUndefined<i32>,
    /// What it turns over in a year.
    annual_revenue: MaybeUndefined<MoneyInput>,
    /// The year it was founded in.
    founded_year: MaybeUndefined<i16>,
    /// Web site.
    website: MaybeUndefined<String>,
    /// Phone number.
    phone: MaybeUndefined<String>,
    /// Street and number.
    address_line: MaybeUndefined<String>,
    /// City.
    city: MaybeUndefined<String>,
    /// State, province or canton.
    region: MaybeUndefined<String>,
    /// Postal code.
    postal_code: MaybeUndefined<String>,
    /// Country.
    country: MaybeUndefined<String>,
    /// Notes on the company.
    description: MaybeUndefined<String>,
    /// The company it belongs to.
    parent_company_id: MaybeUndefined<CompanyId>,
    /// Who owns it. A new record is yours unless you say otherwise.
    owner_id: MaybeUndefined<UserId>,
    /// Free words to find it by; replaces all.
    tags: MaybeUndefined<Vec<String>>,
}

impl CompanyDetails {
    fn write_to(self, fields: &mut CompanyFields, rights: &Rights) -> Result<()> {
        let amounts = CompanyFields::ANNUAL_REVENUE_MINOR;
        refuse_masked(rights, amounts, &self.annual_revenue, "annualRevenue")?;
        refuse_masked(rights, CompanyFields::PHONE, &self.phone, "phone")?;
        patch(self.domain, &mut fields.domain);
        patch(self.industry, &mut fields.industry);
        patch(self.employee_count, &mut fields.employee_count);
        patch_money(
            self.annual_revenue,
            "annualRevenue",
            (
                &mut fields.annual_revenue_minor,
                &mut fields.annual_revenue_currency,
            ),
        )?;
        patch(self.founded_year, &mut fields.founded_year);
        patch(self.website, &mut fields.website);
        patch(self.phone, &mut fields.phone);
        patch(self.address_line, &mut fields.address_line);
        patch(self.city, &mut fields.city);
        patch(self.region, &mut fields.region);
        patch(self.postal_code, &mut fields.postal_code);
        patch(self.country, &mut fields.country);
        patch(self.description, &mut fields.description);
        patch(self.parent_company_id, &mut fields.parent_company_id);
        patch(self.owner_id, &mut fields.ownership.owner_id);
        patch_or_default(self.tags, &mut fields.tags);
        Ok(())
    }
}

/// A company to be created.
#[derive(Debug, InputObject)]
struct CompanyCreateInput {
    /// Your own id for it (`company:<uuid>`, best a version 7): sending the same twice creates it once.
    id: Option<CompanyId>,
    /// What it is called.
    name: String,
    #[graphql(flatten)]
    details: CompanyDetails,
}

/// A change to a company.
#[derive(Debug, InputObject)]
struct CompanyUpdateInput {
    /// Which company.
    id: CompanyId,
    /// The version that the change was made for; another one answers CONFLICT.
    expected_version: Option<i32>,
    /// What it is called.
    name: Option<String>,
    #[graphql(flatten)]
    details: CompanyDetails,
}

record_lifecycle! {
    Company, CompanyId;

    /// Names a company, and the version it is expected at.
    CompanyRefInput {
        /// Which company.
        id
    }

    /// What a change to a company came to.
    CompanyPayload {
        /// The company after the change; after a CONFLICT as it is now; null when the change was refused.
        company
    }

    /// Archiving and deleting companies.
    CompanyLifecycle {
        /// Archives a company.
        company_archive
        /// Restores a company from the archive.
        company_restore
        /// Deletes a company for good. Refused with IN_USE while contacts, deals or subsidiaries refer to it.
        company_delete
    }
}

/// Writing companies.
#[derive(Default)]
pub struct CompanyMutation;

#[Object]
impl CompanyMutation {
    /// Creates a company.
    async fn company_create(
        &self,
        ctx: &Context<'_>,
        input: CompanyCreateInput,
    ) -> async_graphql::Result<CompanyPayload> {
        let id = input.id.unwrap_or_default();
        let owner = ctx.request().actor().person();
        let outcome = ctx.request().write(async |tx| {
            let mut fields = CompanyFields {
                name: input.name,
                ..Default::default()
            };
            fields.ownership.owner_id = owner;
            input.details.write_to(&mut fields, &tx.actor().rights)?;
            super::create(
                tx,
                NewCompany {
                    id,
                    fields,
                    created_at: None,
                },
            )
            .await
        });
        CompanyPayload::new(ctx, id, outcome.await).await
    }

    /// Changes a company.
    async fn company_update(
        &self,
        ctx: &Context<'_>,
        input: CompanyUpdateInput,
    ) -> async_graphql::Result<CompanyPayload> {
        let id = input.id;
        let outcome = ctx.request().write(async |tx| {
            let CompanyUpdateInput {
                id,
                expected_version,
                name,
                details,
            } = input;
            let rights = Arc::clone(&tx.actor().rights);
            super::update(tx, (id, expected_version), |fields| {
                patch_required(name, &mut fields.name);
                details.write_to(fields, &rights)
            })
            .await
        });
        CompanyPayload::new(ctx, id, outcome.await).await
    }

    #[graphql(flatten)]
    async fn lifecycle(&self) -> CompanyLifecycle {
        CompanyLifecycle
    }
}
