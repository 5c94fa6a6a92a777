//! What a struct and its attributes say.

#[cfg(test)]
mod tests;

use proc_macro2::Span;
use syn::{
    Attribute, Data, DeriveInput, Expr, Fields, Generics, Ident, LitStr, Result, Token, Type,
    Visibility,
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

/// Those that a role may keep back.
pub(crate) const MASKED: [&str; 4] = ["Amounts", "Emails", "Phones", "Ways"];

/// A struct that has columns.
pub(crate) struct Struct {
    pub(crate) vis: Visibility,
    pub(crate) name: Ident,
    pub(crate) generics: Generics,
    pub(crate) fields: Vec<Field>,
    pub(crate) computed: Vec<Computed>,
    pub(crate) told: Vec<Named>,
    pub(crate) unread: Vec<Named>,
}

/// One of its fields.
pub(crate) struct Field {
    pub(crate) vis: Visibility,
    pub(crate) member: Ident,
    pub(crate) ty: Type,
    pub(crate) kind: Kind,
    /// Its name in the schema, unless it is left out there.
    pub(crate) shown: Option<String>,
    /// Its doc comment.
    pub(crate) docs: Vec<Attribute>,
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
        is_long: bool,
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
            vis: input.vis.clone(),
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
        let docs = field.attrs.iter().filter(|of| of.path().is_ident("doc"));
        Ok(Self {
            vis: field.vis.clone(),
            shown: shown(&member, &field.attrs)?,
            docs: docs.cloned().collect(),
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
    let (mut sensitivity, mut written) = (ident("Plain"), ident("Always"));
    let (mut select, mut is_long) = (None, false);
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
            } else if meta.path.is_ident("long") {
                is_long = true;
            } else {
                return Err(
                    meta.error("expected a sensitivity, `read`, `once`, `select` or `long`")
                );
            }
            Ok(())
        })?;
    }
    Ok(Kind::Column {
        name,
        sensitivity,
        written,
        select,
        is_long,
    })
}

/// The name that a field has in the schema.
fn shown(member: &Ident, attributes: &[Attribute]) -> Result<Option<String>> {
    let mut shown = Some(camel(&member.to_string()));
    for attribute in attributes.iter().filter(|of| of.path().is_ident("graphql")) {
        attribute.parse_nested_meta(|meta| {
            if meta.path.is_ident("skip") {
                shown = None;
            } else if meta.path.is_ident("name") {
                shown = Some(meta.value()?.parse::<LitStr>()?.value());
            } else {
                return Err(meta.error("expected `skip` or `name`"));
            }
            Ok(())
        })?;
    }
    Ok(shown)
}

fn camel(name: &str) -> String {
    let mut words = name.split('_');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |name, word| {
        let (initial, rest) = word.split_at(word.len().min(1));
        name + &initial.to_uppercase() + rest
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
