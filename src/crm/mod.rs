//! The business: companies, contacts, leads, pipelines, opportunities, activities and products.

mod lifecycle;
pub(crate) mod subscription;

pub mod activities;
pub mod companies;
pub mod contacts;
pub mod lead_forms;
pub mod leads;
pub mod opportunities;
pub mod pipelines;
pub mod products;

use futures_util::future::{BoxFuture, FutureExt as _};

use crate::{
    access::RecordKind,
    base::{entities::entities, error::Result, ids::PipelineId},
    db::{Tx, register},
    entity::{KindOf, OwnedKind},
};
use pipelines::NewPipeline;

macro_rules! records {
    (
        targets { $($targets:tt)* }
        owned { $($owned:tt)* }
        shared { $($shared:tt)* }
        within { $($within:tt)* }
        $($others:tt)*
    ) => {
        register! { $($targets)* $($owned)* $($shared)* $($within)* }
        records! { @owned $($targets)* $($owned)* }
    };
    (@owned $(
        $(#[$doc:meta])*
        $record:ident $id:ident $prefix:literal $table:ident.$column:ident $layer:ident::$domain:ident $kind:ident
            $children:tt $itself:tt;
    )*) => {
        /// The kinds of records that people own. What activities are about comes before them.
        pub static OWNED: [&dyn OwnedKind; RecordKind::COUNT] = [$(&KindOf::<$domain::$record>::KIND,)*];
    };
}
entities!(records);

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
        lead_forms::LeadFormFields,
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
        check_schema_fields::<LeadFormFields>();
        check_schema_fields::<PipelineFields>();
        check_schema_fields::<StageFields>();
        check_schema_fields::<ProductFields>();
    }
}
