//! `#[derive(OrderField)]`: what lists of a record can be sorted by.

#[cfg(test)]
mod tests;

use proc_macro2::TokenStream;
use quote::quote;
use syn::{
    Attribute, Data, DeriveInput, Error, Expr, Fields, Ident, LitStr, Result, Type, Variant,
    meta::ParseNestedMeta,
};

/// The words of the kinds of values, with their variants.
const KINDS: [(&str, &str); 4] = [
    ("text", "Text"),
    ("int", "Int"),
    ("time", "Time"),
    ("date", "Date"),
];

/// One of the fields.
struct Field {
    variant: Ident,
    column: String,
    /// The variant of the kind of its values.
    kind: Ident,
    /// What a record has in the column.
    value: Expr,
    /// What an empty one sorts as.
    absent: Option<LitStr>,
}

pub(crate) fn expand(input: &DeriveInput) -> Result<TokenStream> {
    let Data::Enum(data) = &input.data else {
        let message = "only an enum is one of several fields";
        return Err(Error::new_spanned(&input.ident, message));
    };
    let (name, record) = (&input.ident, record(input)?);
    let fields = data.variants.iter().map(Field::read);
    let fields = fields.collect::<Result<Vec<_>>>()?;
    let columns = fields.iter().map(|field| {
        let Field {
            variant, column, ..
        } = field;
        quote!(Self::#variant => #column)
    });
    let kinds = fields.iter().map(|field| {
        let Field { variant, kind, .. } = field;
        quote!(Self::#variant => crate::db::ValueKind::#kind)
    });
    let absent = fields.iter().map(|field| {
        let variant = &field.variant;
        match &field.absent {
            Some(absent) => quote!(Self::#variant => ::core::option::Option::Some(#absent)),
            None => quote!(Self::#variant => ::core::option::Option::None),
        }
    });
    let values = fields.iter().map(|field| {
        let (variant, value) = (&field.variant, field.value());
        quote!(#name::#variant => #value)
    });
    Ok(quote! {
        const _: () = {
            // In the expressions `self` is the record.
            trait Sorted {
                fn sort_value(&self, field: #name) -> ::core::option::Option<crate::db::Value>;
            }

            #[automatically_derived]
            impl Sorted for #record {
                fn sort_value(&self, field: #name) -> ::core::option::Option<crate::db::Value> {
                    match field { #(#values,)* }
                }
            }

            #[automatically_derived]
            impl crate::db::OrderField for #name {
                type Record = #record;

                fn column(self) -> &'static str {
                    match self { #(#columns,)* }
                }

                fn kind(self) -> crate::db::ValueKind {
                    match self { #(#kinds,)* }
                }

                fn absent(self) -> ::core::option::Option<&'static str> {
                    match self { #(#absent,)* }
                }

                fn value(self, record: &#record) -> ::core::option::Option<crate::db::Value> {
                    Sorted::sort_value(record, self)
                }
            }
        };
    })
}

/// `of = …` of the enum: whose fields they are.
fn record(input: &DeriveInput) -> Result<Type> {
    let mut record = None;
    for attribute in orders(&input.attrs) {
        attribute.parse_nested_meta(|meta| {
            if !meta.path.is_ident("of") {
                return Err(meta.error("expected `of`"));
            }
            record = Some(meta.value()?.parse()?);
            Ok(())
        })?;
    }
    let message = "expected `#[order(of = …)]` with the record that is sorted";
    record.ok_or_else(|| Error::new_spanned(&input.ident, message))
}

fn orders(attributes: &[Attribute]) -> impl Iterator<Item = &Attribute> {
    attributes.iter().filter(|of| of.path().is_ident("order"))
}

impl Field {
    fn read(variant: &Variant) -> Result<Self> {
        if !matches!(variant.fields, Fields::Unit) {
            return Err(Error::new_spanned(variant, "a field has nothing inside"));
        }
        let (mut value, mut column, mut absent) = (None, None, None);
        for attribute in orders(&variant.attrs) {
            attribute.parse_nested_meta(|meta| {
                if let Some(kind) = kind(&meta) {
                    value = Some((kind, meta.value()?.parse()?));
                } else if meta.path.is_ident("column") {
                    column = Some(meta.value()?.parse::<LitStr>()?.value());
                } else if meta.path.is_ident("absent") {
                    absent = Some(meta.value()?.parse()?);
                } else {
                    let message = "expected `text`, `int`, `time` or `date`, `column` or `absent`";
                    return Err(meta.error(message));
                }
                Ok(())
            })?;
        }
        let message = "expected `#[order(…)]` with its value as `text`, `int`, `time` or `date`";
        let (kind, value) = value.ok_or_else(|| Error::new_spanned(variant, message))?;
        Ok(Self {
            variant: variant.ident.clone(),
            column: column.unwrap_or_else(|| snake_case(&variant.ident.to_string())),
            kind,
            value,
            absent,
        })
    }

    /// Its value of a record; only a column that can be empty is an `Option`.
    fn value(&self) -> TokenStream {
        let Self {
            kind,
            value,
            absent,
            ..
        } = self;
        let wrapped = match kind == "Int" {
            true => quote!(crate::db::Value::Int(::core::convert::Into::into(value))),
            false => quote!(crate::db::Value::#kind(value)),
        };
        match absent {
            Some(_) => quote!(::core::option::Option::map(#value, |value| #wrapped)),
            None => quote!({
                let value = #value;
                ::core::option::Option::Some(#wrapped)
            }),
        }
    }
}

fn kind(meta: &ParseNestedMeta<'_>) -> Option<Ident> {
    let word = meta.path.get_ident()?;
    let known = KINDS.iter().find(|(known, _)| word == known)?;
    Some(Ident::new(known.1, word.span()))
}

/// `CreatedAt` is `created_at`.
fn snake_case(name: &str) -> String {
    let mut words = String::with_capacity(name.len() + 4);
    for letter in name.chars() {
        if letter.is_uppercase() && !words.is_empty() {
            words.push('_');
        }
        words.extend(letter.to_lowercase());
    }
    words
}
