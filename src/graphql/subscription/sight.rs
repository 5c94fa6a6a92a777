//! What an event says of other records: only as much as the watcher sees of those.
//!
//! The log keeps ids as the writer left them. Whether a watcher may be told of one is asked of the database, as
//! anybody is who asks for the record itself; one that they don't see, or that is gone, reads as none.

use std::sync::Arc;

use async_graphql::{Context, ID};
use futures_util::future::{BoxFuture, FutureExt as _, try_join_all};
use serde_json::Value as Json;

use crate::base::error::{Error, Result};

/// Columns that are how the server keeps who sees what, with ids in the middle of texts. Nothing of them is told.
const INTERNAL: [&str; 3] = ["team_path", "shared_with", "visible_to"];

/// How a column of a record is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    /// As it is.
    Whole,
    /// It holds ids of records, and is told as far as the watcher sees these.
    InSight,
    /// Not at all.
    Never,
}

/// How a column is told. Which of them hold ids shows in their names, which a test holds against the declarations.
pub(super) fn of_column(name: &str) -> How {
    if INTERNAL.contains(&name) {
        How::Never
    } else if name.ends_with("_id") || name.ends_with("_ids") {
        How::InSight
    } else {
        How::Whole
    }
}

/// Ids without those of records that the watcher does not see: of a list they are left out, alone they are null.
pub(super) fn in_sight<'c>(ctx: &'c Context<'_>, ids: Json) -> BoxFuture<'c, Result<Json>> {
    async move {
        match ids {
            Json::String(id) => Ok(match is_seen(ctx, &id).await? {
                true => Json::String(id),
                false => Json::Null,
            }),
            Json::Array(ids) => {
                // All at once, so that they are asked for in one statement per kind.
                let shown = try_join_all(ids.into_iter().map(|id| in_sight(ctx, id))).await?;
                Ok(shown.into_iter().filter(|id| !id.is_null()).collect())
            }
            _ => Ok(Json::Null),
        }
    }
    .boxed()
}

/// Who finds records of all kinds by their ids; in the schema's data as `Arc<dyn AnyRecord>`.
pub trait AnyRecord: Send + Sync {
    /// Whether there is a record that the actor sees.
    ///
    /// # Errors
    /// `INVALID_ID` when it is no id of a record; the database.
    fn is_seen<'c>(&self, ctx: &'c Context<'_>, id: &'c ID) -> BoxFuture<'c, Result<bool>>;
}

async fn is_seen(ctx: &Context<'_>, id: &str) -> Result<bool> {
    let records = ctx.data_unchecked::<Arc<dyn AnyRecord>>();
    match records.is_seen(ctx, &ID(id.to_owned())).await {
        Ok(is_seen) => Ok(is_seen),
        // Not an id of anything that could be seen.
        Err(Error::Invalid { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;

    /// The files that declare what the event log keeps of the records that can be watched.
    const DECLARED: [&str; 9] = [
        "crm/activities/mod.rs",
        "crm/activities/model.rs",
        "crm/companies/model.rs",
        "crm/contacts/model.rs",
        "crm/leads/model.rs",
        "crm/opportunities/model.rs",
        "crm/opportunities/standing.rs",
        "crm/products/model.rs",
        "entity/ownership.rs",
    ];

    /// The fields of all structs in a file that are written as JSON, each with its type.
    fn written(source: &str) -> Vec<(String, String)> {
        let mut fields = Vec::new();
        for part in source.split("#[derive(").skip(1) {
            let Some((derived, rest)) = part.split_once(")]") else {
                continue;
            };
            let body = rest
                .split_once('{')
                .filter(|(head, _)| head.contains("struct "));
            let Some((_, body)) = body.filter(|_| derived.contains("Serialize")) else {
                continue;
            };
            let body = body.split_once("\n}").map_or(body, |(body, _)| body);
            for line in body
                .lines()
                .map(str::trim)
                .filter(|line| !line.starts_with(['/', '#']))
            {
                if let Some((name, of)) = line.trim_end_matches(',').split_once(": ") {
                    let name = name.rsplit(' ').next().unwrap_or(name);
                    fields.push((name.to_owned(), of.to_owned()));
                }
            }
        }
        fields
    }

    fn holds_ids(of: &str) -> bool {
        let words = of.split(|c: char| !c.is_alphanumeric());
        words
            .into_iter()
            .any(|word| word.ends_with("Id") || ["Uuid", "Target"].contains(&word))
    }

    #[test]
    fn whatever_is_declared_to_hold_ids_is_told_as_far_as_they_are_in_sight() {
        let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let (mut found, mut unhandled) = (0, Vec::new());
        for file in DECLARED {
            let source = fs::read_to_string(src.join(file)).expect("a source file");
            for (name, of) in written(&source) {
                let how = of_column(&name);
                found += usize::from(how == How::InSight);
                if holds_ids(&of) != (how == How::InSight) {
                    unhandled.push(format!("{file}: {name}: {of}"));
                }
            }
        }
        assert_eq!(
            unhandled, [""; 0],
            "fields that hold ids end in `_id` or `_ids`, and no others"
        );
        assert!(found >= 9, "the declarations are found: {found}");
    }

    #[test]
    fn where_a_row_stands_for_policies_is_not_told() {
        for internal in INTERNAL {
            assert_eq!(of_column(internal), How::Never);
        }
        assert_eq!(of_column("name"), How::Whole);
    }
}
