//! What the log does not keep: it outlives the record, so addresses and numbers of people are kept only so far that
//! a reader who knows them recognises them.

use serde_json::Value as Json;

use super::{Changes, Entry};

/// Parts of the names of fields that hold a way to reach somebody.
const REACHES: [&str; 3] = ["email", "phone", "mobile"];

/// The entry with sensitive values masked.
pub(super) fn redacted(mut entry: Entry) -> Entry {
    let fields = std::mem::take(&mut entry.changes.0);
    let masked = fields.into_iter().map(|(name, sides)| {
        let sides = if is_sensitive(&name, entry.entity.as_deref()) {
            masked(sides)
        } else {
            sides
        };
        (name, sides)
    });
    entry.changes = Changes(masked.collect());
    entry
}

fn is_sensitive(field: &str, entity: Option<&str>) -> bool {
    // A contact's methods are addresses and numbers of any kind.
    let is_method = entity == Some("contact") && field == "methods";
    is_method
        || REACHES
            .iter()
            .any(|part| field.to_ascii_lowercase().contains(part))
}

fn masked(value: Json) -> Json {
    match value {
        Json::String(text) => Json::String(mask(&text)),
        Json::Array(items) => items.into_iter().map(masked).collect(),
        Json::Object(fields) => fields
            .into_iter()
            .map(|(name, value)| (name, masked(value)))
            .collect(),
        other => other,
    }
}

/// Keeps an address's first letter and its domain, and a number's last two digits.
fn mask(text: &str) -> String {
    let shown = |count: usize| {
        text.chars()
            .rev()
            .take(count)
            .collect::<Vec<_>>()
            .into_iter()
            .rev()
    };
    match text.split_once('@') {
        Some((local, domain)) => {
            format!("{}•••@{domain}", local.chars().next().unwrap_or('•'))
        }
        None if text.chars().count() > 4 => format!("•••{}", shown(2).collect::<String>()),
        None => "•••".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn addresses_and_numbers_are_recognisable_and_no_more() {
        let changes = Changes::default()
            .with("email", json!("ada@acme.example"), json!(null))
            .with("phone", json!("+47 123 45 678"), json!("112"))
            .with("name", json!("Ada"), json!("Grace"));
        let entry = Entry {
            changes,
            ..Entry::new("user:1", "lead.updated")
        };
        let text = Json::Object(redacted(entry).changes.0).to_string();
        assert_eq!(
            text,
            r#"{"email":["a•••@acme.example",null],"name":["Ada","Grace"],"phone":["•••78","•••"]}"#
        );
    }
}
