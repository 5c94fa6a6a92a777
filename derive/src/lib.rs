//! What records and resolvers would say over and over, said once.
//!
//! # `#[derive(Columns)]` and `#[derive(SchemaFields)]`
//! What a struct has in columns of its table, each on its field: the first for the database, the second for the schema.
//!
//! ```ignore
//! #[derive(sqlx::FromRow, Columns, SchemaFields)]
//! #[computed(name_normalized = normalize(&self.name))]
//! struct Product {
//!     #[sqlx(rename = "product_id")]
//!     #[column(once)]
//!     #[graphql(skip)]
//!     id: ProductId,
//!     /// What it is called.
//!     name: String,
//!     #[column(amounts)]
//!     #[graphql(skip)]
//!     unit_price_minor: Option<i64>,
//!     #[column(read)]
//!     #[graphql(skip)]
//!     visible_to: String,
//!     #[sqlx(flatten)]
//!     stamps: Stamps,
//! }
//! ```
//!
//! A field is a column of its name, or of the name that sqlx is told; `#[sqlx(flatten)]` brings the columns of another
//! struct, `#[sqlx(skip)]` none. `#[column(…)]` says more, separated by commas:
//! - `amounts`, `emails`, `phones`, `ways`, `personal`, `secret`: its sensitivity; plain unless said.
//! - `read`: never written with the record. `once`: written when the row is inserted, and not again.
//! - `long`: a text that may have as many characters as a text may at most; all others hold a line, or less.
//! - `select = "…"`: read as this expression, which no column stands behind.
//! - `parts = …` on a flattened field: its columns as these parts declare them.
//!
//! `#[computed(column = expression, sensitivity)]` on the struct is a column that is written and not read back.
//! `#[unread(column, sensitivity)]` is one that other statements write, and that lists may compare.
//! `#[told(name, sensitivity)]` is no column: events tell it beside them.
//!
//! For each column that a role may keep back there is a constant of its name, `Product::UNIT_PRICE_MINOR`, with its
//! sensitivity.
//!
//! `SchemaFields` makes each column a field that shows its value, under its name in camel case, described by its doc
//! comment, and masked by its sensitivity; and says from which column it follows, so that it is read without the rest of
//! the record. The record's own object takes these fields over by `#[graphql(flatten)]`. `#[graphql(skip)]` leaves a column
//! out, `#[graphql(name = "…")]` gives the field another name.
//!
//! # `#[derive(OrderField)]`
//! What lists of a record can be sorted by, each field with its column and what a record has in it; `self` is the record:
//!
//! ```ignore
//! #[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, OrderField)]
//! #[order(of = Product)]
//! enum ProductOrderField {
//!     #[order(time = self.stamps.created_at)]
//!     CreatedAt,
//!     #[order(text = normalize(&self.fields.name), column = "name_normalized")]
//!     Name,
//!     #[order(int = self.fields.unit_price_minor, column = "unit_price_minor", absent = "-1")]
//!     UnitPrice,
//! }
//! ```
//!
//! The word is the kind of the values: `text`, `int`, `time` or `date`. The column has the field's name in snake case unless
//! `column` says another. One that can be empty is an `Option`, and `absent` is the SQL literal that an empty one sorts as.
//!
//! # `#[connection_args]`
//! Above `#[Object]`, it gives the fields that are connections their arguments:
//!
//! ```ignore
//! #[connection_args]
//! #[Object]
//! impl CompanyQuery {
//!     async fn companies(
//!         &self,
//!         ctx: &Context<'_>,
//!         args: ListArgs<CompanyFilter, CompanyOrder>,
//!     ) -> Result<Connection<Company>> {
//! ```
//!
//! - `args: ListArgs<Filter, Order>` stands for `first`, `after`, `last`, `before`, `filter`, `orderBy` and
//!   `includeArchived`.
//! - With `#[list(never_archived)]` before it there is no `includeArchived`: such rows can't be put away.
//! - `ends: Ends` stands for the first four, of a list that is sorted in one way; a `filter` may follow it.

mod columns;
mod connection_args;
mod order_field;
mod parse;
mod schema_fields;

use proc_macro::TokenStream;
use syn::{DeriveInput, ItemImpl, parse_macro_input};

use parse::Struct;

/// See the [crate's page](crate).
#[proc_macro_derive(Columns, attributes(column, computed, told, unread, sqlx))]
pub fn columns(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    expanded(&input, columns::expand)
}

/// See the [crate's page](crate).
#[proc_macro_derive(SchemaFields, attributes(column, graphql, sqlx))]
pub fn schema_fields(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    expanded(&input, schema_fields::expand)
}

fn expanded(
    input: &DeriveInput,
    expand: impl FnOnce(&Struct) -> proc_macro2::TokenStream,
) -> TokenStream {
    match Struct::read(input) {
        Ok(of) => expand(&of).into(),
        Err(error) => error.to_compile_error().into(),
    }
}

/// See the [crate's page](crate#deriveorderfield).
#[proc_macro_derive(OrderField, attributes(order))]
pub fn order_field(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    match order_field::expand(&input) {
        Ok(expanded) => expanded.into(),
        Err(error) => error.to_compile_error().into(),
    }
}

/// See the [crate's page](crate#connection_args).
#[proc_macro_attribute]
pub fn connection_args(none: TokenStream, block: TokenStream) -> TokenStream {
    parse_macro_input!(none as syn::parse::Nothing);
    let block = parse_macro_input!(block as ItemImpl);
    match connection_args::expand(block) {
        Ok(expanded) => expanded.into(),
        Err(error) => error.to_compile_error().into(),
    }
}
