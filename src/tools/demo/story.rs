//! Inventing what was done: the calls, mails, meetings and notes that a deal, a lead and a company gather.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

use super::{
    dice::Dice,
    world::{World, owned_by, shifted},
};
use crate::{
    base::ids::{ActivityId, Typed as _, UserId},
    crm::{
        activities::{
            ActivityDirection, ActivityFields, ActivityKind, ActivityStatus, NewActivity, Target,
        },
        companies::NewCompany,
        leads::{LeadStatus, NewLead},
        opportunities::NewOpportunity,
        pipelines::StageKind,
    },
};

const KINDS: &[(u32, ActivityKind)] = &[
    (34, ActivityKind::Email),
    (31, ActivityKind::Call),
    (15, ActivityKind::Meeting),
    (10, ActivityKind::Note),
    (7, ActivityKind::Task),
    (3, ActivityKind::Sms),
];
const CALL_OUTCOMES: &[&str] = &[
    "Reached",
    "Reached",
    "Left a message",
    "No answer",
    "Asked to call back next week",
];
const BODIES: &[&str] = &[
    "They like the product; the price is what holds them back.",
    "Two departments have to agree, and the second one has not seen the offer yet.",
    "Delivery before the end of the quarter is a must.",
    "Happy with the support so far and open for more.",
    "A competitor offered something similar last month.",
    "The budget is approved, the signature is a formality.",
];
/// How recent the later half of what was done about an open deal is, in days.
const RECENT_DAYS: i64 = 40;

/// What was done about a deal: more about open ones, the later half of it in the last weeks before today.
pub(super) fn of_deal(world: &World, deal: &NewOpportunity, kind: StageKind) -> Vec<NewActivity> {
    let mut dice = Dice::of(deal.id.uuid());
    let open = kind == StageKind::Open;
    let count = if open {
        dice.weighted(&[(10, 1), (25, 2), (30, 3), (20, 4), (10, 5), (5, 7)])
    } else {
        dice.weighted(&[(45, 0), (30, 1), (15, 2), (10, 3)])
    };
    let begun = deal.created_at.unwrap_or(world.now).date_naive();
    let ended = if open {
        shifted(begun, 45)
    } else {
        deal.path
            .last()
            .map_or(begun, |visit| visit.entered_at.date_naive())
    };
    let ended = ended.min(world.today());
    let mut targets = vec![Target::Opportunity(deal.id)];
    targets.extend(deal.fields.primary_contact_id.map(Target::Contact));
    let about = About {
        world,
        key: deal.id.to_string(),
        what: deal.fields.tags.first().map_or("our offer", String::as_str),
        owner: deal.fields.ownership.owner_id,
        targets,
    };
    let mut story: Vec<NewActivity> = (0..count)
        .map(|number| {
            let recent = open && number * 2 >= count;
            let earliest = world.day(-RECENT_DAYS).max(begun);
            let (from, to) = if recent {
                (earliest, world.day(-1))
            } else {
                (begun, ended)
            };
            about.done(number, &mut dice, (from, to))
        })
        .collect();
    if open && dice.chance(15) {
        story.push(about.planned(count, &mut dice));
    }
    story
}

/// What was done about a lead that a member has talked to.
pub(super) fn of_lead(world: &World, lead: &NewLead) -> Vec<NewActivity> {
    if lead.fields.status == LeadStatus::New {
        return Vec::new();
    }
    let mut dice = Dice::of(lead.id.uuid());
    let about = About {
        world,
        key: lead.id.to_string(),
        what: lead
            .fields
            .company_name
            .as_deref()
            .unwrap_or("the first contact"),
        owner: lead.fields.ownership.owner_id,
        targets: vec![Target::Lead(lead.id)],
    };
    let since = lead.created_at.unwrap_or(world.now).date_naive();
    let count = dice.number(1, 3);
    (0..count)
        .map(|number| about.done(number, &mut dice, (since, world.day(-1))))
        .collect()
}

/// Notes on a company; the last things a demo tenant gets.
pub(super) fn of_company(world: &World, company: &NewCompany) -> Vec<NewActivity> {
    let mut dice = Dice::of(company.id.uuid());
    let about = About {
        world,
        key: company.id.to_string(),
        what: &company.fields.name,
        owner: company.fields.ownership.owner_id,
        targets: vec![Target::Company(company.id)],
    };
    let count = dice.number(1, 3);
    (0..count)
        .map(|number| about.note(number, &mut dice))
        .collect()
}

