//! Who owns a record, and reassigning records to another member.

use std::{collections::HashMap, marker::PhantomData};

use dealgraph_derive::Columns;
use futures_util::future::{BoxFuture, FutureExt as _};
use serde::Serialize;
use uuid::Uuid;

use super::Entity;
use crate::{
    access::Author,
    base::{
        error::{Error, Result},
        ids::{Typed as _, UserId},
    },
    db::{Sql, Tx},
};

/// Who owns a record.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, sqlx::FromRow, Columns)]
pub struct Ownership {
    /// The person.
    pub owner_id: Option<UserId>,
    /// The owner's path in the tree of teams, which row-level security reads.
    pub team_path: Option<String>,
}

impl Ownership {
    /// Reassigns the record to another member, if the first one owns it.
    pub fn hand_over(&mut self, (from, to): (UserId, UserId)) {
        if self.owner_id == Some(from) {
            self.place_with(to);
        }
    }

    /// Assigns the record to a member and has its team path read anew; also when it is theirs already.
    pub fn place_with(&mut self, owner: UserId) {
        self.owner_id = Some(owner);
        // No team has an empty path: the verb that changes the record finds a difference and looks the path up.
        self.team_path = Some(String::new());
    }
}

/// Looks up the team paths of the owners. People and programs may assign records to members who can sign in; imports, and
/// the server when it brings a record to its owner's team path, to suspended ones too.
///
/// # Errors
/// On the field `ownerId`: `NOT_FOUND` for a person who is no member of the tenant, `OWNER_SUSPENDED`.
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
    // A leaving member is assigned nothing more; their records are being reassigned.
    .push(" AND status <> 'LEAVING'");
    let members = tx.all::<(UserId, Option<String>, bool)>(sql).await?;
    let is_any_suspended = members.iter().any(|(.., suspended)| *suspended);
    refuse_suspended(tx, is_any_suspended, "ownerId")?;
    let path_of = |(owner, path, _)| (owner, path);
    let paths: HashMap<UserId, Option<String>> = members.into_iter().map(path_of).collect();
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

/// Refuses people to whom nothing can be assigned, by the rules of [`place_owners`].
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

/// Which part of a list of ids, in their order.
#[derive(Debug, Clone, Copy)]
pub struct IdPage {
    /// Those after this one.
    pub after: Uuid,
    /// At most so many.
    pub limit: i64,
}

/// The next records that a member owns, in the order of their ids; with a team path only those with another one.
///
/// # Errors
/// The database.
pub async fn owned_by<R: Entity>(
    tx: &mut Tx,
    owner: UserId,
    but_not_at: Option<Option<&str>>,
    page: IdPage,
) -> Result<Vec<Uuid>> {
    let mut sql = Sql::new("SELECT t.")
        .push(R::ID_COLUMN)
        .push(" FROM ")
        .push(R::TABLE)
        .push(" t WHERE t.tenant_id = ")
        .bind(tx.tenant())
        .push(" AND t.owner_id = ")
        .bind(owner);
    if let Some(path) = but_not_at {
        sql = sql
            .push(" AND t.team_path IS DISTINCT FROM ")
            .bind(path.map(str::to_owned));
    }
    let sql = sql
        .push(" AND t.")
        .push(R::ID_COLUMN)
        .push(" > ")
        .bind(page.after)
        .push(" ORDER BY t.")
        .push(R::ID_COLUMN)
        .push(" LIMIT ")
        .bind(page.limit);
    tx.column(sql).await
}

/// A record that people own.
pub trait Owned: Entity {
    /// The next records that name a leaving member, in the order of their ids.
    ///
    /// # Errors
    /// The database.
    fn of_person(
        tx: &mut Tx,
        person: UserId,
        page: IdPage,
    ) -> impl Future<Output = Result<Vec<Uuid>>> + Send {
        owned_by::<Self>(tx, person, None, page)
    }

    /// Replaces a record's owner by another member. The same member twice only updates its team path; a record that has
    /// the right one already is left alone.
    ///
    /// # Errors
    /// `NOT_FOUND`, `FORBIDDEN`, or the database.
    fn reassign(
        tx: &mut Tx,
        id: Uuid,
        people: (UserId, UserId),
    ) -> impl Future<Output = Result<()>> + Send;
}

/// Any kind of records that people own: a reassignment goes through all of them.
pub trait OwnedKind: Send + Sync {
    /// What a record of it is called.
    fn name(&self) -> &'static str;

    /// Where its records are.
    fn table(&self) -> &'static str;

    /// The next records that name a member; with a team path only those that they own and that have another one.
    fn next<'t>(
        &self,
        tx: &'t mut Tx,
        person: UserId,
        but_not_at: Option<Option<&'t str>>,
        page: IdPage,
    ) -> BoxFuture<'t, Result<Vec<Uuid>>>;

    /// See [`Owned::reassign`].
    fn reassign<'t>(
        &self,
        tx: &'t mut Tx,
        id: Uuid,
        people: (UserId, UserId),
    ) -> BoxFuture<'t, Result<()>>;
}

/// All kinds of records that people own, in the order in which they are reassigned; in the data of the schema.
pub type OwnedKinds = &'static [&'static dyn OwnedKind];

/// The kind of a type of records.
pub struct KindOf<R>(PhantomData<fn() -> R>);

impl<R> KindOf<R> {
    /// There is one of each.
    pub const KIND: Self = Self(PhantomData);
}

impl<R: Owned> OwnedKind for KindOf<R> {
    fn name(&self) -> &'static str {
        R::KIND
    }

    fn table(&self) -> &'static str {
        R::TABLE
    }

    fn next<'t>(
        &self,
        tx: &'t mut Tx,
        person: UserId,
        but_not_at: Option<Option<&'t str>>,
        page: IdPage,
    ) -> BoxFuture<'t, Result<Vec<Uuid>>> {
        match but_not_at {
            None => R::of_person(tx, person, page).boxed(),
            some => owned_by::<R>(tx, person, some, page).boxed(),
        }
    }

    fn reassign<'t>(
        &self,
        tx: &'t mut Tx,
        id: Uuid,
        people: (UserId, UserId),
    ) -> BoxFuture<'t, Result<()>> {
        R::reassign(tx, id, people).boxed()
    }
}
