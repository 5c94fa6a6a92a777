//! The claims of a token of another issuer: the operator maps their names, and no claim may be given twice.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{Error as _, MapAccess, Visitor},
};
use serde_json::{Map, Value};

/// All claims of a token by name. A claim that is given twice makes the token unreadable: two readers might each use
/// another one (RFC 8725, section 2.4).
#[derive(Debug)]
pub(super) struct AnyClaims(pub(super) Map<String, Value>);

impl<'de> Deserialize<'de> for AnyClaims {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Once;
        impl<'de> Visitor<'de> for Once {
            type Value = AnyClaims;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of claims")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut members: M) -> Result<AnyClaims, M::Error> {
                let mut claims = Map::new();
                while let Some((name, value)) = members.next_entry::<String, Value>()? {
                    if claims.insert(name, value).is_some() {
                        return Err(M::Error::custom("a claim is said twice"));
                    }
                }
                Ok(AnyClaims(claims))
            }
        }
        deserializer.deserialize_map(Once)
    }
}

impl AnyClaims {
    /// A claim that is a text, unless it is empty or longer than any honest one.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        let text = self.0.get(name)?.as_str()?;
        (!text.is_empty() && text.len() <= 500).then_some(text)
    }

    /// A claim that is a time, in seconds since 1970.
    pub(super) fn seconds(&self, name: &str) -> Option<i64> {
        let value = self.0.get(name)?;
        let whole = |seconds: f64| {
            let is_date = (0.0..1e15).contains(&seconds);
            is_date.then_some(seconds as i64)
        };
        value.as_i64().or_else(|| whole(value.as_f64()?))
    }

    /// Whether a claim says yes; some providers say it as a text.
    pub(super) fn is_true(&self, name: &str) -> bool {
        match self.0.get(name) {
            Some(Value::Bool(said)) => *said,
            Some(Value::String(said)) => said == "true",
            _ => false,
        }
    }

    /// Whether a claim is this text, or a list with it.
    pub(super) fn names(&self, name: &str, text: &str) -> bool {
        match self.0.get(name) {
            Some(Value::String(said)) => said == text,
            Some(Value::Array(said)) => said.iter().any(|said| said.as_str() == Some(text)),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_are_read_strictly() {
        let read = |text: &str| serde_json::from_str::<AnyClaims>(text);
        let claims =
            read(r#"{"a":"x","n":5,"f":5.9,"t":true,"s":"true","l":["x",1],"e":"","m":-1.5}"#)
                .expect("claims");
        assert_eq!(
            (claims.text("a"), claims.text("e"), claims.text("n")),
            (Some("x"), None, None)
        );
        assert_eq!(
            (claims.seconds("n"), claims.seconds("f")),
            (Some(5), Some(5))
        );
        assert_eq!((claims.seconds("a"), claims.seconds("m")), (None, None));
        assert!(claims.is_true("t") && claims.is_true("s") && !claims.is_true("n"));
        assert!(claims.names("a", "x") && claims.names("l", "x") && !claims.names("l", "y"));
        for twice in [
            r#"{"a":1,"a":1}"#,
            r#"{"tid":"x","\u0074id":"y"}"#,
            "[]",
            "1",
        ] {
            assert!(read(twice).is_err(), "{twice}");
        }
    }
}
