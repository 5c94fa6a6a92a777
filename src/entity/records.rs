//! What all records of the domains have in common: stamps, an owner, and being archived, restored and deleted.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Map, Value as Json, json};
use uuid::Uuid;

use crate::{
    base::{
        error::{Error, Result},
        ids::{Typed as _, UserId},
    },
    crm::activities::{self, Target},
    db::{
        Sql, Tx,
        list::{self, Record},
    },
    events::{Event, EventKind},
    organization::auth::Author,
};

/// When a record came about and changed, by whom, and which version it is.
#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
pub struct Stamps {
    /// When it was put away, if it was.
    pub archived_at: Option<DateTime<Utc>>,
    /// When it came about.
    pub created_at: DateTime<Utc>,
    /// By whom: `user:<uuid>` or `import:<source>`.
    pub created_by: String,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
    /// By whom.
    pub updated_by: String,
    /// Counts changes from 1.
    pub version: i32,
}

impl Stamps {
    /// The stamps of a record that comes about now, or earlier when it is imported with its real date.
    #[must_use]
    pub fn new(tx: &Tx, created_at: Option<DateTime<Utc>>) -> Self {
        let at = created_at.unwrap_or(tx.now());
        Self {
            archived_at: None,
            created_at: at,
            created_by: tx.author(),
            updated_at: at,
            updated_by: tx.author(),
            version: 1,
        }
    }

    /// Counts a change that is made now.
    pub fn touch(&mut self, tx: &Tx) {
        self.updated_at = tx.now();
        self.updated_by = tx.author();
        self.version += 1;
    }
}

/// Who a record belongs to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, sqlx::FromRow)]
pub struct Ownership {
    /// The person.
    pub owner_id: Option<UserId>,
    /// The person's place in the tree of teams, which row-level security reads.
    pub team_path: Option<String>,
}

impl Ownership {
    /// Gives the record to a person, to be placed where that person stands now; also when it is theirs already.
    pub fn place_with(&mut self, owner: UserId) {
        self.owner_id = Some(owner);
        // No team has an empty path: the verb that changes the record finds a difference and looks the place up.
        self.team_path = Some(String::new());
    }
}

/// A record with stamps that row-level security judges by its `visible_to`.
pub trait Kept: Record {
    /// The record's stamps.
    fn stamps(&self) -> &Stamps;
    /// Who sees the record.
    fn visible_to(&self) -> &str;
    /// What the event log keeps of the record: its columns by their names, those that filters compare among them.
    fn columns(&self) -> Json;
    /// The record as something that activities are about, if it is.
    fn activity_target(&self) -> Option<Target> {
        None
    }
}

/// Looks up where the owners stand in the tree of teams. People and programs give records to members who can sign in;
/// imports, and the server when it places what somebody owns already, to suspended ones too.
///
/// # Errors
/// On the field `ownerId`: `NOT_FOUND` for anybody who is not a member of the tenant, `OWNER_SUSPENDED`.
pub async fn place_owners<'a>(
    tx: &mut Tx,
    records: impl IntoIterator<Item = &'a mut Ownership>,
) -> Result<()> {
    let mut records: Vec<_> = records.into_iter().collect();
    let mut owners: Vec<Uuid> = records
        .iter()
        .filter_map(|record| Some(record.owner_id?.uuid()))
        .collect();
    owners.sort_unstable();
    owners.dedup();
    for record in records
        .iter_mut()
        .filter(|record| record.owner_id.is_none())
    {
        record.team_path = None;
    }
    if owners.is_empty() {
        return Ok(());
    }
    let sql = Sql::new(
        "SELECT user_id, team_path, status = 'SUSPENDED' FROM memberships WHERE tenant_id = ",
    )
    .bind(tx.tenant())
    .push(" AND user_id")
    .one_of(&owners)
    // Who leaves gets nothing more; their records are being passed on.
    .push(" AND status <> 'LEAVING'");
    let places = tx.all::<(UserId, Option<String>, bool)>(sql).await?;
    let is_any_suspended = places.iter().any(|(.., suspended)| *suspended);
    refuse_suspended(tx, is_any_suspended, "ownerId")?;
    let place = |(owner, path, _)| (owner, path);
    let paths: HashMap<UserId, Option<String>> = places.into_iter().map(place).collect();
    for record in &mut records {
        let Some(owner) = record.owner_id else {
            continue;
        };
        let path = paths.get(&owner).ok_or(Error::NotFound {
            kind: "member",
            field: "ownerId",
        })?;
        record.team_path.clone_from(path);
    }
    Ok(())
}

