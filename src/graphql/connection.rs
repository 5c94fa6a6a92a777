//! Connections (Relay's cursor specification, with `nodes` beside `edges` and a lazy `totalCount`).

use std::{borrow::Cow, sync::Arc};

use async_graphql::{
    Context, ContextSelectionSet, InputType, Object, OutputType, Positioned, ServerResult,
    SimpleObject, TypeName, Value, parser::types::Field, registry,
};
use bytes::Bytes;
use tokio::sync::OnceCell;
use uuid::Uuid;

use super::{ContextExt as _, Filter, meter::weighed};
use crate::{
    base::{
        error::{Error, Result},
        ids::TenantId,
    },
    db::{
        Cursor, OrderField, OrderTerm, Predicate,
        list::{
            self, Count, DEFAULT_PAGE, ListQuery, MAX_PAGE, Page, PageRequest, Record, Relation,
        },
    },
};

/// The arguments that every connection takes.
#[derive(Debug)]
pub struct ListArgs<F, O> {
    /// How many from the front.
    first: Option<i32>,
    /// After which cursor.
    after: Option<String>,
    /// How many from the back.
    last: Option<i32>,
    /// Before which cursor.
    before: Option<String>,
    /// Which rows.
    filter: Option<F>,
    /// In which order.
    order_by: Option<Vec<O>>,
    /// Whether archived rows count.
    include_archived: bool,
}

/// Most criteria of an order.
const MAX_ORDER: usize = 3;

impl<F: Filter + InputType, O: InputType> ListArgs<F, O> {
    /// Reads the arguments of a field.
    ///
    /// # Errors
    /// `INVALID_PAGE` when one is of a wrong type, which the executor would have refused.
    pub(super) fn of(ctx: &Context<'_>) -> Result<Self> {
        // Null is no value of it, unlike of the others; where it was left out it is its default.
        let archived = argument(ctx, "includeArchived", Some(|| false))?;
        let ((first, after), (last, before)) = ends(ctx)?;
        Ok(Self {
            first,
            after,
            last,
            before,
            filter: argument(ctx, "filter", None)?,
            order_by: argument(ctx, "orderBy", None)?,
            include_archived: archived,
        })
    }
}

impl<F: Filter, O> ListArgs<F, O> {
    /// The arguments `(first, after)`, `(last, before)`, `filter` and `order_by` of a field, whose rows all count. Rows
    /// that can be archived take [`Self::archived`] besides.
    #[must_use]
    pub fn new(
        (first, after): (Option<i32>, Option<String>),
        (last, before): (Option<i32>, Option<String>),
        filter: Option<F>,
        order_by: Option<Vec<O>>,
    ) -> Self {
        Self {
            first,
            after,
            last,
            before,
            filter,
            order_by,
            include_archived: true,
        }
    }

    /// The argument `include_archived`: whether archived rows count.
    #[must_use]
    pub fn archived(self, include_archived: bool) -> Self {
        Self {
            include_archived,
            ..self
        }
    }

    /// Checks the arguments and makes a query of them. `usual` is the order when the client names none.
    ///
    /// # Errors
    /// `INVALID_PAGE`, `INVALID_CURSOR`, and what the filter fails with.
    pub fn query<R>(self, tenant: TenantId, usual: OrderTerm<R::Order>) -> Result<ListQuery<R>>
    where
        R: Record,
        O: Into<OrderTerm<R::Order>>,
    {
        let order: Vec<_> = self
            .order_by
            .unwrap_or_default()
            .into_iter()
            .map(Into::into)
            .collect();
        if order.len() > MAX_ORDER {
            return Err(Error::invalid(
                "INVALID_PAGE",
                "orderBy",
                format!("expected at most {MAX_ORDER} criteria"),
            ));
        }
        let order = if order.is_empty() { vec![usual] } else { order };
        let page = page_request(
            (self.first, self.after),
            (self.last, self.before),
            tenant,
            &order,
        )?;
        let filter = self
            .filter
            .map(Filter::predicate)
            .transpose()
            .map_err(|error| error.within("filter"))?
            .unwrap_or(Predicate::All(Vec::new()));
        Ok(ListQuery {
            filter,
            order,
            page,
            include_archived: self.include_archived,
        })
    }
}

/// How many rows from one end of a list, and from which cursor on.
pub(crate) type End = (Option<i32>, Option<String>);

/// The arguments `(first, after)` and `(last, before)`.
pub(crate) type Ends = (End, End);

