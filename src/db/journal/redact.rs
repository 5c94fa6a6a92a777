//! What the log does not keep: it outlives the record, so addresses and numbers of people are kept only so far that
//! a reader who knows them recognises them.

use serde_json::Value as Json;

use super::{Changes, Entry};

/// What stands for a text that is not kept at all.
const HIDDEN: &str = "•••";
/// Parts of the names of fields that hold a way to reach somebody.
const REACHES: [&str; 3] = ["email", "phone", "mobile"];
/// Parts of the names of fields that open something. No entry should have one; if one does, nothing is kept of it.
const OPENS: [&str; 5] = ["password", "secret", "token", "hash", "recovery"];
/// The field of a contact with its ways to be reached, each an object, and what of each is kept back.
const METHODS: (&str, &str) = ("contact_methods", "value");

/// The entry with sensitive values masked.
pub(super) fn redacted(mut entry: Entry) -> Entry {
    let fields = std::mem::take(&mut entry.changes.0);
    let masked = fields.into_iter().map(|(name, sides)| {
        let sides = if is_any(&name, &OPENS) {
            replaced(sides, &|_| HIDDEN.to_owned())
        } else if is_any(&name, &REACHES) {
            replaced(sides, &mask)
        } else if name == METHODS.0 {
            of_methods(sides)
        } else {
            sides
        };
        (name, sides)
    });
    entry.changes = Changes(masked.collect());
    entry
}

fn is_any(field: &str, parts: &[&str]) -> bool {
    let field = field.to_ascii_lowercase();
    parts.iter().any(|part| field.contains(part))
}

/// Every text in a value replaced, however deep.
fn replaced(value: Json, by: &dyn Fn(&str) -> String) -> Json {
    match value {
        Json::String(text) => Json::String(by(&text)),
        Json::Array(items) => items.into_iter().map(|item| replaced(item, by)).collect(),
        Json::Object(fields) => fields
            .into_iter()
            .map(|(name, value)| (name, replaced(value, by)))
            .collect(),
        other => other,
    }
}

fn of_methods(sides: Json) -> Json {
    match sides {
        Json::Array(items) => items.into_iter().map(of_methods).collect(),
        Json::Object(mut method) => {
            if let Some(value) = method.get_mut(METHODS.1) {
                *value = replaced(value.take(), &mask);
            }
            Json::Object(method)
        }
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
        None => HIDDEN.to_owned(),
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

    #[test]
    fn of_a_contacts_methods_the_values_are_masked_and_of_what_opens_something_nothing_is_kept() {
        let methods = json!([{ "kind": "EMAIL", "value": "ada@acme.example", "label": "work", "preferred": true }]);
        let changes = Changes::default()
            .with("contact_methods", json!(null), methods)
            .with("newPassword", json!(null), json!("correct horse"))
            .with("secret_hash", json!(["abc"]), json!(null));
        let entry = Entry {
            changes,
            ..Entry::new("user:1", "contact.updated")
        };
        let text = Json::Object(redacted(entry).changes.0).to_string();
        assert_eq!(
            text,
            r#"{"contact_methods":[null,[{"kind":"EMAIL","label":"work","preferred":true,"value":"a•••@acme.example"}]],"newPassword":[null,"•••"],"secret_hash":[["•••"],null]}"#
        );
    }
}
