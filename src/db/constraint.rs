//! From what Postgres says to what a client can act on.
//!
//! Constraints are named `<table>_<field>_<kind>`, so the field can be told; Citus appends a shard number.

use sqlx::postgres::PgDatabaseError;

use crate::base::error::Error;

/// Translates an error of the driver. What a client can't act on is logged here and becomes `INTERNAL`.
pub(super) fn translate(error: sqlx::Error) -> Error {
    let is_out_of_reach = matches!(
        error,
        sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed
    );
    if is_out_of_reach || is_lost(&error) {
        tracing::warn!(
            error = &error as &dyn std::error::Error,
            "database not reachable"
        );
        return Error::Unavailable("the database");
    }
    let known = match &error {
        sqlx::Error::Database(database) => database
            .try_downcast_ref::<PgDatabaseError>()
            .and_then(translate_postgres),
        _ => None,
    };
    known.unwrap_or_else(|| Error::internal(error))
}

/// Whether an error says that the connection is no more: cut off (codes that begin with 08), ended by Postgres or refused
/// by it for now (57P), or ended by its timeouts of idle and of long transactions (25P03, 25P04). See appendix A of its
/// manual.
pub(super) fn is_lost(error: &sqlx::Error) -> bool {
    let is_lost = |code: &str| {
        code.starts_with("08") || code.starts_with("57P") || matches!(code, "25P03" | "25P04")
    };
    match error {
        sqlx::Error::Io(_) => true,
        sqlx::Error::Database(error) => error.code().is_some_and(|code| is_lost(&code)),
        _ => false,
    }
}

/// Whether something of the answer may still be to come after an error: a refusal of the database ends it, of any other
/// error nobody knows.
pub(super) fn is_unread(error: &sqlx::Error) -> bool {
    is_lost(error) || !matches!(error, sqlx::Error::Database(_))
}

fn translate_postgres(error: &PgDatabaseError) -> Option<Error> {
    let field = error.constraint().map(field_of).unwrap_or_default();
    Some(match error.code() {
        // insufficient_privilege: a policy or a grant said no
        "42501" => Error::Forbidden("make this change"),
        "23503" if error.message().starts_with("update or delete") => {
            let holder = error.table().map_or("other records", without_shard);
            let holder = holder.replace('_', " ");
            Error::invalid(
                "IN_USE",
                "id",
                format!("{holder} still refer to it, move or delete those first"),
            )
        }
        "23503" => Error::invalid("NOT_FOUND", field, "what this refers to does not exist"),
        "23505" => Error::invalid("TAKEN", field, "this is taken already"),
        "23514" => Error::invalid("OUT_OF_RANGE", field, "this value is not acceptable here"),
        // datetime_field_overflow, numeric_value_out_of_range; character_not_in_repertoire: text with a NUL
        "22008" | "22003" => Error::invalid(
            "OUT_OF_RANGE",
            field,
            "a date or number is beyond what can be stored",
        ),
        "22021" => Error::invalid(
            "INVALID_TEXT",
            field,
            "a text holds a character that can't be stored",
        ),
        // query_canceled, by the statement timeout
        "57014" => {
            tracing::warn!("the database gave up on a statement that ran for too long");
            Error::TimedOut
        }
        // another transaction was in the way; what is tried again is counted, so it need not be logged
        "40001" | "40P01" => Error::Collided,
        // lock timeout; no connection left; no room on the disk
        "55P03" | "53300" | "53100" => {
            tracing::warn!(
                sqlstate = error.code(),
                "the database gave up on a statement"
            );
            Error::Unavailable("the database")
        }
        _ => return None,
    })
}

/// `leads_102042` -> `leads`, a table or a constraint of it.
fn without_shard(name: &str) -> &str {
    name.trim_end_matches(|c: char| c.is_ascii_digit())
        .trim_end_matches('_')
}

/// `opportunities_primary_contact_fkey` -> `primaryContactId`, and a primary key is its record's `id`.
fn field_of(constraint: &str) -> String {
    let name = without_shard(constraint);
    if name.ends_with("_pkey") {
        return "id".to_owned();
    }
    let (name, reference) = match name.strip_suffix("_fkey") {
        Some(name) => (name, true),
        None => (
            name.trim_end_matches("_key").trim_end_matches("_check"),
            false,
        ),
    };
    let tables = [
        "opportunity_stage_history",
        "opportunity_contacts",
        "opportunity_users",
        "activity_targets",
        "contact_methods",
    ];
    let rest = tables
        .iter()
        .find_map(|table| name.strip_prefix(table))
        .or_else(|| name.split_once('_').map(|(_, rest)| rest))
        .unwrap_or(name)
        .trim_start_matches('_');
    let mut field = String::with_capacity(rest.len() + 2);
    let mut upper = false;
    for c in rest.chars() {
        match c {
            '_' => upper = true,
            c if upper => {
                field.push(c.to_ascii_uppercase());
                upper = false;
            }
            c => field.push(c),
        }
    }
    if reference && !field.ends_with("Id") {
        field.push_str("Id");
    }
    field
}

#[cfg(test)]
mod tests {
    use super::{field_of, without_shard};

    #[test]
    fn a_constraint_tells_its_field_also_on_a_shard() {
        assert_eq!(
            field_of("opportunities_primary_contact_fkey"),
            "primaryContactId"
        );
        assert_eq!(
            field_of("opportunities_primary_contact_fkey_102042"),
            "primaryContactId"
        );
        assert_eq!(field_of("pipelines_name_key"), "name");
        assert_eq!(field_of("companies_pkey"), "id");
        assert_eq!(field_of("companies_pkey_102042"), "id");
        assert_eq!(field_of("activity_targets_one_check"), "one");
        for (constraint, field) in [
            ("products_code_key", "code"),
            ("activities_done_check", "done"),
            ("contacts_owner_fkey", "ownerId"),
        ] {
            assert_eq!(field_of(constraint), field);
            assert_eq!(field_of(&format!("{constraint}_102042")), field);
        }
        assert_eq!(without_shard("activity_targets_102042"), "activity_targets");
        assert_eq!(without_shard("activity_targets"), "activity_targets");
    }
}
