//! What was posted, as names and values: JSON or a form, and nothing that could be read in two ways.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{Error as _, MapAccess, Visitor},
};
use serde_json::{Map, Value as Json, json};
use url::form_urlencoded;

use crate::base::error::{Error, Result};

/// Bytes of what is posted, at the most.
pub const POST_BYTES: usize = 64 * 1024;
/// How many fields.
const MOST_FIELDS: usize = 100;
/// Bytes of the fields that are kept beside those that are mapped.
const EXTRA_BYTES: usize = 8 * 1024;

/// How something is posted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// As an object of JSON.
    Json,
    /// As a form in a page posts it.
    Form,
}

/// Names and values.
#[derive(Debug, Clone, PartialEq)]
pub struct Posted(Vec<(String, Json)>);

impl Posted {
    /// Reads a body. Of a form's fields with one name the values are a list.
    ///
    /// # Errors
    /// `INVALID_BODY`: no object, a name twice in JSON, no UTF-8, or too many fields.
    pub fn read(format: Format, body: &[u8]) -> Result<Self> {
        let fields = match format {
            Format::Json => {
                let object: Object = serde_json::from_slice(body)
                    .map_err(|error| invalid(format!("expected an object of JSON: {error}")))?;
                object.0
            }
            Format::Form => form(body)?,
        };
        match fields.len() > MOST_FIELDS {
            true => Err(invalid(format!("expected at most {MOST_FIELDS} fields"))),
            false => Ok(Self(fields)),
        }
    }

    /// The value of a field as a text, if it is one, a number, or yes or no.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<String> {
        match self.value(name)? {
            Json::String(text) => Some(text.clone()),
            Json::Number(number) => Some(number.to_string()),
            Json::Bool(is) => Some(is.to_string()),
            Json::Null | Json::Array(_) | Json::Object(_) => None,
        }
    }

    /// Whether a field is there that is neither empty nor says no.
    #[must_use]
    pub fn is_set(&self, name: &str) -> bool {
        match self.value(name) {
            None | Some(Json::Null | Json::Bool(false)) => false,
            Some(Json::String(text)) => {
                let text = text.trim().to_ascii_lowercase();
                !["", "0", "false", "no", "off"].contains(&text.as_str())
            }
            Some(Json::Number(number)) => number.as_f64() != Some(0.0),
            Some(Json::Array(values)) => !values.is_empty(),
            Some(Json::Bool(true) | Json::Object(_)) => true,
        }
    }

    /// Whether a field is there that has a value which is no text.
    #[must_use]
    pub(super) fn is_no_text(&self, name: &str) -> bool {
        matches!(self.value(name), Some(Json::Array(_) | Json::Object(_)))
    }

    /// The fields that are not among these, as many of the first ones as are kept.
    #[must_use]
    pub(super) fn without(&self, known: &[&str]) -> Json {
        let mut kept = Map::new();
        let mut room = EXTRA_BYTES;
        for (name, value) in self
            .0
            .iter()
            .filter(|(name, _)| !known.contains(&name.as_str()))
        {
            let bytes = name.len() + value.to_string().len();
            // Postgres keeps no character of the number zero.
            if bytes > room
                || name.len() > 400
                || json!([name, value]).to_string().contains("\\u0000")
            {
                continue;
            }
            room -= bytes;
            kept.insert(name.clone(), value.clone());
        }
        Json::Object(kept)
    }

    fn value(&self, name: &str) -> Option<&Json> {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value)
    }
}

fn form(body: &[u8]) -> Result<Vec<(String, Json)>> {
    let mut fields: Vec<(String, Json)> = Vec::new();
    for (name, value) in form_urlencoded::parse(body) {
        // What stands for bytes that are no UTF-8.
        if name.contains('\u{fffd}') || value.contains('\u{fffd}') {
            return Err(invalid("expected a form in UTF-8".to_owned()));
        }
        match fields.iter_mut().find(|(known, _)| *known == name) {
            Some((_, Json::Array(values))) => values.push(json!(value)),
            Some((_, first)) => *first = json!([first.take(), value]),
            None => fields.push((name.into_owned(), json!(value))),
        }
        if fields.len() > MOST_FIELDS {
            break;
        }
    }
    Ok(fields)
}

