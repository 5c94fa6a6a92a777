//! What long texts cost: the point of an object covers short texts; a text that may be much longer costs more.

use std::sync::LazyLock;

use crate::{
    api::node::TYPES,
    base::text::LONG_CHARS,
    db::{Part, all_columns},
};

/// Characters that come with an object's point.
const FREE_CHARS: usize = 1_000;

/// The fields of records that may hold a text of [`LONG_CHARS`]; all others hold lines, or less. What events and the audit
/// log say of changes is paid for change by change.
static LONG: LazyLock<Vec<(&str, String)>> = LazyLock::new(|| {
    let of_type = |(name, parts): &'static (&str, &[Part])| {
        let long = all_columns(parts).filter(|column| column.is_long);
        long.map(|column| (*name, camel(column.name)))
    };
    TYPES.iter().flat_map(of_type).collect()
});

/// The name that a column has in the schema.
fn camel(column: &str) -> String {
    let mut words = column.split('_');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |name, word| {
        let (head, tail) = word.split_at(word.len().min(1));
        name + &head.to_ascii_uppercase() + tail
    })
}

/// Points that the text of a field may come to.
pub(super) fn points(field: (&str, &str)) -> usize {
    let is_it = |(of, name): &(&str, String)| (*of, name.as_str()) == field;
    match LONG.iter().any(is_it) {
        true => LONG_CHARS / FREE_CHARS,
        false => 0,
    }
}

/// Points that the texts of a response of so many bytes came to, of those that were reserved.
pub(in crate::api) fn came_to(most: usize, bytes: usize) -> usize {
    most.min(bytes / FREE_CHARS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_long_text_is_a_field_of_the_schema() {
        let sdl = include_str!("../../../schema.graphql");
        assert!(LONG.len() >= 9, "{LONG:?}");
        for (of, field) in LONG.iter() {
            let (_, fields) = sdl
                .split_once(&format!("\ntype {of} "))
                .unwrap_or_else(|| panic!("there is no {of}"));
            let (fields, _) = fields.split_once("\n}").expect("a type ends");
            assert!(
                fields.contains(&format!("\n\t{field}: String\n")),
                "{of} has no {field}"
            );
        }
    }
}
