//! The business: companies, contacts, leads, pipelines, opportunities, activities and products.

mod subscription;

pub mod activities;
pub mod companies;
pub mod contacts;
pub mod leads;
pub mod opportunities;
pub mod pipelines;
pub mod products;

use futures_util::future::{BoxFuture, FutureExt as _};

use crate::{
    base::{error::Result, ids::PipelineId},
    db::Tx,
    entity::{KindOf, OwnedKind},
};
use activities::Activity;
use companies::Company;
use contacts::Contact;
use leads::Lead;
use opportunities::Opportunity;
use pipelines::NewPipeline;

/// The kinds of records that people own. What activities are about comes before them.
pub static OWNED: [&dyn OwnedKind; 5] = [
    &KindOf::<Company>::KIND,
    &KindOf::<Contact>::KIND,
    &KindOf::<Lead>::KIND,
    &KindOf::<Opportunity>::KIND,
    &KindOf::<Activity>::KIND,
];

/// What a new tenant begins with: the usual pipeline, under this id.
pub fn furnish(tx: &mut Tx, pipeline: PipelineId) -> BoxFuture<'_, Result<()>> {
    let create = async move {
        pipelines::create(tx, NewPipeline::usual(pipeline))
            .await
            .map(drop)
    };
    create.boxed()
}

#[cfg(test)]
mod tests {
    use super::{
        activities::ActivityFields,
        companies::CompanyFields,
        contacts::ContactFields,
        leads::LeadFields,
        pipelines::{PipelineFields, StageFields},
        products::ProductFields,
    };
    use crate::graphql::projection::check_schema_fields;

    #[test]
    fn plain_fields_of_records_are_projected_from_their_columns() {
        check_schema_fields::<ActivityFields>();
        check_schema_fields::<CompanyFields>();
        check_schema_fields::<ContactFields>();
        check_schema_fields::<LeadFields>();
        check_schema_fields::<PipelineFields>();
        check_schema_fields::<StageFields>();
        check_schema_fields::<ProductFields>();
    }
}