/// Refuses people who can't be given something to do, by the rules of [`place_owners`].
///
/// # Errors
/// `NOT_FOUND` or `OWNER_SUSPENDED` on `field`.
pub async fn require_owners(
    tx: &mut Tx,
    people: impl IntoIterator<Item = Uuid>,
    field: &'static str,
) -> Result<()> {
    let mut people: Vec<Uuid> = people.into_iter().collect();
    people.sort_unstable();
    people.dedup();
    if people.is_empty() {
        return Ok(());
    }
    let sql = Sql::new("SELECT status = 'SUSPENDED' FROM memberships WHERE tenant_id = ")
        .bind(tx.tenant())
        .push(" AND user_id")
        .one_of(&people)
        .push(" AND status <> 'LEAVING'");
    let suspended = tx.column::<bool>(sql).await?;
    if suspended.len() < people.len() {
        let kind = "member";
        return Err(Error::NotFound { kind, field });
    }
    refuse_suspended(tx, suspended.contains(&true), field)
}

fn refuse_suspended(tx: &Tx, is_suspended: bool, field: &str) -> Result<()> {
    let is_chosen = matches!(tx.actor().author, Author::User(_) | Author::Key(_));
    if is_suspended && is_chosen {
        let message = "this member is suspended: choose somebody who can sign in";
        return Err(Error::invalid("OWNER_SUSPENDED", field, message));
    }
    Ok(())
}

/// The next records that a person owns, in the order of their ids; with a place only those that are not there.
///
/// # Errors
/// The database.
pub async fn owned_by<R: Kept>(
    tx: &mut Tx,
    owner: UserId,
    but_not_at: Option<Option<&str>>,
    (after, limit): (Uuid, i64),
) -> Result<Vec<Uuid>> {
    let mut sql = Sql::new("SELECT t.")
        .push(R::ID_COLUMN)
        .push(" FROM ")
        .push(R::TABLE)
        .push(" t WHERE t.tenant_id = ")
        .bind(tx.tenant())
        .push(" AND t.owner_id = ")
        .bind(owner);
    if let Some(place) = but_not_at {
        sql = sql
            .push(" AND t.team_path IS DISTINCT FROM ")
            .bind(place.map(str::to_owned));
    }
    let sql = sql
        .push(" AND t.")
        .push(R::ID_COLUMN)
        .push(" > ")
        .bind(after)
        .push(" ORDER BY t.")
        .push(R::ID_COLUMN)
        .push(" LIMIT ")
        .bind(limit);
    tx.column(sql).await
}

/// Refuses another row of a kind that the tenant has a quota for, once it is reached; `counted` is the condition, if
/// not all rows (alias `r`) count. Those who ask at the same time
/// wait for one another, so that together they don't pass it either.
///
/// # Errors
/// `QUOTA_EXCEEDED`.
pub async fn require_room<R: Record>(
    tx: &mut Tx,
    (quota, counted): (&'static str, &'static str),
    what: &'static str,
) -> Result<()> {
    // Not a lock of the tenant's row: that is an admin's to change, and every insert of the tenant's refers to it.
    let key = format!("{quota} {}", tx.tenant());
    let sql = Sql::new("SELECT pg_advisory_xact_lock(hashtextextended(").bind(key);
    tx.execute(sql.push(", 0))")).await?;
    let sql = Sql::new("SELECT t.")
        .push(quota)
        .push("::bigint, (SELECT count(*) FROM ")
        .push(R::TABLE)
        .push(" r WHERE r.tenant_id = ")
        .bind(tx.tenant())
        .push(counted)
        .push(") FROM tenants t WHERE t.tenant_id = ")
        .bind(tx.tenant());
    let (limit, held) = tx.optional::<(i64, i64)>(sql).await?.unwrap_or_default();
    match held < limit {
        true => Ok(()),
        false => Err(Error::Quota { what, limit }),
    }
}