fn invalid(message: String) -> Error {
    Error::invalid("INVALID_BODY", "", message)
}

/// An object in which no name is there twice.
struct Object(Vec<(String, Json)>);

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;

        impl<'de> Visitor<'de> for Fields {
            type Value = Object;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
                let mut fields: Vec<(String, Json)> = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, Json>()? {
                    if fields.iter().any(|(known, _)| *known == name) {
                        return Err(A::Error::custom("a name is there twice"));
                    }
                    if fields.len() == MOST_FIELDS {
                        return Err(A::Error::custom("there are too many fields"));
                    }
                    fields.push((name, value));
                }
                Ok(Object(fields))
            }
        }

        deserializer.deserialize_map(Fields)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> Option<Posted> {
        Posted::read(Format::Json, text.as_bytes()).ok()
    }

    #[test]
    fn a_body_is_read_in_one_way_or_not_at_all() {
        let posted =
            json(r#"{"a":"x","n":7,"y":true,"o":{"b":1},"l":["c"],"z":null}"#).expect("JSON");
        assert_eq!(posted.text("a").as_deref(), Some("x"));
        assert_eq!(posted.text("n").as_deref(), Some("7"));
        assert_eq!(
            (posted.text("o"), posted.text("z"), posted.text("q")),
            (None, None, None)
        );
        assert!(posted.is_no_text("o") && posted.is_no_text("l") && !posted.is_no_text("a"));
        let nested = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
        let many: Vec<_> = (0..101).map(|n| format!("\"f{n}\":1")).collect();
        for bad in [
            "",
            "[]",
            "\"x\"",
            "{\"a\":1,\"a\":2}",
            "{\"a\":1}x",
            &format!("{{\"a\":{nested}}}"),
            &format!("{{{}}}", many.join(",")),
        ] {
            assert_eq!(json(bad), None, "{}", &bad[..bad.len().min(40)]);
        }
        assert!(Posted::read(Format::Json, b"{\"a\":\"\xff\"}").is_err());
    }

    #[test]
    fn a_form_has_lists_of_what_is_posted_more_than_once() {
        let form = |text: &str| Posted::read(Format::Form, text.as_bytes());
        let posted = form("a=x+y&b=1&b=2&b=3&c=%C3%A9").expect("a form");
        assert_eq!(posted.text("a").as_deref(), Some("x y"));
        assert_eq!(posted.value("b"), Some(&json!(["1", "2", "3"])));
        assert_eq!(posted.text("c").as_deref(), Some("é"));
        assert!(form("a=%FF").is_err());
        assert!(form(&"&a=1".repeat(1000)).is_ok());
        let many: Vec<_> = (0..200).map(|n| format!("f{n}=1")).collect();
        assert!(form(&many.join("&")).is_err());
    }

    #[test]
    fn yes_is_anything_but_no() {
        let posted = json(r#"{"a":"on","b":"off","c":false,"d":0,"e":"","f":[],"g":1,"h":" No "}"#);
        let posted = posted.expect("JSON");
        let set: String = "abcdefghi"
            .chars()
            .filter(|name| posted.is_set(&name.to_string()))
            .collect();
        assert_eq!(set, "ag");
    }

    #[test]
    fn what_is_kept_beside_is_bounded() {
        let large = "x".repeat(EXTRA_BYTES);
        let posted = json(&format!(
            "{{\"known\":1,\"large\":\"{large}\",\"zero\":\"\\u0000\",\"small\":{{\"a\":[1]}}}}"
        ));
        let kept = posted.expect("JSON").without(&["known"]);
        assert_eq!(kept, json!({ "small": { "a": [1] } }));
    }
}
