//! What an event discloses of other records: only those that the subscriber sees.
//!
//! The log keeps ids as they were written. Whether the subscriber sees one is read from the database, like the record
//! itself; an id of a record that they don't see, or that is gone, reads as null.

use std::sync::Arc;

use async_graphql::{Context, ID};
use futures_util::future::{BoxFuture, FutureExt as _, try_join_all};
use serde_json::Value as Json;

use crate::{
    base::error::{Error, Result},
    db::Part,
};

/// Columns of the server's access control, with ids in the middle of texts. They are never disclosed.
const INTERNAL: [&str; 3] = ["team_path", "shared_with", "visible_to"];

/// What of a column of a record is disclosed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Disclosure {
    /// As it is.
    Whole,
    /// It holds ids of records, and those that the subscriber sees are disclosed.
    Visible,
    /// Not at all.
    Never,
}

/// What of a column is disclosed. Which columns hold ids shows in their names, which a test holds against the
/// declarations.
pub(super) fn of_column(name: &str) -> Disclosure {
    if INTERNAL.contains(&name) {
        Disclosure::Never
    } else if name.ends_with("_id") || name.ends_with("_ids") {
        Disclosure::Visible
    } else {
        Disclosure::Whole
    }
}

/// Ids without those of records that the subscriber does not see: removed from a list, null when alone.
pub(super) fn visible_ids<'c>(ctx: &'c Context<'_>, ids: Json) -> BoxFuture<'c, Result<Json>> {
    async move {
        match ids {
            Json::String(id) => Ok(match is_seen(ctx, &id).await? {
                true => Json::String(id),
                false => Json::Null,
            }),
            Json::Array(ids) => {
                // All at once, so that they are asked for in one statement per kind.
                let shown = try_join_all(ids.into_iter().map(|id| visible_ids(ctx, id))).await?;
                Ok(shown.into_iter().filter(|id| !id.is_null()).collect())
            }
            _ => Ok(Json::Null),
        }
    }
    .boxed()
}

/// Finds records of all kinds by their ids; in the schema's data as `Arc<dyn AnyRecord>`.
pub trait AnyRecord: Send + Sync {
    /// Whether there is a record that the actor sees.
    ///
    /// # Errors
    /// `INVALID_ID` when it is no id of a record; the database.
    fn is_seen<'c>(&self, ctx: &'c Context<'_>, id: &'c ID) -> BoxFuture<'c, Result<bool>>;

    /// What records of a kind declare of their columns.
    fn parts(&self, kind: &str) -> Option<&'static [Part]>;
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

    /// What declares what the event log keeps of records that can be watched: the domains, and who records belong to.
    fn sources() -> Vec<(String, String)> {
        fn walk(folder: &Path, found: &mut Vec<(String, String)>) {
            for entry in fs::read_dir(folder).expect("a folder of sources") {
                let path = entry.expect("an entry").path();
                match path.is_dir() {
                    true => walk(&path, found),
                    false => {
                        let text = fs::read_to_string(&path).expect("a source file");
                        found.push((path.display().to_string(), text));
                    }
                }
            }
        }
        let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let ownership = src.join("entity/ownership.rs");
        let text = fs::read_to_string(&ownership).expect("a source file");
        let mut found = vec![(ownership.display().to_string(), text)];
        walk(&src.join("crm"), &mut found);
        found
    }

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
            for recipient in body
                .lines()
                .map(str::trim)
                .filter(|recipient| !recipient.starts_with(['/', '#']))
            {
                if let Some((name, of)) = recipient.trim_end_matches(',').split_once(": ") {
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
    fn columns_that_hold_ids_disclose_those_that_are_seen() {
        let (mut found, mut unhandled) = (0, Vec::new());
        for (file, source) in sources() {
            // A part of a record has an id of its own, and is shown with the record.
            let fields = written(&source).into_iter();
            for (name, of) in fields.filter(|(name, _)| name != "id") {
                let disclosure = of_column(&name);
                found += usize::from(disclosure == Disclosure::Visible);
                if holds_ids(&of) != (disclosure == Disclosure::Visible) {
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
    fn columns_of_access_control_are_never_disclosed() {
        for internal in INTERNAL {
            assert_eq!(of_column(internal), Disclosure::Never);
        }
        assert_eq!(of_column("name"), Disclosure::Whole);
    }
}
