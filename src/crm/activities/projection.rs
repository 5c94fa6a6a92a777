//! Which fields of activities follow from columns.

use super::{Activity, ActivityFilter, ActivityOrder, filter::USUAL_ORDER};
use crate::{
    base::{error::Result, ids::ActivityId},
    db::list::Relation,
    graphql::projection::{self, Projected, Shape, Source, id, text, time},
    organization::members,
};

pub(super) static SHAPE: Shape = Shape::of::<Activity>("Activity", field);

fn field(name: &str) -> Option<Projected> {
    Some(match name {
        "id" => id::<ActivityId>("activity_id"),
        "kind" => text("kind"),
        "subject" => text("subject"),
        "body" => text("body"),
        "direction" => text("direction"),
        "status" => text("status"),
        "dueAt" => time("due_at"),
        "startAt" => time("start_at"),
        "endAt" => time("end_at"),
        "doneAt" => time("done_at"),
        "outcome" => text("outcome"),
        "occurredAt" => time("occurred_at"),
        "owner" => Projected::One(&members::USER_SHAPE, "owner_id"),
        "can" => Projected::Rights,
        other => return members::stamp(other),
    })
}

/// Activities below records, by the arguments of the field that asks for them.
pub(crate) fn listed(
    ctx: &async_graphql::Context<'_>,
    relation: &'static Relation,
) -> Result<Source> {
    projection::below::<Activity, ActivityFilter, ActivityOrder>(ctx, &SHAPE, relation, USUAL_ORDER)
}
