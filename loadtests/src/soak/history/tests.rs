//! The checker has to find what it is there to find.

use serde_json::json;

use super::*;
use crate::soak::{
    kind::SYNCED,
    sight::{Filter, Scope, Sight, Watch},
};

const DEAL: Uuid = Uuid::from_u128(1);
const OWNER: Uuid = Uuid::from_u128(2);
const OTHER: Uuid = Uuid::from_u128(3);

fn seen_by(owner: Uuid) -> Option<String> {
    Some(format!("|u:{owner}|"))
}

fn row(name: &str) -> Row {
    let Json::Object(row) = json!({ "name": name, "archived_at": null }) else {
        return Row::new();
    };
    row
}

fn event(seq: i64, word: &str, version: i32, name: &str, was: Option<&str>) -> Event {
    Event {
        seq,
        kind: Some(Kind::Opportunity),
        id: DEAL,
        word: word.to_owned(),
        version,
        changed: was.map(|_| "name".to_owned()).into_iter().collect(),
        before: was.map(row),
        row: row(name),
        visible_before: was.and(seen_by(OWNER)),
        visible_after: seen_by(OWNER),
        request: format!("r{seq}"),
    }
}

fn write(seq: i64, act: &'static str, expected: Option<i32>, mark: &str, ending: Ending) -> Write {
    Write {
        request: format!("r{seq}"),
        act,
        of: Some((Kind::Opportunity, DEAL)),
        expected,
        mark: Some(mark.to_owned()),
        ending,
        at: Default::default(),
    }
}

/// A deal that is created, renamed twice and handed over.
struct World {
    events: Vec<Event>,
    writes: Vec<Write>,
    received: Vec<Received>,
    filter: Option<Filter>,
    stored: Vec<Stored>,
}

fn world() -> World {
    let mut handed_over = event(4, "UPDATED", 4, "d", Some("c"));
    handed_over.visible_after = seen_by(OTHER);
    let events = vec![
        event(1, "CREATED", 1, "a", None),
        event(2, "UPDATED", 2, "b", Some("a")),
        event(3, "UPDATED", 3, "c", Some("b")),
        handed_over,
    ];
    let update = "opportunityUpdate";
    World {
        writes: vec![
            write(1, "opportunityCreate", None, "a", Ending::Done(Some(1))),
            write(2, update, Some(1), "b", Ending::Done(Some(2))),
            write(3, update, None, "c", Ending::Unknown("cut off".to_owned())),
            write(4, update, Some(3), "d", Ending::Done(None)),
            write(
                5,
                update,
                Some(1),
                "e",
                Ending::Refused("CONFLICT".to_owned()),
            ),
        ],
        received: vec![
            received(1, "CREATED"),
            received(2, "UPDATED"),
            received(2, SYNCED),
            received(3, "UPDATED"),
            received(4, "LEFT_VIEW"),
        ],
        filter: None,
        stored: vec![Stored {
            kind: Kind::Opportunity,
            id: DEAL,
            version: 4,
            mark: "d".to_owned(),
            visible_to: seen_by(OTHER).unwrap(),
            is_archived: false,
        }],
        events,
    }
}

fn received(seq: i64, word: &'static str) -> Received {
    Received {
        seq,
        word,
        id: Some(DEAL),
        version: i32::try_from(seq).ok(),
        shown: None,
    }
}

