//! The data set "CRM Sales Opportunities" by Maven Analytics: four CSV files of accounts, products, agents and deals.
//!
//! [`Files`] -> [`Rows`] (typed, with what was repaired or refused) -> [`Crew`] (who is to be a member) and [`Plan`]
//! (the records) -> the product's verbs. All but the last step is pure.

mod apply;
mod crew;
mod deals;
mod fields;
mod notes;
mod plan;
mod raw;
mod read;
mod rows;
mod summary;

use std::path::Path;

pub use apply::{provision, put_companies, put_deals, put_pipeline, put_products};
pub use crew::Crew;
pub use deals::instant;
pub use notes::{Notes, Refusal, Repair};
pub use plan::{Plan, Stages};
pub use read::Files;
pub use rows::{Account, Agent, Deal, DealState, Product, Rows};
pub use summary::Summary;

use super::{Ids, ImportError, Session};
use crate::{db::Db, platform::Progress};

/// What records of this data set are called the import of.
pub const SOURCE: &str = "maven";

/// Imports the four files of a folder into the tenant with this slug. What is there already stays as it is.
///
/// # Errors
/// [`ImportError`]; rows that are not sound do not stop it but are refused, and the summary says so.
pub async fn import(
    db: &Db,
    folder: &Path,
    slug: &str,
    progress: Progress,
) -> Result<Summary, ImportError> {
    let rows = Rows::read(&Files::open(folder)?)?;
    let session = Session::open(db, slug, SOURCE, progress).await?;
    let ids = Ids::new(session.tenant(), SOURCE);
    let crew = Crew::new(&rows, ids, slug);
    let (members, people) = provision(&session, &crew).await?;
    let plan = Plan::new(rows, ids, &members, session.db.clock().now().date_naive());
    let pipelines = put_pipeline(&session, plan.pipeline).await?;
    let products = put_products(&session, plan.products).await?;
    let companies = put_companies(&session, plan.companies).await?;
    let deals = put_deals(&session, plan.deals).await?;
    session.progress.finish();
    Ok(Summary {
        people,
        pipelines,
        products,
        companies,
        deals,
        notes: plan.notes,
    })
}
