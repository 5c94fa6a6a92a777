//! The parameters of a GraphQL request, from a JSON body or from the query of an address, checked for shape.
//!
//! Beside the four of the protocol (<https://graphql.github.io/graphql-over-http/draft/#sec-Request-Parameters>) there is
//! `documentId`, and `extensions.persistedQuery` of Apollo's automatic persisted queries
//! (<https://www.apollographql.com/docs/apollo-server/performance/apq>).

use async_graphql::{Extensions, Variables};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::problem::Problem;
use crate::api::{
    documents::{Hash, Named},
    limits::{Limits, Refusal},
};

/// What a client asks to be run.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) document: Named,
    pub(super) operation_name: Option<String>,
    pub(super) variables: Variables,
    pub(super) extensions: Extensions,
    /// Bytes that it came in.
    pub(super) bytes: usize,
}

impl Call {
    /// Reads a POST body.
    ///
    /// # Errors
    /// 400 when it is not one JSON object with parameters of the right types, or the variables are beyond the limits.
    pub(super) fn from_json(body: &[u8], limits: &Limits) -> Result<Self, Problem> {
        let bytes = body.len();
        let body = serde_json::from_slice(body).map_err(|error| {
            Problem::bad_request(format!("the body is not valid JSON: {error}"))
        })?;
        match body {
            Value::Object(parameters) => Self::from_parameters(parameters, bytes, limits),
            Value::Array(_) => Err(Problem {
                code: "BATCHING_UNSUPPORTED",
                ..Problem::bad_request("send one request at a time, a list of them is not run")
            }),
            _ => Err(Problem::bad_request("the body must be a JSON object")),
        }
    }

    /// Reads the query of an address, in which variables and extensions are JSON texts.
    ///
    /// # Errors
    /// As for a body; also when a parameter is given twice.
    pub(super) fn from_query(query: &str, limits: &Limits) -> Result<Self, Problem> {
        let mut parameters = Map::new();
        for (name, text) in url::form_urlencoded::parse(query.as_bytes()) {
            let value = match &*name {
                "query" | "operationName" | "documentId" => Value::String(text.into_owned()),
                "variables" | "extensions" if text.is_empty() => Value::Null,
                "variables" | "extensions" => serde_json::from_str(&text).map_err(|error| {
                    Problem::bad_request(format!("{name} is not valid JSON: {error}"))
                })?,
                _ => continue,
            };
            if parameters.insert(name.to_string(), value).is_some() {
                return Err(Problem::bad_request(format!("{name} is given twice")));
            }
        }
        Self::from_parameters(parameters, query.len(), limits)
    }

    fn from_parameters(
        mut parameters: Map<String, Value>,
        bytes: usize,
        limits: &Limits,
    ) -> Result<Self, Problem> {
        let query = text(parameters.remove("query"), "query")?;
        let id = text(parameters.remove("documentId"), "documentId")?;
        let operation_name = text(parameters.remove("operationName"), "operationName")?;
        let variables = map(parameters.remove("variables"), "variables")?;
        check_variables(&variables, limits)?;
        let extensions = map(parameters.remove("extensions"), "extensions")?;
        within_depth("extensions", &extensions, limits)?;
        Ok(Self {
            document: named(query, id, extensions.get("persistedQuery"))?,
            operation_name: operation_name.filter(|name| !name.is_empty()),
            variables: converted(variables)?,
            extensions: converted(extensions)?,
            bytes,
        })
    }
}

/// How the document is named; empty texts are none, since some clients send them beside an id.
fn named(
    query: Option<String>,
    id: Option<String>,
    persisted: Option<&Value>,
) -> Result<Named, Problem> {
    let query = query.filter(|text| !text.is_empty() || (id.is_none() && persisted.is_none()));
    let id = id.filter(|id| !id.is_empty());
    match (query, id, persisted) {
        (Some(_), Some(_), _) => Err(Problem::bad_request(
            "send the parameter query or documentId, not both",
        )),
        (Some(text), None, None) => Ok(Named::Text(text)),
        (Some(text), None, Some(persisted)) => Ok(Named::Registered(text, hash_of(persisted)?)),
        (None, Some(id), _) => Ok(match id.strip_prefix("sha256:").and_then(hash) {
            Some(hash) => Named::Hash(hash),
            None => Named::Id(id),
        }),
        (None, None, Some(persisted)) => Ok(Named::Hash(hash_of(persisted)?)),
        (None, None, None) => Err(Problem::bad_request("the parameter query is missing")),
    }
}

fn hash_of(persisted: &Value) -> Result<Hash, Problem> {
    let hash = match (persisted.get("version"), persisted.get("sha256Hash")) {
        (Some(Value::Number(version)), Some(Value::String(text)))
            if version.as_u64() == Some(1) =>
        {
            hash(text)
        }
        _ => None,
    };
    hash.ok_or_else(|| {
        let expected = "extensions.persistedQuery is not {version: 1, sha256Hash: <64 hex digits>}";
        Problem {
            code: "PERSISTED_QUERY_NOT_SUPPORTED",
            ..Problem::bad_request(expected)
        }
    })
}

fn hash(hex: &str) -> Option<Hash> {
    let mut hash = Hash::default();
    if hex.len() != 2 * hash.len() || !hex.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    for (i, byte) in hash.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).ok()?;
    }
    Some(hash)
}

fn text(value: Option<Value>, name: &str) -> Result<Option<String>, Problem> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(Problem::bad_request(format!(
            "the parameter {name} must be a string"
        ))),
    }
}

fn map(value: Option<Value>, name: &str) -> Result<Value, Problem> {
    match value {
        None | Some(Value::Null) => Ok(Value::Object(Map::new())),
        Some(map @ Value::Object(_)) => Ok(map),
        Some(_) => Err(Problem::bad_request(format!(
            "the parameter {name} must be an object"
        ))),
    }
}

