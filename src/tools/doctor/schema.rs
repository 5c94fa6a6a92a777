//! Whether this version can serve the schema.

use super::{Finding, Subject};
use crate::db::{SchemaState, schema_state};

const CHECK: &str = "schema";

pub(super) async fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let Some(db) = &subject.db else {
        return Vec::new();
    };
    vec![match schema_state(db).await {
        Ok(SchemaState::Current) => Finding::ok(CHECK, SchemaState::Current.to_string()),
        Ok(newer @ SchemaState::Newer { .. }) => {
            let advice = "replace the servers of this version when the new one is out";
            Finding::warning(CHECK, newer.to_string(), advice)
        }
        Ok(behind @ SchemaState::Behind { .. }) => {
            let advice = "no server of this version starts before that";
            Finding::error(CHECK, behind.to_string(), advice)
        }
        Ok(too_new @ SchemaState::TooNew { .. }) => {
            let advice = "no server of this version starts any more";
            Finding::error(CHECK, too_new.to_string(), advice)
        }
        Err(error) => Finding::error(
            CHECK,
            format!("it can't be read: {error}"),
            "see what is said of the logins",
        ),
    }]
}
