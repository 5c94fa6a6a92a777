//! What long texts cost: the point of an object covers short texts; a text that may be much longer costs more.

use crate::base::text::LONG_CHARS;

/// Characters that come with an object's point.
const FREE_CHARS: usize = 1_000;

/// The fields of records that may hold a text of [`LONG_CHARS`]; all others hold lines, or less. What events and the audit
/// log say of changes is paid for change by change.
const LONG: [(&str, &str); 9] = [
    ("Activity", "body"),
    ("Activity", "outcome"),
    ("Company", "description"),
    ("CustomRole", "description"),
    ("Lead", "nextActionDetails"),
    ("Lead", "notes"),
    ("Lead", "unqualifiedReason"),
    ("Opportunity", "lostNote"),
    ("Product", "description"),
];

/// Points that the text of a field may come to.
pub(super) fn points(field: (&str, &str)) -> usize {
    match LONG.contains(&field) {
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
        for (of, field) in LONG {
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