/// Locks a record for a change, if it still is at the version that the change was made for.
///
/// # Errors
/// `NOT_FOUND`, `CONFLICT`; `FORBIDDEN` for a record that the actor sees but may not change.
pub async fn lock<R: Kept>(tx: &mut Tx, id: Uuid, expected_version: Option<i32>) -> Result<R> {
    // FOR UPDATE asks the update policies too, so a record that may be read but not changed is not found by it.
    let sql = list::by_id::<R>(tx, id).push(" FOR UPDATE");
    let Some(record) = tx.optional::<R>(sql).await? else {
        return match list::find::<R>(tx, id).await? {
            Some(_) => Err(Error::Forbidden("change this record")),
            None => Err(Error::NotFound {
                kind: R::KIND,
                field: "id",
            }),
        };
    };
    match expected_version {
        Some(expected) if expected != record.stamps().version => Err(Error::Conflict {
            kind: R::KIND,
            version: record.stamps().version,
        }),
        _ => Ok(record),
    }
}

/// Columns with further ones.
#[must_use]
pub fn with(mut columns: Json, more: Json) -> Json {
    if let (Json::Object(columns), Json::Object(more)) = (&mut columns, more) {
        columns.extend(more);
    }
    columns
}

/// The record as the event log keeps it, with its id and its times.
fn whole<R: Kept>(record: &R) -> Map<String, Json> {
    let Json::Object(mut columns) = record.columns() else {
        return Map::new();
    };
    let Stamps {
        archived_at,
        created_at,
        updated_at,
        ..
    } = record.stamps();
    columns.insert(R::ID_COLUMN.to_owned(), json!(record.key()));
    columns.insert("archived_at".to_owned(), json!(archived_at));
    columns.insert("created_at".to_owned(), json!(created_at));
    columns.insert("updated_at".to_owned(), json!(updated_at));
    columns
}

/// Tells of a record that came about.
pub fn emit_created<R: Kept>(tx: &mut Tx, record: &R, fields: &impl Serialize) {
    tx.emit(Event {
        kind: EventKind::Created,
        entity: R::KIND,
        id: record.key(),
        version: record.stamps().version,
        changed: Vec::new(),
        before: None,
        after: Some(json!(fields)),
        record: Some(Json::Object(whole(record))),
        was: None,
        visible_before: None,
        visible_after: Some(record.visible_to().to_owned()),
    });
}

/// Tells of a record that changed, with the columns that differ.
pub fn emit_changed<R: Kept, F: Serialize>(
    tx: &mut Tx,
    kind: EventKind,
    (before, old): (&R, &F),
    (after, new): (&R, &F),
) {
    let (changed, old, new) = diff(&json!(old), &json!(new));
    let mut record = whole(after);
    let mut was = whole(before);
    was.retain(|column, value| record.get(column) != Some(value));
    was.extend(old.clone());
    record.extend(new.clone());
    tx.emit(Event {
        kind,
        entity: R::KIND,
        id: after.key(),
        version: after.stamps().version,
        changed,
        before: Some(Json::Object(old)),
        after: Some(Json::Object(new)),
        record: Some(Json::Object(record)),
        was: Some(Json::Object(was)),
        visible_before: Some(before.visible_to().to_owned()),
        visible_after: Some(after.visible_to().to_owned()),
    });
}

/// Tells of what follows for a record from a change to another one: it keeps its version. What the changed columns
/// were before is not known.
pub fn tell_followed<R: Kept>(
    tx: &mut Tx,
    (record, visible_before): (&R, String),
    changed: &[&str],
) {
    tx.follow_up(Event {
        kind: EventKind::Updated,
        entity: R::KIND,
        id: record.key(),
        version: record.stamps().version,
        changed: changed.iter().map(|&name| name.to_owned()).collect(),
        before: None,
        after: None,
        record: Some(Json::Object(whole(record))),
        was: None,
        visible_before: Some(visible_before),
        visible_after: Some(record.visible_to().to_owned()),
    });
}