/// The arguments `(first, after)` and `(last, before)` of a field.
///
/// # Errors
/// As [`ListArgs::of`].
pub(crate) fn ends(ctx: &Context<'_>) -> Result<Ends> {
    let front = (argument(ctx, "first", None)?, argument(ctx, "after", None)?);
    let back = (argument(ctx, "last", None)?, argument(ctx, "before", None)?);
    Ok((front, back))
}

fn argument<T: InputType>(
    ctx: &Context<'_>,
    name: &'static str,
    default: Option<fn() -> T>,
) -> Result<T> {
    let value = ctx.param_value(name, default);
    value
        .map(|(_, value)| value)
        .map_err(|error| Error::invalid("INVALID_PAGE", name, error.message))
}

/// Checks which part of a list is asked for: of the rows after and before the cursors the first ones, unless it is the last
/// ones (Relay's cursor specification, section 4.4).
///
/// # Errors
/// `INVALID_PAGE` also for both first and last ones, which that specification advises against; `INVALID_CURSOR`.
pub fn page_request<F: OrderField>(
    (first, after): End,
    (last, before): End,
    tenant: TenantId,
    order: &[OrderTerm<F>],
) -> Result<PageRequest> {
    let (size, field, backward) = match (first, last) {
        (Some(_), Some(_)) => {
            let message = "expected `first` or `last`, not both";
            return Err(Error::invalid("INVALID_PAGE", "first", message));
        }
        (None, Some(last)) => (i64::from(last), "last", true),
        (first, None) => (first.map_or(DEFAULT_PAGE, i64::from), "first", false),
    };
    if !(0..=MAX_PAGE).contains(&size) {
        let message = format!("expected 0 to {MAX_PAGE} rows");
        return Err(Error::invalid("INVALID_PAGE", field, message));
    }
    let cursor = |text: Option<String>, field| {
        let cursor = text.map(|text| Cursor::decode(&text, tenant, order, field));
        cursor.transpose()
    };
    Ok(PageRequest {
        size,
        after: cursor(after, "after")?,
        before: cursor(before, "before")?,
        backward,
        peeks: true,
    })
}

/// A list that was asked for, on its own or below a parent.
pub struct Listing<R: Record> {
    query: ListQuery<R>,
    below: Option<(&'static Relation, (usize, usize), Uuid)>,
    tenant: TenantId,
    counted: OnceCell<Count>,
}

impl<R: Record + OutputType> Listing<R> {
    /// Reads a page of a list of the tenant.
    ///
    /// # Errors
    /// The database.
    pub async fn read(ctx: &Context<'_>, query: ListQuery<R>) -> Result<Connection<R>> {
        let request = ctx.request();
        let page = request
            .read(async |tx| list::page(tx, &query).await)
            .await?;
        if page.items.is_empty() {
            request.found_nothing();
        }
        let listing = Self {
            query,
            below: None,
            tenant: request.actor().tenant,
            counted: OnceCell::new(),
        };
        let page = Arc::new(page);
        Ok(Connection(ConnectionContent::Rows(Box::new(
            ConnectionRows { page, listing },
        ))))
    }

    /// Reads a parent's page, in one statement with the same field of its siblings.
    ///
    /// # Errors
    /// The database.
    pub async fn below(
        ctx: &Context<'_>,
        relation: &'static Relation,
        parent: Uuid,
        query: ListQuery<R>,
    ) -> Result<Connection<R>> {
        let request = ctx.request();
        let place = (ctx.item.pos.line, ctx.item.pos.column);
        let page = request.load_page(relation, place, parent, &query).await?;
        let listing = Self {
            query,
            below: Some((relation, place, parent)),
            tenant: request.actor().tenant,
            counted: OnceCell::new(),
        };
        Ok(Connection(ConnectionContent::Rows(Box::new(
            ConnectionRows { page, listing },
        ))))
    }

    fn cursor(&self, record: &R) -> String {
        let values = self
            .query
            .order
            .iter()
            .map(|term| term.field.value(record))
            .collect();
        Cursor {
            values,
            id: record.key(),
        }
        .encode(self.tenant, &self.query.order)
    }

    /// Counted once, however many fields ask.
    async fn count(&self, ctx: &Context<'_>) -> Result<Count> {
        let count = async || match self.below {
            Some((relation, place, parent)) => {
                ctx.request()
                    .load_count(relation, place, parent, &self.query)
                    .await
            }
            None => {
                ctx.request()
                    .read(async |tx| list::count(tx, &self.query).await)
                    .await
            }
        };
        self.counted.get_or_try_init(count).await.copied()
    }
}

/// A page of a list, or what was asked of it.
pub struct Connection<R: Record>(ConnectionContent<R>);

enum ConnectionContent<R: Record> {
    /// The executor has to ask it for its fields.
    Rows(Box<ConnectionRows<R>>),
    /// All that was asked for, in JSON.
    Written(Bytes),
}

impl<R: Record> Connection<R> {
    /// One whose answer is written already.
    pub(super) fn written(text: Bytes) -> Self {
        Self(ConnectionContent::Written(text))
    }
}

impl<R: Record + OutputType> OutputType for Connection<R> {
    fn type_name() -> Cow<'static, str> {
        <ConnectionRows<R> as OutputType>::type_name()
    }