/// What a story is about.
struct About<'a> {
    world: &'a World,
    /// What the ids of its activities are made from.
    key: String,
    what: &'a str,
    owner: Option<UserId>,
    targets: Vec<Target>,
}

impl About<'_> {
    fn activity(
        &self,
        number: u32,
        fields: ActivityFields,
        created_at: DateTime<Utc>,
    ) -> NewActivity {
        let id: ActivityId = self.world.ids.of(&format!("{}/{number}", self.key));
        let fields = ActivityFields {
            ownership: owned_by(self.owner),
            ..fields
        };
        NewActivity {
            id,
            fields,
            targets: self.targets.clone(),
            created_at: Some(created_at.min(self.world.now)),
        }
    }

    fn done(
        &self,
        number: u32,
        dice: &mut Dice,
        (from, to): (NaiveDate, NaiveDate),
    ) -> NewActivity {
        let kind = dice.weighted(KINDS);
        let at = dice.moment(from, to).min(self.world.now);
        let meeting = kind == ActivityKind::Meeting;
        let length = TimeDelta::minutes(*dice.pick(&[30, 45, 60, 90]));
        let fields = ActivityFields {
            kind,
            subject: subject(kind, self.what, dice),
            body: dice.chance(45).then(|| (*dice.pick(BODIES)).to_owned()),
            direction: direction(kind, dice),
            status: ActivityStatus::Done,
            start_at: meeting.then(|| at - length),
            end_at: meeting.then_some(at),
            done_at: Some(at),
            outcome: (kind == ActivityKind::Call).then(|| (*dice.pick(CALL_OUTCOMES)).to_owned()),
            ..Default::default()
        };
        self.activity(number, fields, at)
    }

    /// Something agreed for the next weeks, now and then called off.
    fn planned(&self, number: u32, dice: &mut Dice) -> NewActivity {
        let kind = *dice.pick(&[
            ActivityKind::Meeting,
            ActivityKind::Call,
            ActivityKind::Task,
        ]);
        let at = dice.moment(self.world.day(-3), self.world.day(21));
        let meeting = kind == ActivityKind::Meeting;
        let fields = ActivityFields {
            kind,
            subject: subject(kind, self.what, dice),
            status: if dice.chance(12) {
                ActivityStatus::Canceled
            } else {
                ActivityStatus::Planned
            },
            due_at: Some(at),
            start_at: meeting.then_some(at),
            end_at: meeting.then(|| at + TimeDelta::minutes(60)),
            ..Default::default()
        };
        let agreed = dice.moment(self.world.day(-14), self.world.day(-4));
        self.activity(number, fields, agreed)
    }

    fn note(&self, number: u32, dice: &mut Dice) -> NewActivity {
        let at = dice.moment(self.world.day(-300), self.world.day(-1));
        let subject = dice.pick(&["Account plan", "News", "Who decides what", "Credit check"]);
        let fields = ActivityFields {
            kind: ActivityKind::Note,
            subject: format!("{subject}: {}", self.what),
            body: Some((*dice.pick(BODIES)).to_owned()),
            status: ActivityStatus::Done,
            done_at: Some(at),
            ..Default::default()
        };
        self.activity(number, fields, at)
    }
}

fn direction(kind: ActivityKind, dice: &mut Dice) -> Option<ActivityDirection> {
    let spoken = matches!(
        kind,
        ActivityKind::Call | ActivityKind::Email | ActivityKind::Sms
    );
    spoken.then(|| {
        dice.weighted(&[
            (65, ActivityDirection::Outbound),
            (35, ActivityDirection::Inbound),
        ])
    })
}

fn subject(kind: ActivityKind, what: &str, dice: &mut Dice) -> String {
    let subject = match kind {
        ActivityKind::Call => dice.pick(&[
            "First call about",
            "Call about the price of",
            "Follow-up call on",
            "Questions on",
        ]),
        ActivityKind::Email => dice.pick(&[
            "Offer for",
            "Answers on",
            "Terms for",
            "Documents on",
            "Reminder about",
        ]),
        ActivityKind::Sms => dice.pick(&["Running late for", "Confirming the appointment on"]),
        ActivityKind::Meeting => {
            dice.pick(&["Demo of", "Negotiation on", "Workshop on", "Site visit for"])
        }
        ActivityKind::Note => dice.pick(&["Buying process for", "Competitors for", "Budget for"]),
        ActivityKind::Task => dice.pick(&[
            "Prepare the offer for",
            "Check the stock of",
            "Send samples of",
        ]),
    };
    format!("{subject} {what}")
}
