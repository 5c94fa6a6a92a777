//! Fields before and after a change, as a reader may see them: under the names of the API, without what their role
//! keeps back.

use serde_json::Value as Json;

use crate::access::{Rights, Sensitivity};

/// A field with its values, as a reader may see them.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldDiff {
    /// Its name in the API.
    pub field: String,
    /// Its value before.
    pub before: Json,
    /// Its value after.
    pub after: Json,
    /// Whether the reader's role keeps the values back.
    pub masked: bool,
}

/// The columns that changed, each with its values before and after, as a reader with these rights may see them by what
/// `declared` says of each. A column that is not declared is shown to no reader.
pub fn shown_to<'c>(
    rights: &Rights,
    declared: impl Fn(&str) -> Option<Sensitivity>,
    columns: impl Iterator<Item = (&'c str, Json, Json)>,
) -> impl Iterator<Item = FieldDiff> {
    columns.map(move |(name, before, after)| {
        let masked = !declared(name).is_some_and(|declared| declared.is_shown(rights));
        let shown = |value: Json| match masked {
            true => Json::Null,
            false => named_for_clients(value),
        };
        FieldDiff {
            field: camel_case(name),
            before: shown(before),
            after: shown(after),
            masked,
        }
    })
}

/// `owner_id` is `ownerId` in the API.
fn camel_case(name: &str) -> String {
    let mut words = name.split('_');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |mut name, word| {
        let mut letters = word.chars();
        name.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        name + letters.as_str()
    })
}

fn named_for_clients(value: Json) -> Json {
    match value {
        Json::Object(fields) => fields
            .into_iter()
            .map(|(name, value)| (camel_case(&name), named_for_clients(value)))
            .collect(),
        Json::Array(items) => items.into_iter().map(named_for_clients).collect(),
        other => other,
    }
}