impl World {
    fn judge(self) -> Vec<Violation> {
        let watch = Watch {
            name: "the owner".to_owned(),
            sight: Sight {
                user: OWNER,
                scope: Scope::Own,
            },
            kind: Kind::Opportunity,
            filter: self.filter,
        };
        let segment = Segment {
            start: 0,
            received: self.received,
        };
        let followed = vec![Followed::new(watch, vec![segment])];
        let mut history = History::new(self.writes, followed);
        for event in &self.events {
            history.take(event);
        }
        history.finish(4, self.stored)
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
fn a_history_in_order_is_none_to_complain_about() {
    assert_eq!(world().judge(), Vec::<Violation>::new());
    let mut narrow = world();
    narrow.filter = Some(Filter::StartsWith("name", "b"));
    narrow.received = vec![
        received(2, "ENTERED_VIEW"),
        received(3, "LEFT_VIEW"),
        received(4, SYNCED),
    ];
    assert_eq!(narrow.judge(), Vec::<Violation>::new());
}

#[test]
fn a_subscriber_who_missed_something_is_found() {
    finds(
        |world| world.received.retain(|message| message.seq != 2),
        "did not receive UPDATED of event 2",
    );
    finds(
        |world| world.received.retain(|message| message.seq != 1),
        "did not receive CREATED of event 1",
    );
    // Up to its last cursor only: what comes after that may be on its way.
    let mut behind = world();
    behind.received.truncate(3);
    assert_eq!(behind.judge(), Vec::<Violation>::new());
    finds(
        |world| *world.received.last_mut().unwrap() = received(4, SYNCED),
        "did not receive LEFT_VIEW of event 4",
    );
}

#[test]
fn a_subscriber_who_was_told_twice_or_in_another_order_is_found() {
    finds(
        |world| world.received.insert(1, received(1, "CREATED")),
        "received",
    );
    finds(|world| world.received.swap(0, 1), "after all up to 2");
    finds(
        |world| world.received.insert(0, received(2, SYNCED)),
        "after all up to 2",
    );
}

#[test]
fn a_subscriber_who_was_told_something_else_is_found() {
    finds(|world| world.received[1].word = "WON", "instead of UPDATED");
    finds(
        |world| world.received[4].word = "UPDATED",
        "instead of LEFT_VIEW",
    );
    finds(
        |world| world.received[1].version = Some(7),
        "with another version",
    );
    finds(|world| world.received[1].id = None, "with another record");
    finds(
        |world| world.received[1].shown = Some(1),
        "as it was before",
    );
    let not_theirs = |world: &mut World| world.events[3].visible_before = seen_by(OTHER);
    finds(not_theirs, "not theirs to know");
    finds(
        |world| world.received.push(received(9, "UPDATED")),
        "did not happen",
    );
}

#[test]
fn a_log_with_a_hole_is_found() {
    finds(|world| drop(world.events.remove(1)), "right after event 1");
    finds(|world| drop(world.events.pop()), "its counter is at 4");
}

#[test]
fn events_and_writes_that_do_not_belong_together_are_found() {
    finds(
        |world| drop(world.writes.remove(2)),
        "nobody asked for event 3",
    );
    finds(
        |world| world.writes[1].request = "r9".to_owned(),
        "has no event",
    );
    finds(
        |world| world.writes[1].ending = Ending::Refused("CONFLICT".to_owned()),
        "was refused with CONFLICT",
    );
    finds(
        |world| world.writes[1].mark = Some("x".to_owned()),
        "another text",
    );
    finds(
        |world| world.writes[1].ending = Ending::Done(Some(7)),
        "another version",
    );
    finds(
        |world| world.writes[1].ending = Ending::Rebuilt(Some(1)),
        "from before the write",
    );
    finds(
        |world| world.writes[1].ending = Ending::Lost,
        "of a record that is there",
    );
    finds(
        |world| world.events[2].request = "r2".to_owned(),
        "done twice",
    );
    finds(
        |world| world.events[3].request = "r2".to_owned(),
        "stands apart",
    );
}

#[test]
fn a_lost_update_is_found() {
    finds(|world| world.events[2].version = 2, "that left version 2");
    finds(
        |world| world.events[2].before = Some(row("a")),
        "an update is lost",
    );
    finds(
        |world| world.writes[3].expected = Some(2),
        "not made upon the version",
    );
    finds(
        |world| world.events[2].visible_before = seen_by(OTHER),
        "after which it was seen by",
    );
}

#[test]
fn what_is_stored_and_what_is_logged_have_to_be_the_same() {
    finds(|world| world.stored.clear(), "is not stored");
    finds(
        |world| world.stored[0].version = 3,
        "is stored, and event 4 left",
    );
    finds(
        |world| world.stored[0].mark = "c".to_owned(),
        "is stored, and event 4 left",
    );
    finds(
        |world| world.stored[0].is_archived = true,
        "is stored, and event 4 left",
    );
    finds(
        |world| world.stored[0].id = OTHER,
        "is stored without an event",
    );
    let deleted = |world: &mut World| world.events[3].visible_after = None;
    finds(deleted, "is stored after it was deleted");
}
