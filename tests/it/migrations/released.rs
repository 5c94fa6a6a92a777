//! What migrations do that were released before they were judged. Their text is what a database knows them by, so nothing can
//! be written into them; later ones say their exceptions themselves.

/// Files that come after this name say their exceptions themselves.
pub(super) const LAST_RELEASED: &str = "0022";

const SMALL: &str = "it is read in a moment: a tenant has few members, and there are few tenants";
const LOST: &str =
    "nothing could be read from it, and its servers end before `migrate` (docs/upgrading.md)";
const SHORT: &str = "each holds its lock for as long as it takes to note a column or a constraint";

/// File, rule and reason.
pub(super) const RELEASED: &[(&str, &str, &str)] = &[
    ("0009_access.sql", "constraint-missing-not-valid", SMALL),
    ("0009_access.sql", "adding-foreign-key-constraint", SMALL),
    (
        "0009_access.sql",
        "require-concurrent-index-creation",
        SMALL,
    ),
    ("0009_access.sql", "check-with-column", SMALL),
    ("0009_access.sql", "several-tables-locked", SMALL),
    ("0011_events.sql", "ban-drop-table", LOST),
    ("0013_trusted_documents.sql", "several-tables-locked", SHORT),
    ("0014_plans.sql", "check-with-column", SMALL),
    ("0019_accounts.sql", "several-tables-locked", SHORT),
    (
        "0019_accounts.sql",
        "rows-of-a-table",
        "few are setting up a second factor at any moment",
    ),
];