fn converted<T: DeserializeOwned>(value: Value) -> Result<T, Problem> {
    serde_json::from_value(value).map_err(|error| Problem::bad_request(error.to_string()))
}

fn check_variables(variables: &Value, limits: &Limits) -> Result<(), Problem> {
    let bytes = compact_bytes(variables);
    Refusal::unless_within(
        "VARIABLES_TOO_LARGE",
        "bytes of variables",
        bytes,
        limits.variables_bytes,
    )?;
    within_depth("variables", variables, limits)
}

fn within_depth(name: &str, value: &Value, limits: &Limits) -> Result<(), Problem> {
    let what = format!("levels of lists and objects in its {name}");
    // The object of the parameter itself is no level of a value.
    let found = depth(value).saturating_sub(1);
    Ok(Refusal::unless_within(
        "VARIABLES_TOO_DEEP",
        &what,
        found,
        limits.variables_depth,
    )?)
}

/// How deep lists and objects nest. Recursion is safe: the JSON parser refuses more than 128 levels.
fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(entries) => 1 + entries.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

fn compact_bytes(value: &Value) -> usize {
    let mut counter = ByteCounter(0);
    let written = value.serialize(&mut serde_json::Serializer::new(&mut counter));
    written.expect("a JSON value becomes JSON text, and counting bytes does not fail");
    counter.0
}

struct ByteCounter(usize);

impl std::io::Write for ByteCounter {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(body: &str) -> Result<(), &'static str> {
        Call::from_json(body.as_bytes(), &Limits::default())
            .map(|_| ())
            .map_err(|problem| problem.code)
    }

    #[test]
    fn the_parameters_are_read_from_a_body() {
        let body = br#"{"query":"{a}","operationName":"","variables":{"b":[1]},"extensions":null,"more":1}"#;
        let call = Call::from_json(body, &Limits::default()).expect("a call");
        let text = Named::Text("{a}".to_owned());
        assert_eq!((call.document, call.operation_name), (text, None));
        assert_eq!(call.variables.to_string(), "{b: [1]}");
    }

    #[test]
    fn the_parameters_are_read_from_an_address() {
        let query =
            "query=%7Ba%7D&operationName=A+b&variables=%7B%22c%22%3A%22%C3%A9%22%7D&access_token=x";
        let call = Call::from_query(query, &Limits::default()).expect("a call");
        assert_eq!(
            (&call.document, call.operation_name.as_deref()),
            (&Named::Text("{a}".to_owned()), Some("A b"))
        );
        assert_eq!(call.variables.to_string(), "{c: \"\u{e9}\"}");
        for bad in [
            "",
            "query=a&query=b",
            "query=a&variables=%7B",
            "query=a&variables=[]",
        ] {
            assert!(Call::from_query(bad, &Limits::default()).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_document_is_named_in_one_way() {
        let of = |body: &str| {
            let call = Call::from_json(body.as_bytes(), &Limits::default());
            call.map(|call| call.document)
                .map_err(|problem| problem.code)
        };
        let hex = "0a".repeat(32);
        let persisted =
            format!(r#""extensions":{{"persistedQuery":{{"version":1,"sha256Hash":"{hex}"}}}}"#);
        let hash = [10; 32];
        assert_eq!(of(&format!("{{{persisted}}}")), Ok(Named::Hash(hash)));
        let both = format!(r#"{{"query":"{{a}}",{persisted}}}"#);
        assert_eq!(of(&both), Ok(Named::Registered("{a}".to_owned(), hash)));
        let id = format!(r#"{{"documentId":"sha256:{hex}","query":""}}"#);
        assert_eq!(of(&id), Ok(Named::Hash(hash)));
        assert_eq!(of(r#"{"documentId":"x"}"#), Ok(Named::Id("x".to_owned())));
        assert_eq!(
            of(r#"{"documentId":"x","query":"{a}"}"#),
            Err("BAD_REQUEST")
        );
        let other = persisted.replace("\"version\":1", "\"version\":2");
        assert_eq!(
            of(&format!("{{{other}}}")),
            Err("PERSISTED_QUERY_NOT_SUPPORTED")
        );
    }

    #[test]
    fn anything_else_is_refused() {
        for bad in [
            "",
            "1",
            "\"{a}\"",
            "null",
            "{}",
            r#"{"query":1}"#,
            r#"{"query":"a","variables":[]}"#,
            "{\"query\":\"a",
        ] {
            assert_eq!(code(bad), Err("BAD_REQUEST"), "{bad}");
        }
        assert_eq!(code(r#"[{"query":"{a}"}]"#), Err("BATCHING_UNSUPPORTED"));
    }

    #[test]
    fn variables_are_bounded_in_size_and_depth() {
        let with = |variables: &str| {
            code(&format!(
                r#"{{"query":"{{a}}","variables":{{"a":{variables}}}}}"#
            ))
        };
        assert_eq!(
            with(&format!("{}{}", "[".repeat(32), "]".repeat(32))),
            Ok(())
        );
        assert_eq!(
            with(&format!("{}{}", "[".repeat(33), "]".repeat(33))),
            Err("VARIABLES_TOO_DEEP")
        );
        assert_eq!(
            with(&format!("{}{}", "[".repeat(5_000), "]".repeat(5_000))),
            Err("BAD_REQUEST")
        );
        assert_eq!(
            with(&format!("\"{}\"", "x".repeat(128 * 1024))),
            Err("VARIABLES_TOO_LARGE")
        );
        assert_eq!(with("1e400"), Err("BAD_REQUEST"));
    }
}
