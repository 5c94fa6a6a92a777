//! What there is to do with records, invented at random.

use serde_json::{Value as Json, json};

use super::{
    acts::{Act, named},
    book::{Book, Known, Stock},
    ground::Ground,
};
use crate::soak::{
    kind::{Kind, mint},
    world::{ADMIN, Tenant},
};

/// Half of what is done concerns deals.
const KINDS: [Kind; 8] = [
    Kind::Opportunity,
    Kind::Opportunity,
    Kind::Opportunity,
    Kind::Opportunity,
    Kind::Activity,
    Kind::Lead,
    Kind::Contact,
    Kind::Company,
];

pub(crate) fn invent(
    dice: &mut fastrand::Rng,
    tenant: &Tenant,
    book: &mut Book,
    author: usize,
) -> Act {
    if author == ADMIN && dice.u16(..) < 400 {
        return aside(dice, tenant);
    }
    let kind = KINDS[dice.usize(..KINDS.len())];
    let ground = Ground {
        tenant,
        book,
        author,
    };
    let known = match (book.stock(kind), dice.u8(..100)) {
        (Stock::Few, 0..50) | (Stock::Enough, 0..12) | (Stock::Many, 0..2) => None,
        _ => book.pick(dice, kind),
    };
    match known {
        None => ground.create(dice, kind),
        Some(known) => ground.change(dice, known),
    }
}

/// What makes servers look up all rights anew, and changes none.
fn aside(dice: &mut fastrand::Rng, tenant: &Tenant) -> Act {
    let text = format!("Changed to {}", dice.u32(..));
    if dice.bool() {
        return Act::aside("tenantUpdate", json!({ "name": text }));
    }
    let role = format!("role:{}", tenant.masking_role);
    Act::aside("roleUpdate", json!({ "id": role, "description": text }))
}

impl Ground<'_> {
    fn create(&self, dice: &mut fastrand::Rng, kind: Kind) -> Act {
        let id = mint(dice);
        let mark = mark(dice);
        let mut input = self.fields(dice, kind);
        input["id"] = json!(kind.id(id));
        input[kind.mark_field()] = json!(mark);
        match kind {
            Kind::Contact | Kind::Lead => input["firstName"] = json!("Kim"),
            Kind::Activity => input["kind"] = json!("CALL"),
            Kind::Opportunity => input["stageId"] = self.stage(dice),
            Kind::Company => {}
        }
        Act {
            mutation: named(kind, "Create"),
            of: Some((kind, id)),
            expected: None,
            mark: Some(mark),
            input,
        }
    }

    fn change(&self, dice: &mut fastrand::Rng, known: Known) -> Act {
        let kind = known.kind;
        let verb = match dice.u8(..100) {
            0..7 => "Archive",
            7..14 => "Restore",
            14..18 => "Delete",
            _ if known.is_archived && dice.bool() => "Restore",
            _ if kind == Kind::Opportunity && dice.u8(..100) < 65 => {
                return self.advance(dice, known);
            }
            _ if kind == Kind::Activity && dice.u8(..4) == 0 => "Complete",
            _ => "Update",
        };
        let mut input = json!({});
        let mut text = None;
        if verb == "Update" {
            input = self.fields(dice, kind);
            let mark = mark(dice);
            input[kind.mark_field()] = json!(mark);
            text = Some(mark);
        }
        // An update leaves a text that nothing else leaves, so it may do without the version.
        let is_careful = verb != "Update" || dice.u8(..4) > 0;
        act(named(kind, verb), known, text, input, is_careful)
    }

    /// What is done with deals alone.
    fn advance(&self, dice: &mut fastrand::Rng, known: Known) -> Act {
        let next =
            || json!({ "at": "2031-05-01T09:00:00Z", "kind": "CALL", "details": "Ask again" });
        let other = self
            .book
            .pick(dice, Kind::Opportunity)
            .map_or(known.id, |other| other.id);
        let other = json!(Kind::Opportunity.id(other));
        let (mutation, input) = match dice.u8(..16) {
            0..5 => (
                "opportunityMoveStage",
                json!({ "stageId": self.stage(dice) }),
            ),
            5 => ("opportunityWin", json!({})),
            6 => ("opportunityLose", json!({ "reason": "price" })),
            7 | 8 => ("opportunityReopen", json!({})),
            9 => ("opportunityReorder", json!({ "afterId": other })),
            10 => ("opportunityReorder", json!({ "beforeId": other })),
            11 => ("opportunitySetNextAction", json!({ "nextAction": next() })),
            12 => {
                let next = if dice.bool() { next() } else { Json::Null };
                let input = json!({ "outcome": "Done", "next": next });
                (super::acts::COMPLETE, input)
            }
            13 => ("opportunitySetNextAction", json!({ "nextAction": null })),
            _ => {
                let person = dice.usize(..self.tenant.people.len());
                let with = json!([{ "userId": self.person(person), "role": "helper" }]);
                let with = if dice.u8(..3) == 0 { json!([]) } else { with };
                (
                    "opportunitySetCollaborators",
                    json!({ "collaborators": with }),
                )
            }
        };
        act(mutation, known, None, input, true)
    }
}
fn act(
    mutation: &'static str,
    known: Known,
    mark: Option<String>,
    mut input: Json,
    is_careful: bool,
) -> Act {
    // One whose version is not known is met as if it were at its first: a conflict says what it is at.
    let expected = is_careful.then(|| known.version.unwrap_or(1));
    input["id"] = json!(known.kind.id(known.id));
    if let Some(expected) = expected {
        input["expectedVersion"] = json!(expected);
    }
    Act {
        mutation,
        of: Some((known.kind, known.id)),
        expected,
        mark,
        input,
    }
}

/// A text that no other write leaves; a third of them begin with the letter that a filter asks for.
fn mark(dice: &mut fastrand::Rng) -> String {
    let letter = ["a", "b", "c"][dice.usize(..3)];
    format!("{letter} {:016x}", dice.u64(..))
}
