//! Inventing around a deal: who is on it, why it was lost, what is to be done next.

use super::{dice::Dice, world::World};
use crate::{
    base::ids::Typed as _,
    crm::{
        activities::ActivityKind,
        contacts::NewContact,
        opportunities::{DealContact, DealUser, ForecastCategory, NewOpportunity, NextAction},
        pipelines::StageKind,
    },
};

const SOURCES: &[&str] = &[
    "Website",
    "Referral",
    "Trade fair",
    "Cold call",
    "Partner",
    "Campaign",
];
const PARTS: &[&str] = &[
    "Decision maker",
    "Champion",
    "Economic buyer",
    "Technical evaluator",
    "User",
];
const LOST_REASONS: &[(u32, &str)] = &[
    (30, "Price"),
    (25, "Went to a competitor"),
    (20, "No decision"),
    (12, "No budget"),
    (8, "Bad timing"),
    (5, "Missing feature"),
];
const NEXT: &[(u32, (ActivityKind, &str))] = &[
    (20, (ActivityKind::Call, "Follow up on the offer")),
    (15, (ActivityKind::Call, "Ask who decides")),
    (15, (ActivityKind::Email, "Send the revised offer")),
    (
        10,
        (ActivityKind::Email, "Send a reference customer's contact"),
    ),
    (15, (ActivityKind::Meeting, "Demo with the technical team")),
    (10, (ActivityKind::Meeting, "Negotiate terms")),
    (10, (ActivityKind::Task, "Prepare the offer")),
    (5, (ActivityKind::Task, "Check stock for the delivery date")),
];
/// Of a hundred open deals with a next action, so many are late by up to so many days, due today, or to come.
const DUE: &[(u32, (i64, i64))] = &[
    (12, (-4, -1)),
    (6, (-25, -5)),
    (12, (0, 0)),
    (30, (1, 7)),
    (40, (8, 45)),
];

/// Fills in what the deal's own data does not have. `staff` are the people of its company.
pub(super) fn flesh_out(
    world: &World,
    deal: &mut NewOpportunity,
    staff: &[NewContact],
    kind: StageKind,
) {
    let mut dice = Dice::of(deal.id.uuid());
    deal.fields.source = dice.chance(80).then(|| (*dice.pick(SOURCES)).to_owned());
    put_contacts(&mut dice, deal, staff);
    if dice.chance(3) {
        let user_id = *dice.pick(&world.reps);
        if Some(user_id) != deal.fields.ownership.owner_id {
            deal.users.push(DealUser {
                user_id,
                role: Some("Pre-sales".to_owned()),
            });
        }
    }
    match kind {
        StageKind::Won => deal.fields.forecast_category = ForecastCategory::Closed,
        StageKind::Lost => {
            deal.fields.forecast_category = ForecastCategory::Omitted;
            deal.lost_reason = Some(dice.weighted(LOST_REASONS).to_owned());
        }
        StageKind::Open => put_plans(world, &mut dice, deal),
    }
}

fn put_contacts(dice: &mut Dice, deal: &mut NewOpportunity, staff: &[NewContact]) {
    if staff.is_empty() {
        return;
    }
    let wanted = dice.weighted(&[(55, 1), (30, 2), (15, 3)]).min(staff.len());
    let first = dice.number(0, staff.len() as u32 - 1) as usize;
    for contact in staff.iter().cycle().skip(first).take(wanted) {
        let role = Some((*dice.pick(PARTS)).to_owned());
        deal.contacts.push(DealContact {
            contact_id: contact.id,
            role,
        });
    }
    deal.fields.primary_contact_id = deal.contacts.first().map(|contact| contact.contact_id);
}

fn put_plans(world: &World, dice: &mut Dice, deal: &mut NewOpportunity) {
    let days = dice.weighted(&[(5, (-10, -1)), (35, (3, 30)), (60, (31, 120))]);
    deal.fields.expected_close_on = Some(
        dice.moment(world.day(days.0), world.day(days.1))
            .date_naive(),
    );
    deal.fields.forecast_category = dice.weighted(&[
        (55, ForecastCategory::Pipeline),
        (28, ForecastCategory::BestCase),
        (12, ForecastCategory::Commit),
        (5, ForecastCategory::Omitted),
    ]);
    deal.probability = dice
        .chance(10)
        .then(|| *dice.pick(&[20, 30, 50, 60, 70, 80]));
    if dice.chance(90) {
        let (from, to) = dice.weighted(DUE);
        let (kind, details) = dice.weighted(NEXT);
        let at = dice.moment(world.day(from), world.day(to));
        deal.next_action = Some(NextAction {
            at,
            kind,
            details: Some(details.to_owned()),
            owner_id: None,
        });
    }
}
