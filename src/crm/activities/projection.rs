//! Which fields of activities follow from columns.

use super::{Activity, ActivityFields, ActivityFilter, ActivityOrder, filter::USUAL_ORDER};
use crate::{
    base::{error::Result, ids::ActivityId},
    db::list::Relation,
    graphql::projection::{self, Projected, SchemaFields as _, Shape, Source, id, time},
    organization::members,
};

pub(super) static SHAPE: Shape = Shape::of::<Activity>("Activity", field);

fn field(name: &str) -> Option<Projected> {
    Some(match name {
        "id" => id::<ActivityId>("activity_id"),
        "occurredAt" => time("occurred_at"),
        "owner" => Projected::One(&members::USER_SHAPE, "owner_id"),
        "can" => Projected::Rights,
        other => return ActivityFields::projected(other).or_else(|| members::stamp(other)),
    })
}

/// Activities below records, by the arguments of the field that asks for them.
pub(crate) fn listed(
    ctx: &async_graphql::Context<'_>,
    relation: &'static Relation,
) -> Result<Source> {
    projection::below::<Activity, ActivityFilter, ActivityOrder>(ctx, &SHAPE, relation, USUAL_ORDER)
}
