//! Lists as the projection executor reads them, whatever their records are.

use std::collections::HashMap;

use async_graphql::{Context, InputType};
use futures_util::future::BoxFuture;
use uuid::Uuid;

use super::field::Shape;
use crate::{
    base::{error::Result, ids::TenantId},
    db::{
        Cursor, OrderField as _, OrderTerm, Tx, Value, ValueKind,
        list::{self, Count, LeanRow, ListQuery, Page, Record, Relation},
    },
    graphql::{ContextExt as _, Filter, ListArgs},
};

/// A list with its records' type taken off.
pub(crate) type Source = Box<dyn List>;

/// What the projection executor needs to know of a list.
pub(crate) trait List: Send + Sync {
    /// What its records look like.
    fn shape(&self) -> &'static Shape;

    /// The columns that it is sorted by, of which cursors are made.
    fn order(&self) -> Vec<&'static str>;

    /// Reads no row beyond the page: the document does not select whether there are further ones.
    fn end_at_page(&mut self);

    /// Reads the page of each parent; a list that is below nothing has one page, under the nil id.
    fn read<'a>(
        &'a self,
        tx: &'a mut Tx,
        parents: &'a [Uuid],
        columns: &'a [&'static str],
    ) -> BoxFuture<'a, Result<HashMap<Uuid, Page<LeanRow>>>>;

    /// Counts the list of each parent.
    fn count<'a>(
        &'a self,
        tx: &'a mut Tx,
        parents: &'a [Uuid],
    ) -> BoxFuture<'a, Result<HashMap<Uuid, Count>>>;

    /// The cursor of a row, with its id and the places of the columns of [`Self::order`].
    ///
    /// # Errors
    /// As [`LeanRow::get`].
    fn cursor(&self, tenant: TenantId, row: &LeanRow, id: Uuid, order: &[usize]) -> Result<String>;
}

/// A list of records, all of the tenant's or those below a parent.
pub(crate) struct Listed<R: Record> {
    shape: &'static Shape,
    query: ListQuery<R>,
    below: Option<&'static Relation>,
}

impl<R: Record> Listed<R> {
    /// A list of the tenant.
    pub(crate) fn all(shape: &'static Shape, query: ListQuery<R>) -> Self {
        Self {
            shape,
            query,
            below: None,
        }
    }

    /// The list of each parent.
    pub(crate) fn below(
        shape: &'static Shape,
        relation: &'static Relation,
        query: ListQuery<R>,
    ) -> Source {
        Box::new(Self {
            shape,
            query,
            below: Some(relation),
        })
    }
}

impl<R: Record> List for Listed<R> {
    fn shape(&self) -> &'static Shape {
        self.shape
    }

    fn order(&self) -> Vec<&'static str> {
        let columns = self.query.order.iter();
        columns.map(|term| term.field.column()).collect()
    }

    fn end_at_page(&mut self) {
        self.query.page.peeks = false;
    }

    fn read<'a>(
        &'a self,
        tx: &'a mut Tx,
        parents: &'a [Uuid],
        columns: &'a [&'static str],
    ) -> BoxFuture<'a, Result<HashMap<Uuid, Page<LeanRow>>>> {
        Box::pin(async move {
            match self.below {
                Some(relation) => {
                    list::lean_pages(tx, relation, parents, &self.query, columns).await
                }
                None => {
                    let page = list::lean_page(tx, &self.query, columns).await?;
                    Ok(HashMap::from([(Uuid::nil(), page)]))
                }
            }
        })
    }

    fn count<'a>(
        &'a self,
        tx: &'a mut Tx,
        parents: &'a [Uuid],
    ) -> BoxFuture<'a, Result<HashMap<Uuid, Count>>> {
        Box::pin(async move {
            match self.below {
                Some(relation) => list::counts(tx, relation, parents, &self.query).await,
                None => {
                    let count = list::count(tx, &self.query).await?;
                    Ok(HashMap::from([(Uuid::nil(), count)]))
                }
            }
        })
    }

    fn cursor(&self, tenant: TenantId, row: &LeanRow, id: Uuid, order: &[usize]) -> Result<String> {
        let terms = self.query.order.iter().zip(order);
        let values = terms
            .map(|(term, at)| sort_value(row, *at, term.field.kind()))
            .collect::<Result<_>>()?;
        Ok(Cursor { values, id }.encode(tenant, &self.query.order))
    }
}

fn sort_value(row: &LeanRow, at: usize, kind: ValueKind) -> Result<Option<Value>> {
    Ok(match kind {
        ValueKind::Text => row.get::<Option<String>>(at)?.map(Value::Text),
        ValueKind::Int => row.integer(at)?.map(Value::Int),
        ValueKind::Time => row.get::<Option<_>>(at)?.map(Value::Time),
        ValueKind::Date => row.get::<Option<_>>(at)?.map(Value::Date),
    })
}

/// The list below each of some records, by the usual arguments of a connection.
///
/// # Errors
/// As [`ListArgs::query`]; arguments of a wrong type.
pub(crate) fn below<R, F, O>(
    ctx: &Context<'_>,
    shape: &'static Shape,
    relation: &'static Relation,
    usual: OrderTerm<R::Order>,
) -> Result<Source>
where
    R: Record,
    F: Filter + InputType,
    O: InputType + Into<OrderTerm<R::Order>>,
{
    let args = ListArgs::<F, O>::of(ctx)?;
    let query: ListQuery<R> = args.query(ctx.request().actor().tenant, usual)?;
    Ok(Listed::below(shape, relation, query))
}
