//! Reading records: by id, as pages, as pages per parent, and counted. Every domain's lists come from here.

mod changed;
mod count;
mod lean;
mod read;
mod statement;

use sqlx::{FromRow, postgres::PgRow};
use uuid::Uuid;

use super::{Columns, Cursor, OrderField, OrderTerm, Part, Predicate, Registered};
use crate::access::Access;

pub use changed::{RowChange, changed, now};
pub use count::{count, counts};
pub use lean::{LeanRow, lean_many, lean_page, lean_pages};
pub(crate) use read::by_id;
pub use read::{find, find_many, matching, page, pages, require};

/// The largest page.
pub const MAX_PAGE: i64 = 100;
/// The page when the client does not say.
pub const DEFAULT_PAGE: i64 = 25;
/// Up to here totals are counted; of longer lists it is only said that they are longer.
pub const EXACT_COUNT_UP_TO: i64 = 10_000;

/// A table as statements name it.
#[derive(Debug, Clone, Copy)]
pub struct Table {
    /// Its name.
    pub name: &'static str,
    /// The second column of its primary key; the first is the tenant.
    pub id_column: &'static str,
    /// How access to its records is judged.
    pub access: Access,
    /// What its records have.
    pub parts: &'static [Part],
}

// One name, one table.
impl PartialEq for Table {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Table {}

impl std::hash::Hash for Table {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

/// A row of a tenant table as the domains know it.
pub trait Record:
    Registered + Columns + for<'r> FromRow<'r, PgRow> + Send + Sync + Unpin + Sized + 'static
{
    /// The table with its columns.
    const SOURCE: Table = Table {
        name: Self::TABLE,
        id_column: Self::ID_COLUMN,
        access: Self::ACCESS,
        parts: Self::PARTS,
    };
    /// Whether it can be archived; archived rows are left out of lists unless asked for.
    const ARCHIVES: bool = true;
    /// What its lists can be sorted by.
    type Order: OrderField<Record = Self>;

    /// Its id as the database keeps it.
    fn key(&self) -> Uuid;
}

/// Which part of a list is asked for.
#[derive(Debug, Clone)]
pub struct PageRequest {
    /// How many rows.
    pub size: i64,
    /// Only rows after this one; not included.
    pub after: Option<Cursor>,
    /// Only rows before this one; not included.
    pub before: Option<Cursor>,
    /// Whether the last ones of those are meant, and not the first.
    pub backward: bool,
    /// Whether one row more is looked at, to tell whether there are further ones.
    pub peeks: bool,
}

/// What a list is asked for.
#[derive(Debug)]
pub struct ListQuery<R: Record> {
    /// Which rows.
    pub filter: Predicate,
    /// How they are sorted.
    pub order: Vec<OrderTerm<R::Order>>,
    /// Which part of them.
    pub page: PageRequest,
    /// Whether archived ones count.
    pub include_archived: bool,
}

// Not derived: that would ask for `R: Clone`.
impl<R: Record> Clone for ListQuery<R> {
    fn clone(&self) -> Self {
        let Self {
            filter,
            order,
            page,
            include_archived,
        } = self;
        Self {
            filter: filter.clone(),
            order: order.clone(),
            page: page.clone(),
            include_archived: *include_archived,
        }
    }
}

/// Part of a list.
#[derive(Debug)]
pub struct Page<T> {
    /// The rows, always in the list's own order.
    pub items: Vec<T>,
    /// Whether there are rows before these.
    pub has_previous: bool,
    /// Whether there are rows after these.
    pub has_next: bool,
}

impl<T> Default for Page<T> {
    fn default() -> Self {
        Self {
            items: Vec::new(),
            has_previous: false,
            has_next: false,
        }
    }
}

/// How many rows a list has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    /// The number, [`EXACT_COUNT_UP_TO`] at the most.
    pub value: i64,
    /// Whether there are more than that.
    pub is_more: bool,
}

impl Count {
    /// Of so many rows, of which no more than one beyond the bound were counted.
    fn of(counted: i64) -> Self {
        Self {
            value: counted.min(EXACT_COUNT_UP_TO),
            is_more: counted > EXACT_COUNT_UP_TO,
        }
    }
}

/// How rows of a table belong to a parent.
#[derive(Debug)]
pub struct Relation {
    /// Its name, for example `company.contacts`.
    pub name: &'static str,
    /// How a link table joins, or nothing. The link's alias is `l`, and its tenant is bound by us.
    pub link: Option<Link>,
    /// The column that names the parent, with its alias: `t.company_id` or `l.opportunity_id`.
    pub key: &'static str,
}

/// A table between parent and child.
#[derive(Debug)]
pub struct Link {
    /// Its name.
    pub table: &'static str,
    /// The condition that ties it to the child `t`, beside the tenant.
    pub on: &'static str,
    /// Columns of the child that it keeps a copy of: (the child's, the link's with its alias).
    pub copies: &'static [(&'static str, &'static str)],
}
