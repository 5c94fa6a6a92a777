//! The table of variables as people read it: in docs/configuration.md and in the command line's help.

use std::fmt::Write as _;

use super::{VARIABLES, Variable};

/// The table as docs/configuration.md shows it.
#[must_use]
pub fn markdown_table() -> String {
    let mut table = String::from("| Variable | Default | Meaning |\n|---|---|---|\n");
    for Variable {
        name,
        default,
        meaning,
    } in VARIABLES
    {
        let default = if default.is_empty() {
            String::new()
        } else {
            format!("`{default}`")
        };
        writeln!(table, "| `{name}` | {default} | {meaning} |").expect("a String takes all text");
    }
    table
}

/// The table as the command line's help shows it.
#[must_use]
pub fn listing() -> String {
    let mut listing = String::new();
    for Variable {
        name,
        default,
        meaning,
    } in VARIABLES
    {
        let meaning = meaning.replace('`', "");
        let default = if default.is_empty() {
            String::new()
        } else {
            format!(" [default: {default}]")
        };
        writeln!(listing, "  {name}{default}\n      {meaning}").expect("a String takes all text");
    }
    listing
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::config::PREFIX;

    #[test]
    fn names_are_unique_and_prefixed_and_the_markdown_has_a_row_each() {
        let table = markdown_table();
        for (i, variable) in VARIABLES.iter().enumerate() {
            assert!(variable.name.starts_with(PREFIX), "{}", variable.name);
            assert!(
                !VARIABLES[..i]
                    .iter()
                    .any(|other| other.name == variable.name)
            );
            assert!(!format!("{}{}", variable.meaning, variable.default).contains('|'));
            assert!(listing().contains(variable.name));
        }
        assert_eq!(table.lines().count(), VARIABLES.len() + 2);
        assert!(table.contains(
            "| `DEALGRAPH_SYSTEM_POOL_SIZE` | `4` | connections for the server's own work |\n"
        ));
        assert!(table.contains("| `DEALGRAPH_DATABASE_URL` |  | Postgres as"));
    }
}
