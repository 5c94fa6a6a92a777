//! `#[derive(Columns)]`.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};

use crate::parse::{Computed, Field, Kind, MASKED, Named, Struct};

pub(crate) fn expand(of: &Struct) -> TokenStream {
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
            is_long: false,
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
            is_long: false,
        }))
    });
    let binds = of.fields.iter().filter_map(bind);
    let computes = of
        .computed
        .iter()
        .map(|Computed { value, .. }| quote!(row.bind(#value);));
    let sensitivities = sensitivities(of);
    quote! {
        #sensitivities

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

/// A constant for each column and each thing told that a role may keep back.
fn sensitivities(of: &Struct) -> Option<TokenStream> {
    let columns = of.fields.iter().filter_map(|field| match &field.kind {
        Kind::Column { sensitivity, .. } => Some((&field.member, &field.vis, sensitivity)),
        _ => None,
    });
    let told = of.told.iter();
    let told = told.map(|told| (&told.name, &of.vis, &told.sensitivity));
    let masked = columns
        .chain(told)
        .filter(|(.., sensitivity)| MASKED.iter().any(|masked| sensitivity == masked));
    let constants: Vec<_> = masked
        .map(|(name, vis, sensitivity)| {
            let constant = format_ident!("{}", name.to_string().to_uppercase());
            let doc = format!(" Who is shown `{name}`.");
            quote! {
                #[doc = #doc]
                #vis const #constant: crate::access::Sensitivity = crate::access::Sensitivity::#sensitivity;
            }
        })
        .collect();
    let name = &of.name;
    let (impl_generics, type_generics, bounds) = of.generics.split_for_impl();
    let has_some = !constants.is_empty();
    has_some.then(|| quote!(impl #impl_generics #name #type_generics #bounds { #(#constants)* }))
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
            is_long,
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
                is_long: #is_long,
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
