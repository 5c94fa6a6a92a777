//! The projection executor: what a document selects of records is read as just those columns, one statement for each
//! list or link of the document, and written as JSON at once.
//!
//! The GraphQL executor makes a future for every field of every record, a map for every object and a value for every
//! field, out of whole records; for a page of deals that is most of the work. Here a [`ProjectionPlan`] is made of the
//! document below a field, [`fetch::Fetched`] holds the rows level by level, and `write` serializes them. Postgres judges
//! access just as for whole records: these are the same statements with fewer columns.
//!
//! Which fields are columns as they are follows from the record ([`SchemaFields`]); each domain says in its `projection.rs`
//! which others follow from which columns. A document that asks for anything else, or for the same key twice, is answered by
//! the GraphQL executor; a test compares both for every field there is.

mod column_type;
mod fetch;
mod field;
mod page;
mod plan;
mod write;

use std::sync::Arc;

use async_graphql::{
    Context, ContextSelectionSet, OutputType, Positioned, ServerResult, Value,
    parser::types::Field, registry,
};
use bytes::Bytes;
use uuid::Uuid;

/// Under this key the executor answers of which type an object is, where the client has not asked for it and it has to be
/// known; it is taken out of the answer again.
pub(crate) const TYPE_KEY: &str = "__typeOf";

#[cfg(test)]
pub(crate) use column_type::tests::check as check_schema_fields;
pub(crate) use column_type::{ColumnType, SchemaFields, enum_columns, shown_as_they_are};
pub(super) use fetch::RowCache;
pub(crate) use field::{Kind, Projected, Shape, id, int, money, text, time};
pub(crate) use page::{Listed, Source, below};
use plan::ProjectionPlan;

use super::{Connection, ContextExt as _, Listing, RequestContext};
use crate::{
    base::error::{Error, Result},
    db::list::{ListQuery, Record},
};

/// A page of a list of the tenant.
///
/// # Errors
/// The database, and what the query fails with.
pub(crate) async fn list<R: Record + OutputType>(
    ctx: &Context<'_>,
    shape: &'static Shape,
    query: ListQuery<R>,
) -> Result<Connection<R>> {
    let listed = Listed::all(shape, query.clone());
    if let Some(plan) = ProjectionPlan::of_page(ctx, Box::new(listed))
        && let Some(written) = answered(ctx, plan).await?
    {
        return Ok(Connection::written(written));
    }
    Listing::read(ctx, query).await
}

/// A record by its id; nothing when there is none that the actor sees.
///
/// # Errors
/// The database.
pub(crate) async fn find<R: Record>(
    ctx: &Context<'_>,
    shape: &'static Shape,
    id: Uuid,
) -> Result<Option<Found<R>>> {
    if let Some(plan) = ProjectionPlan::of_record(ctx, shape, id)
        && let Some(written) = answered(ctx, plan).await?
    {
        return Ok((&*written != b"null").then_some(Found::Json(written)));
    }
    let record = ctx.request().load::<R>(Some(id)).await?;
    Ok(record.map(Found::Record))
}

/// All of a plan, or nothing if a value in it is refused: the executor knows which field's that is, and answers the others.
async fn answered(ctx: &Context<'_>, plan: ProjectionPlan) -> Result<Option<Bytes>> {
    let request: &RequestContext = ctx.request();
    let fetched = request
        .read(async |tx| fetch::fetch(tx, &plan, request.row_cache()).await)
        .await;
    let fetched = match fetched {
        Err(Error::Invalid { .. }) => return Ok(None),
        fetched => fetched?,
    };
    if fetched.is_empty() {
        request.found_nothing();
    }
    let mut text = Vec::with_capacity(4096);
    let written = write::write(
        &mut text,
        &plan,
        &fetched,
        request.actor(),
        request.bytes_left(),
    );
    // Counted also when it was given up in the middle.
    request.count(text.len())?;
    request.note_written(written?);
    Ok(Some(text.into()))
}

/// A record, or what was asked of it.
pub(crate) enum Found<R> {
    /// The executor has to ask it for its fields.
    Record(Arc<R>),
    /// All that was asked for, in JSON.
    Json(Bytes),
}

impl<R: OutputType> OutputType for Found<R> {
    fn type_name() -> std::borrow::Cow<'static, str> {
        R::type_name()
    }

    fn create_type_info(registry: &mut registry::Registry) -> String {
        R::create_type_info(registry)
    }

    async fn resolve(
        &self,
        ctx: &ContextSelectionSet<'_>,
        field: &Positioned<Field>,
    ) -> ServerResult<Value> {
        match self {
            Self::Record(record) => Box::pin(OutputType::resolve(&**record, ctx, field)).await,
            Self::Json(text) => Ok(Value::Binary(text.clone())),
        }
    }
}
