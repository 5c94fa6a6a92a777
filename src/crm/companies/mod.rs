//! Companies: the organisations a tenant deals with.
//!
//! A company may belong to another one (its parent) and to a person (its owner).

mod filter;
mod graphql;
mod model;
mod mutation;
mod projection;
mod record;
mod store;
mod subscription;

use uuid::Uuid;

pub use filter::CompanyFilter;
pub use graphql::CompanyQuery as Query;
pub use model::{Company, CompanyFields, NewCompany};
pub use mutation::CompanyMutation as Mutation;
pub(crate) use projection::SHAPE;
pub use record::CompanyOrderField;
pub use subscription::{CompanyEvent, CompanySubscription as Subscription};

use crate::{
    base::ids::UserId,
    base::{
        error::Result,
        ids::{CompanyId, Typed as _},
    },
    db::{Tx, journal::EventKind, list},
    entity::Owned,
    entity::{self, Stamps},
};

/// Creates companies, all or none. One that brings an id which exists already is answered as it stands.
///
/// # Errors
/// What [`CompanyFields::check`] refuses; `NOT_FOUND` for an owner or parent that the actor can't see;
/// `FORBIDDEN` without the permission or beyond the row scope.
pub async fn create_many(tx: &mut Tx, new: Vec<NewCompany>) -> Result<Vec<Company>> {
    let mut companies = Vec::with_capacity(new.len());
    for NewCompany {
        id,
        mut fields,
        created_at,
    } in new
    {
        fields.check()?;
        companies.push(Company {
            id,
            fields,
            visible_to: String::new(),
            stamps: Stamps::new(tx, created_at),
        });
    }
    entity::place_owners(
        tx,
        companies
            .iter_mut()
            .map(|company| &mut company.fields.ownership),
    )
    .await?;
    let parents = companies
        .iter()
        .filter_map(|company| Some(company.fields.parent_company_id?.uuid()));
    list::require::<Company>(tx, parents, "parentCompanyId").await?;
    let created = entity::insert(tx, &companies).await?;
    for company in &created {
        entity::emit_created(tx, company, &company.fields);
    }
    Ok(created)
}

/// Creates a company.
///
/// # Errors
/// As [`create_many`].
pub async fn create(tx: &mut Tx, new: NewCompany) -> Result<Company> {
    let id = new.id.uuid();
    match list::find(tx, id).await? {
        Some(existing) => Ok(existing),
        None => Ok(create_many(tx, vec![new]).await?.remove(0)),
    }
}

/// Changes a company.
///
/// # Errors
/// `NOT_FOUND`, `CONFLICT`, `FORBIDDEN`, and what `change` and [`CompanyFields::check`] refuse.
pub async fn update(
    tx: &mut Tx,
    company: (CompanyId, Option<i32>),
    change: impl FnOnce(&mut CompanyFields) -> Result<()>,
) -> Result<Company> {
    entity::change::<Company>(tx, company, EventKind::Updated, async |tx, company| {
        let (id, before, after) = (company.id, company.fields.clone(), &mut company.fields);
        change(after)?;
        after.check()?;
        if after.parent_company_id != before.parent_company_id {
            let parent: Option<Uuid> = after.parent_company_id.map(|id| id.uuid());
            list::require::<Company>(tx, parent, "parentCompanyId").await?;
            store::refuse_loop(tx, id, after.parent_company_id).await?;
        }
        if after.ownership != before.ownership {
            entity::place_owners(tx, [&mut after.ownership]).await?;
        }
        Ok(())
    })
    .await
}

impl Owned for Company {
    async fn reassign(tx: &mut Tx, id: Uuid, people: (UserId, UserId)) -> Result<()> {
        let id = (CompanyId::from_uuid(id), None);
        update(tx, id, |fields| {
            fields.ownership.hand_over(people);
            Ok(())
        })
        .await?;
        Ok(())
    }
}
