//! What a struct and its attributes say.

use proc_macro2::Span;
use syn::{
    Attribute, Data, DeriveInput, Expr, Fields, Generics, Ident, LitStr, Result, Token, Type,
    parse::{Parse, ParseStream},
    punctuated::Punctuated,
};

/// The words of sensitivities, with their variants.
const SENSITIVITIES: [(&str, &str); 6] = [
    ("amounts", "Amounts"),
    ("emails", "Emails"),
    ("phones", "Phones"),
    ("ways", "Ways"),
    ("personal", "Personal"),
    ("secret", "Secret"),
];

/// A struct that has columns.
pub(crate) struct Struct {
    pub(crate) name: Ident,
    pub(crate) generics: Generics,
    pub(crate) fields: Vec<Field>,
    pub(crate) computed: Vec<Computed>,
    pub(crate) told: Vec<Named>,
    pub(crate) unread: Vec<Named>,
}

/// One of its fields.
pub(crate) struct Field {
    pub(crate) member: Ident,
    pub(crate) ty: Type,
    pub(crate) kind: Kind,
}

/// What a field is in the table.
pub(crate) enum Kind {
    /// Nothing.
    Skipped,
    /// Columns of another struct, as it declares them or as these parts do.
    Flat(Option<Expr>),
    /// A column.
    Column {
        name: String,
        sensitivity: Ident,
        written: Ident,
        select: Option<LitStr>,
    },
}

/// A column that is written and not read back: `column = expression, sensitivity`.
pub(crate) struct Computed {
    pub(crate) column: Ident,
    pub(crate) value: Expr,
    pub(crate) sensitivity: Ident,
}

/// What events tell beside columns, or a column that the struct has nothing of: `name, sensitivity`.
pub(crate) struct Named {
    pub(crate) name: Ident,
    pub(crate) sensitivity: Ident,
}

impl Struct {
    pub(crate) fn read(input: &DeriveInput) -> Result<Self> {
        let Data::Struct(data) = &input.data else {
            return Err(syn::Error::new_spanned(
                &input.ident,
                "only a struct has columns",
            ));
        };
        let Fields::Named(fields) = &data.fields else {
            return Err(syn::Error::new_spanned(&input.ident, "columns have names"));
        };
        Ok(Self {
            name: input.ident.clone(),
            generics: input.generics.clone(),
            fields: fields
                .named
                .iter()
                .map(Field::read)
                .collect::<Result<_>>()?,
            computed: all(&input.attrs, "computed")?,
            told: all(&input.attrs, "told")?,
            unread: all(&input.attrs, "unread")?,
        })
    }
}

impl Field {
    fn read(field: &syn::Field) -> Result<Self> {
        let member = field.ident.clone().expect("the fields have names");
        let (mut name, mut is_flat, mut is_skipped) = (member.to_string(), false, false);
        for attribute in field.attrs.iter().filter(|of| of.path().is_ident("sqlx")) {
            attribute.parse_nested_meta(|meta| {
                is_flat |= meta.path.is_ident("flatten");
                is_skipped |= meta.path.is_ident("skip");
                if meta.path.is_ident("rename") {
                    name = meta.value()?.parse::<LitStr>()?.value();
                } else if meta.input.peek(Token![=]) {
                    meta.value()?.parse::<Expr>()?;
                }
                Ok(())
            })?;
        }
        let kind = match (is_skipped, is_flat) {
            (true, _) => Kind::Skipped,
            (_, true) => Kind::Flat(parts(&field.attrs)?),
            _ => column(name, &field.attrs)?,
        };
        Ok(Self {
            member,
            ty: field.ty.clone(),
            kind,
        })
    }
}

/// `parts = …` of a field that brings the columns of another struct.
fn parts(attributes: &[Attribute]) -> Result<Option<Expr>> {
    let mut parts = None;
    for attribute in attributes.iter().filter(|of| of.path().is_ident("column")) {
        attribute.parse_nested_meta(|meta| {
            if !meta.path.is_ident("parts") {
                return Err(meta.error("expected `parts`"));
            }
            parts = Some(meta.value()?.parse()?);
            Ok(())
        })?;
    }
    Ok(parts)
}

