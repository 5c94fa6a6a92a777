//! `#[derive(SchemaFields)]`.

use proc_macro2::{Ident, TokenStream};
use quote::quote;

use crate::parse::{Field, Kind, MASKED, Struct};

pub(crate) fn expand(of: &Struct) -> TokenStream {
    let name = &of.name;
    let (impl_generics, type_generics, bounds) = of.generics.split_for_impl();
    let resolvers = of.fields.iter().filter_map(resolver);
    let projected = of.fields.iter().filter_map(projected);
    quote! {
        #[::async_graphql::Object]
        impl #impl_generics #name #type_generics #bounds {
            #(#resolvers)*
        }

        impl #impl_generics crate::graphql::projection::SchemaFields for #name #type_generics #bounds {
            fn projected(name: &str) -> ::core::option::Option<crate::graphql::projection::Projected> {
                match name {
                    #(#projected)*
                    _ => ::core::option::Option::None,
                }
            }
        }
    }
}

/// The resolver of a field. It is masked also where the record was read without masks, as one that a write hands back.
fn resolver(field: &Field) -> Option<TokenStream> {
    let Field {
        member, ty, docs, ..
    } = field;
    let (shown, _, sensitivity) = shown(field)?;
    let value = quote!(crate::graphql::projection::ColumnType::shown(&self.#member));
    let (ctx, value) = match MASKED.iter().any(|masked| sensitivity == masked) {
        false => (None, value),
        true => (
            Some(quote!(ctx: &::async_graphql::Context<'_>)),
            quote! {
                crate::graphql::ContextExt::request(ctx)
                    .unless_masked(crate::access::Sensitivity::#sensitivity, #value)
            },
        ),
    };
    Some(quote! {
        #(#docs)*
        #[graphql(name = #shown)]
        async fn #member(&self, #ctx) -> <#ty as crate::graphql::projection::ColumnType>::Shown<'_> {
            #value
        }
    })
}

/// From which column it follows.
fn projected(field: &Field) -> Option<TokenStream> {
    let (shown, column, _) = shown(field)?;
    let ty = &field.ty;
    Some(quote! {
        #shown => ::core::option::Option::Some(crate::graphql::projection::Projected::Value(
            <#ty as crate::graphql::projection::ColumnType>::KIND,
            #column,
        )),
    })
}

/// The name in the schema, the column and its sensitivity; nothing for a secret, which nobody is shown.
fn shown(field: &Field) -> Option<(&String, &String, &Ident)> {
    match (&field.shown, &field.kind) {
        (
            Some(shown),
            Kind::Column {
                name, sensitivity, ..
            },
        ) if sensitivity != "Secret" => Some((shown, name, sensitivity)),
        _ => None,
    }
}