fn diff(before: &Json, after: &Json) -> (Vec<String>, Map<String, Json>, Map<String, Json>) {
    let (mut changed, mut old, mut new) = (Vec::new(), Map::new(), Map::new());
    for (name, value) in after.as_object().into_iter().flatten() {
        let was = before.get(name).unwrap_or(&Json::Null);
        if was != value {
            changed.push(name.clone());
            old.insert(name.clone(), was.clone());
            new.insert(name.clone(), value.clone());
        }
    }
    (changed, old, new)
}

/// Puts a record away: lists leave it out, everything else stays. Doing it twice changes nothing.
///
/// # Errors
/// As [`lock`].
pub async fn archive<R: Kept>(tx: &mut Tx, id: Uuid, expected_version: Option<i32>) -> Result<R> {
    let at = tx.now();
    set_archived(tx, id, expected_version, Some(at)).await
}

/// Takes a record back from the archive. Doing it twice changes nothing.
///
/// # Errors
/// As [`lock`].
pub async fn restore<R: Kept>(tx: &mut Tx, id: Uuid, expected_version: Option<i32>) -> Result<R> {
    set_archived(tx, id, expected_version, None).await
}

async fn set_archived<R: Kept>(
    tx: &mut Tx,
    id: Uuid,
    expected_version: Option<i32>,
    at: Option<DateTime<Utc>>,
) -> Result<R> {
    let before: R = lock(tx, id, expected_version).await?;
    if before.stamps().archived_at.is_some() == at.is_some() {
        return Ok(before);
    }
    let sql = Sql::new("UPDATE ")
        .push(R::TABLE)
        .push(" t SET version = t.version + 1, archived_at = ")
        .bind(at)
        .push(", updated_at = ")
        .bind(tx.now())
        .push(", updated_by = ")
        .bind(tx.author())
        .push(" WHERE t.tenant_id = ")
        .bind(tx.tenant())
        .push(" AND t.")
        .push(R::ID_COLUMN)
        .push(" = ")
        .bind(id)
        .push(" RETURNING ")
        .push(R::COLUMNS);
    let after: R = tx
        .optional(sql)
        .await?
        .ok_or(Error::Forbidden("archive or restore this record"))?;
    let kind = if at.is_some() {
        EventKind::Archived
    } else {
        EventKind::Restored
    };
    let archived = |record: &R| json!({ "archived_at": record.stamps().archived_at });
    emit_changed(
        tx,
        kind,
        (&before, &archived(&before)),
        (&after, &archived(&after)),
    );
    Ok(after)
}

/// Deletes a record for good, with what only exists as a part of it. Needs the delete permission of its kind.
///
/// # Errors
/// As [`lock`], and `IN_USE` while others refer to it.
pub async fn delete<R: Kept>(tx: &mut Tx, id: Uuid, expected_version: Option<i32>) -> Result<()> {
    let before: R = lock(tx, id, expected_version).await?;
    if let Some(target) = before.activity_target() {
        activities::leave(tx, target).await?;
    }
    let sql = Sql::new("DELETE FROM ")
        .push(R::TABLE)
        .push(" WHERE tenant_id = ")
        .bind(tx.tenant())
        .push(" AND ")
        .push(R::ID_COLUMN)
        .push(" = ")
        .bind(id);
    if tx.execute(sql).await? == 0 {
        return Err(Error::Forbidden("delete this record"));
    }
    tx.emit(Event {
        kind: EventKind::Deleted,
        entity: R::KIND,
        id,
        version: before.stamps().version + 1,
        changed: Vec::new(),
        before: None,
        after: None,
        record: Some(Json::Object(whole(&before))),
        was: None,
        visible_before: Some(before.visible_to().to_owned()),
        visible_after: None,
    });
    Ok(())
}
