//! The checker has to find what it is there to find.

use serde_json::json;

use super::*;
use crate::soak::sight::{Scope, Sight};

const TENANT: Uuid = Uuid::from_u128(9);
const DEAL: Uuid = Uuid::from_u128(1);
const LEAD: Uuid = Uuid::from_u128(2);
const OWNER: Uuid = Uuid::from_u128(3);
const OTHER: Uuid = Uuid::from_u128(4);

fn event(seq: i64, (kind, id): (Kind, Uuid), version: i32, owners: (Option<Uuid>, Uuid)) -> Event {
    let seen_by = |owner: Uuid| format!("|u:{owner}|");
    Event {
        seq,
        kind: Some(kind),
        id,
        word: match owners.0 {
            None => "CREATED".to_owned(),
            Some(_) => "UPDATED".to_owned(),
        },
        version,
        row: json!({ "name": "x" }).as_object().unwrap().clone(),
        visible_before: owners.0.map(seen_by),
        visible_after: Some(seen_by(owners.1)),
        ..Event::default()
    }
}

fn arrival(seq: i64, word: &'static str, (kind, id): (Kind, Uuid), version: i32) -> Arrival {
    Arrival {
        id: format!("msg_{seq}"),
        digest: [u8::try_from(seq).unwrap(); 32],
        message: Message {
            tenant: Some(TENANT),
            of: format!("{}.{}", kind.word(), word.to_lowercase()),
            said: Received {
                seq,
                word,
                id: Some(id),
                version: Some(version),
                shown: Some(version),
            },
        },
        is_taken: true,
    }
}

fn entry(seq: i64, attempts: i64) -> Entry {
    Entry {
        id: format!("msg_{seq}"),
        status: "DELIVERED".to_owned(),
        attempts,
        noted: attempts,
        delivered: 1,
    }
}

/// A deal that is created, changed and handed over, and a lead meanwhile; the change failed once, and the lead came twice since
/// a server died.
struct World {
    events: Vec<Event>,
    arrivals: Vec<Arrival>,
    ledger: Vec<Entry>,
}

fn world() -> World {
    let (deal, lead) = ((Kind::Opportunity, DEAL), (Kind::Lead, LEAD));
    let refused = Arrival {
        is_taken: false,
        ..arrival(2, "UPDATED", deal, 2)
    };
    World {
        events: vec![
            event(1, deal, 1, (None, OWNER)),
            event(2, deal, 2, (Some(OWNER), OWNER)),
            event(3, lead, 1, (None, OWNER)),
            event(4, deal, 3, (Some(OWNER), OTHER)),
            event(5, deal, 4, (Some(OTHER), OTHER)),
        ],
        arrivals: vec![
            arrival(1, "CREATED", deal, 1),
            refused,
            // Of another record, so whenever it likes.
            arrival(3, "CREATED", lead, 1),
            arrival(3, "CREATED", lead, 1),
            arrival(2, "UPDATED", deal, 2),
            arrival(4, "LEFT_VIEW", deal, 3),
        ],
        ledger: vec![entry(1, 1), entry(2, 2), entry(3, 2), entry(4, 1)],
    }
}

impl World {
    fn judge(self) -> Vec<Violation> {
        let watch = |kind| Watch {
            name: "the endpoint".to_owned(),
            sight: Sight {
                user: OWNER,
                scope: Scope::Own,
            },
            kind,
            filter: None,
        };
        let watches = Kind::ALL.map(watch).to_vec();
        let mut deliveries = Deliveries::new(watches, TENANT, self.arrivals, self.ledger);
        for event in &self.events {
            deliveries.take(event);
        }
        deliveries.finish()
    }
}

fn finds(spoil: impl FnOnce(&mut World), what: &str) {
    let mut spoilt = world();
    spoil(&mut spoilt);
    let violations = spoilt.judge();
    let found = violations.iter().any(|violation| violation.contains(what));
    assert!(found, "{what}: {violations:#?}");
}

#[test]
fn what_arrives_in_order_and_now_and_then_again_is_none_to_complain_about() {
    assert_eq!(world().judge(), Vec::<Violation>::new());
    let World {
        arrivals, ledger, ..
    } = world();
    let deliveries = Deliveries::new(Vec::new(), TENANT, arrivals, ledger);
    assert_eq!(deliveries.repeated(), 2);
}

#[test]
fn what_did_not_arrive_is_found() {
    finds(
        |world| drop(world.arrivals.remove(0)),
        "did not get CREATED of event 1",
    );
    finds(
        |world| drop(world.arrivals.pop()),
        "did not get LEFT_VIEW of event 4",
    );
    finds(|world| drop(world.arrivals.remove(4)), "never took event 2");
    finds(
        |world| drop(world.arrivals.remove(4)),
        "it is noted to be taken, and was not",
    );
}

#[test]
fn what_was_not_to_arrive_is_found() {
    let theirs = |world: &mut World| {
        let deal = (Kind::Opportunity, DEAL);
        world.arrivals.push(arrival(5, "UPDATED", deal, 4));
    };
    finds(theirs, "not theirs to know");
    finds(theirs, "got msg_5, which is not noted");
    let unheard = |world: &mut World| {
        let deal = (Kind::Opportunity, DEAL);
        world.arrivals.push(arrival(6, "UPDATED", deal, 5));
    };
    finds(unheard, "which did not happen");
    finds(
        |world| world.arrivals[0].message.tenant = Some(OTHER),
        "of another tenant",
    );
}

#[test]
fn what_says_something_else_is_found() {
    let said = |world: &mut World, place: usize, change: fn(&mut Received)| {
        change(&mut world.arrivals[place].message.said);
    };
    finds(
        |world| said(world, 0, |said| said.word = "WON"),
        "with another word",
    );
    finds(
        |world| world.arrivals[0].message.of = "lead.created".to_owned(),
        "with another type",
    );
    finds(
        |world| said(world, 0, |said| said.id = Some(LEAD)),
        "with another record",
    );
    finds(
        |world| said(world, 0, |said| said.version = Some(2)),
        "with another version",
    );
    finds(
        |world| said(world, 4, |said| said.shown = Some(1)),
        "as it was before",
    );
}

#[test]
fn ids_and_bytes_that_change_are_found() {
    finds(
        |world| world.arrivals[4].id = "msg_7".to_owned(),
        "under another id than before",
    );
    finds(
        |world| world.arrivals[4].digest = [0; 32],
        "in other bytes than before",
    );
    finds(
        |world| world.arrivals[5].id = "msg_1".to_owned(),
        "under the id of event 1",
    );
}

#[test]
fn a_record_whose_events_come_in_another_order_is_found() {
    finds(
        |world| world.arrivals.swap(0, 1),
        "before it had taken event 1",
    );
    finds(
        |world| world.arrivals.swap(4, 5),
        "before it had taken event 2",
    );
}

#[test]
fn a_ledger_that_is_wrong_is_found() {
    finds(
        |world| world.ledger[0].noted = 2,
        "not each attempt is noted",
    );
    finds(
        |world| world.ledger[0].delivered = 2,
        "it is not noted once that it was taken",
    );
    finds(
        |world| world.ledger[0].status = "PENDING".to_owned(),
        "it is not delivered",
    );
    finds(
        |world| world.ledger[2] = entry(3, 1),
        "more often than it was sent",
    );
    finds(
        |world| drop(world.ledger.remove(1)),
        "got msg_2, which is not noted",
    );
    finds(
        |world| world.ledger.push(entry(8, 1)),
        "it is noted to be taken, and was not",
    );
}
