//! Finds the variable that a mistyped name was meant to be.

use super::VARIABLES;

/// The known name most like a mistyped one, unless none is near.
pub(super) fn nearest(mistyped: &str) -> Option<&'static str> {
    let (distance, name) = VARIABLES
        .iter()
        .map(|variable| (edits(mistyped, variable.name), variable.name))
        .min()?;
    (distance <= 4).then_some(name)
}

/// Single-letter edits between two names; names too long to be a slip count as far away.
fn edits(from: &str, to: &str) -> usize {
    if from.len() > 64 {
        return usize::MAX;
    }
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.bytes().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, b) in to.bytes().enumerate() {
            let replaced = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_finds_the_name_that_was_meant() {
        assert_eq!(nearest("DEALGRAPH_LISTENS"), Some("DEALGRAPH_LISTEN"));
        assert_eq!(
            nearest("DEALGRAPH_DATABSE_URL"),
            Some("DEALGRAPH_DATABASE_URL")
        );
        assert_eq!(nearest("DEALGRAPH_COLOUR_OF_THE_SKY"), None);
        assert_eq!(nearest(&"DEALGRAPH_LISTEN".repeat(1000)), None);
    }
}
