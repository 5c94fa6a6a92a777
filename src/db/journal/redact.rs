//! What the log does not keep: it outlives the record, so addresses and numbers of people are kept only so far that
//! a reader who knows them recognises them.

use serde_json::Value as Json;

use crate::{
    access::Sensitivity,
    db::{Part, sensitivity},
};

/// What stands for a text that is not kept at all.
const HIDDEN: &str = "•••";
/// What is masked of an address or a number.
const VALUE: &str = "value";

/// What is kept of a field's values before and after, by what the record declares of it. Of what nobody has declared
/// nothing is kept.
pub(super) fn kept(parts: &'static [Part], name: &str, sides: Json) -> Json {
    match sensitivity(parts, name) {
        Some(Sensitivity::Plain | Sensitivity::Amounts) => sides,
        Some(Sensitivity::Emails | Sensitivity::Phones | Sensitivity::Personal) => {
            replaced(sides, &mask)
        }
        Some(Sensitivity::Ways) => of_methods(sides),
        Some(Sensitivity::Secret) | None => replaced(sides, &|_| HIDDEN.to_owned()),
    }
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
            if let Some(value) = method.get_mut(VALUE) {
                *value = replaced(value.take(), &mask);
            }
            Json::Object(method)
        }
        other => other,
    }
}

/// Keeps an address's first letter and its domain, and a number's last two digits.
pub(super) fn mask(text: &str) -> String {
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

    const PARTS: &[Part] = &[
        Part::Told("email", Sensitivity::Emails),
        Part::Told("phone", Sensitivity::Phones),
        Part::Told("name", Sensitivity::Plain),
        Part::Told("secret_hash", Sensitivity::Secret),
        Part::Told("contact_methods", Sensitivity::Ways),
    ];

    #[test]
    fn addresses_and_numbers_are_recognisable_and_no_more() {
        for (name, sides, expected) in [
            (
                "email",
                json!(["ada@acme.example", null]),
                json!(["a•••@acme.example", null]),
            ),
            (
                "phone",
                json!(["+47 123 45 678", "112"]),
                json!(["•••78", "•••"]),
            ),
            ("name", json!(["Ada", "Grace"]), json!(["Ada", "Grace"])),
        ] {
            assert_eq!(kept(PARTS, name, sides), expected);
        }
    }

    #[test]
    fn of_a_contacts_methods_the_values_are_masked_and_of_what_opens_something_nothing_is_kept() {
        let methods = json!([null, [{ "kind": "EMAIL", "value": "ada@acme.example", "label": "work", "preferred": true }]]);
        let masked = json!([null, [{ "kind": "EMAIL", "value": "a•••@acme.example", "label": "work", "preferred": true }]]);
        assert_eq!(kept(PARTS, "contact_methods", methods), masked);
        assert_eq!(
            kept(PARTS, "secret_hash", json!([["abc"], null])),
            json!([["•••"], null])
        );
        assert_eq!(
            kept(PARTS, "unheard_of", json!([null, "x"])),
            json!([null, "•••"])
        );
    }
}
