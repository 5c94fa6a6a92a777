//! What records and resolvers would say over and over, said once.
//!
//! # `#[derive(Columns)]`
//! What a struct has in columns of its table, each on its field:
//!
//! ```ignore
//! #[derive(sqlx::FromRow, Columns)]
//! #[computed(name_normalized = normalize(&self.name))]
//! struct Product {
//!     #[sqlx(rename = "product_id")]
//!     #[column(once)]
//!     id: ProductId,
//!     name: String,
//!     #[column(amounts)]
//!     unit_price_minor: Option<i64>,
//!     #[column(read)]
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

mod connection_args;
mod order_field;
mod parse;

use proc_macro2::TokenStream;
use quote::quote;
use syn::{DeriveInput, ItemImpl, parse_macro_input};

use parse::{Computed, Field, Kind, Named, Struct};

/// See the [crate's page](crate).
#[proc_macro_derive(Columns, attributes(column, computed, told, unread, sqlx))]
pub fn columns(input: proc_macro::TokenStream) -> proc_macro::TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    match Struct::read(&input) {
        Ok(of) => expand(&of).into(),
        Err(error) => error.to_compile_error().into(),
    }
}

/// See the [crate's page](crate#deriveorderfield).
#[proc_macro_derive(OrderField, attributes(order))]
pub fn order_field(input: proc_macro::TokenStream) -> proc_macro::TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    match order_field::expand(&input) {
        Ok(expanded) => expanded.into(),
        Err(error) => error.to_compile_error().into(),
    }
}

/// See the [crate's page](crate#connection_args).
#[proc_macro_attribute]
pub fn connection_args(
    none: proc_macro::TokenStream,
    block: proc_macro::TokenStream,
) -> proc_macro::TokenStream {
    parse_macro_input!(none as syn::parse::Nothing);
    let block = parse_macro_input!(block as ItemImpl);
    match connection_args::expand(block) {
        Ok(expanded) => expanded.into(),
        Err(error) => error.to_compile_error().into(),
    }
}

fn expand(of: &Struct) -> TokenStream {
    let name = &of.name;
    let (impl_generics, type_generics, bounds) = of.generics.split_for_impl();
    let parts = of.fields.iter().filter_map(part);
    let computed = of.computed.iter().map(|computed| {
        let Computed {
            column,
            sensitivity,
            ..
        } = computed;
        let column = column.to_string();
        quote!(crate::db::Part::Column(crate::db::columns::Column {
            name: #column,
            sensitivity: crate::access::Sensitivity::#sensitivity,
            written: crate::db::Written::Always,
            read: crate::db::Read::Never,
        }))
    });
    let told = of.told.iter().map(|Named { name, sensitivity }| {
        let name = name.to_string();
        quote!(crate::db::Part::Told(#name, crate::access::Sensitivity::#sensitivity))
    });
    let unread = of.unread.iter().map(|Named { name, sensitivity }| {
        let name = name.to_string();
        quote!(crate::db::Part::Column(crate::db::columns::Column {
            name: #name,
            sensitivity: crate::access::Sensitivity::#sensitivity,
            written: crate::db::Written::Never,
            read: crate::db::Read::Never,
        }))
    });
    let binds = of.fields.iter().filter_map(bind);
    let computes = of
        .computed
        .iter()
        .map(|Computed { value, .. }| quote!(row.bind(#value);));
    quote! {
        impl #impl_generics crate::db::Columns for #name #type_generics #bounds {
            const PARTS: &'static [crate::db::Part] = &[#(#parts,)* #(#computed,)* #(#unread,)* #(#told,)*];

            fn bind(&self, writing: crate::db::Writing, row: &mut crate::db::Row<'_>) {
                #(#binds)*
                #(#computes)*
            }

            fn select() -> &'static str {
                static TEXT: ::std::sync::LazyLock<String> = ::std::sync::LazyLock::new(|| {
                    crate::db::select_list(<#name as crate::db::Columns>::PARTS)
                });
                &TEXT
            }
        }
    }
}

fn part(field: &Field) -> Option<TokenStream> {
    match &field.kind {
        Kind::Skipped => None,
        Kind::Flat(Some(parts)) => Some(quote!(crate::db::Part::Parts(#parts))),
        Kind::Flat(None) => {
            let ty = &field.ty;
            Some(quote!(crate::db::Part::Parts(<#ty as crate::db::Columns>::PARTS)))
        }
        Kind::Column {
            name,
            sensitivity,
            written,
            select,
        } => {
            let read = match select {
                Some(select) => quote!(crate::db::Read::As(#select)),
                None => quote!(crate::db::Read::Column),
            };
            Some(quote!(crate::db::Part::Column(crate::db::columns::Column {
                name: #name,
                sensitivity: crate::access::Sensitivity::#sensitivity,
                written: crate::db::Written::#written,
                read: #read,
            })))
        }
    }
}

fn bind(field: &Field) -> Option<TokenStream> {
    let member = &field.member;
    match &field.kind {
        Kind::Skipped => None,
        Kind::Flat(_) => Some(quote!(crate::db::Columns::bind(&self.#member, writing, row);)),
        Kind::Column { written, .. } if written == "Never" => None,
        Kind::Column { written, .. } if written == "Once" => Some(quote! {
            if writing == crate::db::Writing::Insert {
                row.bind(::core::clone::Clone::clone(&self.#member));
            }
        }),
        Kind::Column { .. } => Some(quote!(row.bind(::core::clone::Clone::clone(&self.#member));)),
    }
}
