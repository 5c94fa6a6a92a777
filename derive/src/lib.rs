//! What a struct has in columns of its table, each said once, on its field: `#[derive(Columns)]` for the database,
//! `#[derive(SchemaFields)]` for the schema.
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
//! # Fields of the schema
//! `SchemaFields` makes each column a field that shows its value, under its name in camel case, described by its doc
//! comment, and masked by its sensitivity; and says from which column it follows, so that it is read without the rest of
//! the record. The record's own object takes these fields over by `#[graphql(flatten)]`. `#[graphql(skip)]` leaves a column
//! out, `#[graphql(name = "…")]` gives the field another name.

mod columns;
mod parse;
mod schema_fields;

use proc_macro::TokenStream;
use syn::{DeriveInput, parse_macro_input};

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
