//! Values as JSON text, among which some are text already.

use std::io::{self, Write};

use async_graphql::Value;
use bytes::Bytes;

/// A value's text.
pub(in crate::api) fn text(value: &Value) -> Bytes {
    let mut text = Vec::with_capacity(4_096);
    write(value, &mut text).expect("memory takes it, and a value has a JSON text");
    text.into()
}

/// Writes a value. Bytes stand for JSON that the projection executor has written; nothing else in the schema is made of
/// bytes.
///
/// # Errors
/// What the writer fails with.
pub(super) fn write(value: &Value, out: &mut impl Write) -> io::Result<()> {
    match value {
        Value::Binary(text) => out.write_all(text),
        Value::Object(entries) => {
            out.write_all(b"{")?;
            for (i, (name, value)) in entries.iter().enumerate() {
                if i > 0 {
                    out.write_all(b",")?;
                }
                serde_json::to_writer(&mut *out, name.as_str())?;
                out.write_all(b":")?;
                write(value, out)?;
            }
            out.write_all(b"}")
        }
        Value::List(items) => {
            out.write_all(b"[")?;
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.write_all(b",")?;
                }
                write(item, out)?;
            }
            out.write_all(b"]")
        }
        plain => Ok(serde_json::to_writer(out, plain)?),
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::value;

    use super::*;

    #[test]
    fn written_parts_stand_among_others_as_they_are() {
        let mut answer = value!({ "a": [1, "\"", null, { "b": true }], "c": 0.5, "e": {} });
        let Value::Object(entries) = &mut answer else {
            unreachable!("it is an object");
        };
        let text = Bytes::from_static(br#"{"x":[1]}"#);
        entries.insert(async_graphql::Name::new("d"), Value::Binary(text));
        let mut out = Vec::new();
        write(&answer, &mut out).expect("memory takes it");
        assert_eq!(
            String::from_utf8(out).as_deref(),
            Ok(r#"{"a":[1,"\"",null,{"b":true}],"c":0.5,"e":{},"d":{"x":[1]}}"#)
        );
    }
}