    fn create_type_info(registry: &mut registry::Registry) -> String {
        <ConnectionRows<R> as OutputType>::create_type_info(registry)
    }

    async fn resolve(
        &self,
        ctx: &ContextSelectionSet<'_>,
        field: &Positioned<Field>,
    ) -> ServerResult<Value> {
        match &self.0 {
            ConnectionContent::Rows(rows) => OutputType::resolve(&**rows, ctx, field).await,
            ConnectionContent::Written(text) => Ok(Value::Binary(text.clone())),
        }
    }
}

/// A page of a list.
struct ConnectionRows<R: Record> {
    page: Arc<Page<Arc<R>>>,
    listing: Listing<R>,
}

/// A row of a page with its cursor.
pub struct Edge<R: Record> {
    node: Arc<R>,
    cursor: String,
}

/// A row whose fields are resolved on the heap, and whose text is counted. The executor moves the futures of a list's items
/// about by value, and one of a record with its relations is kilobytes large.
struct Boxed<'a, R>(&'a Arc<R>);

impl<R: OutputType> OutputType for Boxed<'_, R> {
    fn type_name() -> Cow<'static, str> {
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
        let request = ctx.request();
        let too_large =
            |error: Error| async_graphql::Error::from(error).into_server_error(field.pos);
        request.count(0).map_err(too_large)?;
        let resolving = Box::pin(OutputType::resolve(&**self.0, ctx, field));
        let (value, bytes) = weighed(resolving).await?;
        request.count(bytes).map_err(too_large)?;
        Ok(value)
    }
}

/// Where a page stands in its list.
#[derive(Debug, SimpleObject)]
pub struct PageInfo {
    /// Whether there are rows after this page; with `before` there are.
    has_next_page: bool,
    /// Whether there are rows before this page; with `after` there are.
    has_previous_page: bool,
    /// The first row's cursor, for `before`.
    start_cursor: Option<String>,
    /// The last row's cursor, for `after`.
    end_cursor: Option<String>,
}

impl<R: Record + OutputType> TypeName for ConnectionRows<R> {
    fn type_name() -> Cow<'static, str> {
        format!("{}Connection", <R as OutputType>::type_name()).into()
    }
}

impl<R: Record + OutputType> TypeName for Edge<R> {
    fn type_name() -> Cow<'static, str> {
        format!("{}Edge", <R as OutputType>::type_name()).into()
    }
}

/// A page of a list.
#[Object(name_type)]
impl<R: Record + OutputType> ConnectionRows<R> {
    /// The rows.
    async fn nodes(&self) -> Vec<Boxed<'_, R>> {
        self.page.items.iter().map(Boxed).collect()
    }

    /// The rows, each with its cursor.
    async fn edges(&self) -> Vec<Edge<R>> {
        let edge = |node: &Arc<R>| Edge {
            node: Arc::clone(node),
            cursor: self.listing.cursor(node),
        };
        self.page.items.iter().map(edge).collect()
    }

    /// Where the page stands in the list.
    async fn page_info(&self) -> PageInfo {
        let cursor = |record: Option<&Arc<R>>| record.map(|record| self.listing.cursor(record));
        PageInfo {
            has_next_page: self.page.has_next,
            has_previous_page: self.page.has_previous,
            start_cursor: cursor(self.page.items.first()),
            end_cursor: cursor(self.page.items.last()),
        }
    }

    /// How many rows the whole list has, up to 10,000. Counted only when asked for.
    async fn total_count(&self, ctx: &Context<'_>) -> Result<i64> {
        Ok(self.listing.count(ctx).await?.value)
    }

    /// Whether there are more rows than `totalCount` says: show it as "more than 10,000".
    async fn total_count_is_estimate(&self, ctx: &Context<'_>) -> Result<bool> {
        Ok(self.listing.count(ctx).await?.is_more)
    }
}

/// A row of a page with its cursor.
#[Object(name_type)]
impl<R: Record + OutputType> Edge<R> {
    /// The row.
    async fn node(&self) -> Boxed<'_, R> {
        Boxed(&self.node)
    }

    /// The row's place in the list, for `after` and `before`.
    async fn cursor(&self) -> &str {
        &self.cursor
    }
}
