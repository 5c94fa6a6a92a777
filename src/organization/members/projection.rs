//! Which fields of people, and of those who changed something, follow from columns.

use async_graphql::EnumType as _;
use uuid::Uuid;

use super::{Member, graphql::AuthorKind};
use crate::{
    base::ids::{Typed as _, UserId},
    graphql::projection::{Kind, Projected, Shape, id, int, text, time},
};

pub(crate) static USER_SHAPE: Shape = Shape::of::<Member>("User", user);

fn user(name: &str) -> Option<Projected> {
    Some(match name {
        "id" => id::<UserId>("user_id"),
        "name" => text("name"),
        "email" => text("email"),
        _ => return None,
    })
}

/// The fields that all records have: when and by whom they were created and changed, and their versions.
pub(crate) fn stamp(name: &str) -> Option<Projected> {
    const AUTHOR: &str = "ChangeAuthor";
    Some(match name {
        "archivedAt" => time("archived_at"),
        "createdAt" => time("created_at"),
        "createdBy" => Projected::Object(AUTHOR, &[], |name| author(name, "created_by")),
        "updatedAt" => time("updated_at"),
        "updatedBy" => Projected::Object(AUTHOR, &[], |name| author(name, "updated_by")),
        "version" => int("version"),
        _ => return None,
    })
}

fn author(name: &str, column: &'static str) -> Option<Projected> {
    Some(match name {
        "kind" => Projected::Value(Kind::Derived(kind_of), column),
        "source" => Projected::Value(Kind::Derived(source_of), column),
        "user" => Projected::Named(&USER_SHAPE, column, person),
        _ => return None,
    })
}

fn kind_of(author: &str) -> Option<&str> {
    let (kind, _) = AuthorKind::of(author);
    let mut words = AuthorKind::items().iter();
    words.find(|item| item.value == kind).map(|item| item.name)
}

fn source_of(author: &str) -> Option<&str> {
    AuthorKind::of(author).1
}

fn person(author: &str) -> Option<Uuid> {
    author.parse().ok().map(UserId::uuid)
}
