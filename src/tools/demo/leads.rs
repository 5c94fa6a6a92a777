//! Inventing leads: people of companies that are not customers yet.

use super::{
    dice::Dice,
    names::{address, domain},
    world::{World, owned_by},
};
use crate::{
    base::ids::{LeadId, Typed as _},
    crm::leads::{LeadFields, LeadStatus, NewLead},
};

const STATUS: &[(u32, LeadStatus)] = &[
    (30, LeadStatus::New),
    (27, LeadStatus::Contacted),
    (12, LeadStatus::Qualified),
    (13, LeadStatus::Nurturing),
    (18, LeadStatus::Unqualified),
];
const SOURCES: &[&str] = &[
    "Website form",
    "Trade fair",
    "Referral",
    "Webinar",
    "Cold list",
    "Newsletter",
];
const REASONS: &[&str] = &[
    "No budget",
    "Not a decision maker",
    "Competitor's customer",
    "Wrong industry",
    "No answer",
];
const TITLES: &[&str] = &[
    "Buyer",
    "IT Manager",
    "Owner",
    "Operations Manager",
    "Head of Procurement",
    "Consultant",
];
const NEXT: &[&str] = &[
    "Call back",
    "Send the brochure",
    "Invite to the webinar",
    "Ask for the budget",
    "Qualify by phone",
];
const NOTES: &[&str] = &[
    "Asked for prices at the booth.",
    "Downloaded the product sheet twice.",
    "Compares us with their present supplier, whose contract ends within the year.",
    "Wants to know about delivery times first.",
];

/// So many leads, the newest of today.
pub(super) fn invent(world: &World, count: usize) -> Vec<NewLead> {
    (0..count)
        .map(|number| lead(world, world.ids.of(&number.to_string())))
        .collect()
}

fn lead(world: &World, id: LeadId) -> NewLead {
    let mut dice = Dice::of(id.uuid());
    let (first, last) = world.names.person(&mut dice);
    let firm = world.names.firm(&mut dice);
    let status = dice.weighted(STATUS);
    let amount = dice
        .chance(55)
        .then(|| i64::from(dice.number(5, 400)) * 10_000);
    let fresh = matches!(
        status,
        LeadStatus::New | LeadStatus::Contacted | LeadStatus::Qualified
    );
    let (from, to) = dice.weighted(&[(20, (-6, -1)), (15, (0, 0)), (65, (1, 30))]);
    let next = (fresh && dice.chance(70)).then(|| dice.moment(world.day(from), world.day(to)));
    let fields = LeadFields {
        first_name: first.to_owned(),
        last_name: last.to_owned(),
        email: dice
            .chance(92)
            .then(|| address((first, last), &domain(&firm))),
        phone: dice.chance(65).then(|| world.names.phone(&mut dice)),
        company_name: Some(firm),
        title: Some((*dice.pick(TITLES)).to_owned()),
        status,
        unqualified_reason: (status == LeadStatus::Unqualified)
            .then(|| (*dice.pick(REASONS)).to_owned()),
        source: Some((*dice.pick(SOURCES)).to_owned()),
        notes: dice.chance(40).then(|| (*dice.pick(NOTES)).to_owned()),
        estimated_amount_minor: amount,
        estimated_amount_currency: amount.map(|_| world.currency.to_owned()),
        next_action_at: next,
        next_action_details: next.map(|_| (*dice.pick(NEXT)).to_owned()),
        last_activity_at: None,
        tags: Vec::new(),
        ownership: owned_by(Some(*dice.pick(&world.reps))),
    };
    let created_at = dice.moment(world.day(-240), world.day(-1)).min(world.now);
    NewLead {
        id,
        fields,
        created_at: Some(created_at),
    }
}