fn column(name: String, attributes: &[Attribute]) -> Result<Kind> {
    let (mut sensitivity, mut written, mut select) = (ident("Plain"), ident("Always"), None);
    for attribute in attributes.iter().filter(|of| of.path().is_ident("column")) {
        attribute.parse_nested_meta(|meta| {
            if let Some(word) = meta.path.get_ident().and_then(known) {
                sensitivity = word;
            } else if meta.path.is_ident("read") {
                written = ident("Never");
            } else if meta.path.is_ident("once") {
                written = ident("Once");
            } else if meta.path.is_ident("select") {
                select = Some(meta.value()?.parse()?);
                written = ident("Never");
            } else {
                return Err(meta.error("expected a sensitivity, `read`, `once` or `select`"));
            }
            Ok(())
        })?;
    }
    Ok(Kind::Column {
        name,
        sensitivity,
        written,
        select,
    })
}

fn all<T: Parse>(attributes: &[Attribute], name: &str) -> Result<Vec<T>> {
    let named = attributes.iter().filter(|of| of.path().is_ident(name));
    named.map(Attribute::parse_args).collect()
}

impl Parse for Computed {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let column = input.parse()?;
        input.parse::<Token![=]>()?;
        Ok(Self {
            column,
            value: input.parse()?,
            sensitivity: sensitivity(input)?,
        })
    }
}

impl Parse for Named {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        Ok(Self {
            name: input.parse()?,
            sensitivity: sensitivity(input)?,
        })
    }
}

/// What follows after a comma; plain if nothing does.
fn sensitivity(input: ParseStream<'_>) -> Result<Ident> {
    if input.is_empty() {
        return Ok(ident("Plain"));
    }
    input.parse::<Token![,]>()?;
    let words = Punctuated::<Ident, Token![,]>::parse_terminated(input)?;
    let word = words.first().and_then(known);
    word.ok_or_else(|| syn::Error::new(Span::call_site(), "expected a sensitivity"))
}

fn known(word: &Ident) -> Option<Ident> {
    let known = SENSITIVITIES.iter().find(|(known, _)| word == known)?;
    Some(ident(known.1))
}

fn ident(text: &str) -> Ident {
    Ident::new(text, Span::call_site())
}

#[cfg(test)]
mod tests {
    use proc_macro2::TokenStream;

    use super::*;

    fn read(text: &str) -> Result<Struct> {
        let tokens: TokenStream = text.parse().expect("Rust");
        Struct::read(&syn::parse2(tokens)?)
    }

    #[test]
    fn fields_say_what_they_are_in_the_table() {
        let of = read(
            "#[computed(name_normalized = normalize(&self.name))]
             #[told(contact_methods, ways)]
             struct Product {
                 #[sqlx(rename = \"product_id\")] #[column(once)] id: Uuid,
                 #[column(amounts)] price: i64,
                 #[column(select = \"'|'\")] visible_to: String,
                 #[sqlx(flatten)] stamps: Stamps,
                 #[sqlx(skip)] note: bool,
             }",
        )
        .expect("a struct");
        let said: Vec<String> = of
            .fields
            .iter()
            .map(|field| match &field.kind {
                Kind::Skipped => "nothing".to_owned(),
                Kind::Flat(_) => "others".to_owned(),
                Kind::Column {
                    name,
                    sensitivity,
                    written,
                    select,
                } => {
                    format!("{name} {sensitivity} {written} {}", select.is_some())
                }
            })
            .collect();
        let expected = [
            "product_id Plain Once false",
            "price Amounts Always false",
            "visible_to Plain Never true",
            "others",
            "nothing",
        ];
        assert_eq!(said, expected);
        assert_eq!(of.computed[0].column, "name_normalized");
        assert_eq!(of.told[0].sensitivity, "Ways");
    }

    #[test]
    fn what_it_does_not_know_it_refuses() {
        assert!(read("struct A { #[column(hidden)] a: i64 }").is_err());
        assert!(read("struct A(i64);").is_err());
        assert!(read("enum A { B }").is_err());
    }
}
