//! Equal attempts within a minute are one: a caller who tries the same a thousand times fills neither the log nor the
//! counter's row.
//!
//! The first of its kind is let through at once; what follows is counted, and the count is told when the minute is
//! over. Beyond a number of kinds per tenant and minute only the actions are counted.

use std::{
    collections::HashMap,
    net::IpAddr,
    time::{Duration, Instant},
};

use uuid::Uuid;

use super::recorder::{Note, Whom};

/// What an unauthenticated caller can cause without limit. All else was done by an authorized caller, and is
/// written each time: or a flood of attempts would hide who changed a password meanwhile.
const ATTEMPTS: [&str; 5] = [
    "access.foreign_id",
    "access.refused",
    "password.reset_requested",
    "second_factor.refused",
    "session.refused",
];
/// How long equal notes are one.
pub(super) const WINDOW: Duration = Duration::from_secs(60);
/// So many different notes of an action are let through for a tenant (or a person's tenants) in one window. Of each
/// action so many: those who are outside must not be able to hide what happens inside.
const KINDS: usize = 120;
/// So many different notes are remembered at all; beyond them they are counted by action only.
const REMEMBERED: usize = 20_000;

/// What makes two notes equal. Without an actor it stands for everything beyond the bounds with this action.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Kind {
    whom: Whom,
    action: String,
    particular: Option<Particular>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Particular {
    actor: String,
    entity_id: Option<Uuid>,
    address: Option<IpAddr>,
}

/// What followed the first of a kind.
#[derive(Debug)]
struct Window {
    ends: Instant,
    repeated: u64,
    last: Option<Note>,
}

/// Notes that came in lately.
#[derive(Debug, Default)]
pub(super) struct Folding {
    windows: HashMap<Kind, Window>,
    let_through: HashMap<(Whom, String), (Instant, usize)>,
}

impl Folding {
    /// The note again if it is to be written now, nothing if it was only counted.
    pub(super) fn take(&mut self, note: Note, now: Instant) -> Option<Note> {
        if !ATTEMPTS.contains(&note.entry.action.as_str()) {
            return Some(note);
        }
        let kind = Kind {
            whom: note.whom,
            action: note.entry.action.clone(),
            particular: Some(Particular {
                actor: note.entry.actor.clone(),
                entity_id: note.entry.entity_id,
                address: note.origin.address,
            }),
        };
        if let Some(window) = self.windows.get_mut(&kind) {
            window.count(note);
            return None;
        }
        if self.windows.len() < REMEMBERED && self.may_pass(&note, now) {
            self.windows.insert(kind, Window::begin(now));
            return Some(note);
        }
        let rest = Kind {
            particular: None,
            ..kind
        };
        // One window more per tenant and action: both are few, and neither is chosen by the flooding caller.
        let window = self
            .windows
            .entry(rest)
            .or_insert_with(|| Window::begin(now));
        window.count(note);
        None
    }

    /// The counts of the windows that are over.
    pub(super) fn ended(&mut self, now: Instant) -> Vec<Note> {
        self.let_through.retain(|_, (ends, _)| *ends > now);
        let over = self.windows.extract_if(|_, window| window.ends <= now);
        over.filter_map(|(kind, window)| window.told(&kind))
            .collect()
    }

    /// All counts, for the end.
    pub(super) fn rest(&mut self) -> Vec<Note> {
        let all = self.windows.drain();
        all.filter_map(|(kind, window)| window.told(&kind))
            .collect()
    }

    fn may_pass(&mut self, note: &Note, now: Instant) -> bool {
        let of_action = (note.whom, note.entry.action.clone());
        let of_action = self.let_through.entry(of_action);
        let (ends, passed) = of_action.or_insert((now + WINDOW, 0));
        if *ends <= now {
            (*ends, *passed) = (now + WINDOW, 0);
        }
        *passed += 1;
        *passed <= KINDS
    }
}

impl Window {
    fn begin(now: Instant) -> Self {
        Self {
            ends: now + WINDOW,
            repeated: 0,
            last: None,
        }
    }

    fn count(&mut self, note: Note) {
        self.repeated += 1;
        self.last = Some(note);
    }

    /// The last note with how many there were like it; of those beyond the bounds nothing particular is said.
    fn told(self, kind: &Kind) -> Option<Note> {
        let mut note = self.last?;
        if kind.particular.is_none() {
            note.entry = super::Entry::new("system:audit", note.entry.action);
            note.origin = super::Origin::process("audit");
        }
        note.entry = note.entry.noting("repeated", self.repeated);
        Some(note)
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv6Addr;

    use chrono::DateTime;

    use super::*;
    use crate::{
        base::ids::TenantId,
        db::journal::{Entry, Origin},
    };

    fn note(tenant: TenantId, address: u128) -> Note {
        Note {
            whom: Whom::Tenant(tenant),
            entry: Entry::new("anonymous", "session.refused"),
            origin: Origin {
                address: Some(Ipv6Addr::from_bits(address).into()),
                ..Origin::process("r")
            },
            at: DateTime::UNIX_EPOCH,
        }
    }

    fn repeated(note: &Note) -> u64 {
        note.entry.changes.0["repeated"][1]
            .as_u64()
            .expect("a count")
    }

    #[test]
    fn equal_notes_are_written_once_and_counted() {
        let (tenant, now) = (TenantId::new(), Instant::now());
        let mut folding = Folding::default();
        assert!(folding.take(note(tenant, 1), now).is_some());
        for _ in 0..1_000 {
            assert!(folding.take(note(tenant, 1), now).is_none());
        }
        assert!(folding.take(note(tenant, 2), now).is_some());
        assert!(folding.ended(now + WINDOW / 2).is_empty());
        let told = folding.ended(now + WINDOW);
        assert_eq!(told.iter().map(repeated).collect::<Vec<_>>(), [1_000]);
        assert!(folding.take(note(tenant, 1), now + WINDOW).is_some());
    }

    #[test]
    fn a_flood_from_many_addresses_is_bounded_for_its_tenant_alone() {
        let (tenant, other, now) = (TenantId::new(), TenantId::new(), Instant::now());
        let mut folding = Folding::default();
        let flood = (0..5_000).map(|address| note(tenant, address));
        let written = flood.filter_map(|note| folding.take(note, now)).count();
        assert_eq!(written, KINDS);
        assert!(folding.take(note(other, 1), now).is_some());
        let done = || Note {
            entry: Entry::new("user:1", "password.changed"),
            ..note(tenant, 1)
        };
        for _ in 0..2 {
            let written = folding.take(done(), now);
            assert!(written.is_some(), "what was done is hidden by the flood");
        }
        let foreign = Note {
            entry: Entry::new("outside", "access.foreign_id"),
            ..note(tenant, 1)
        };
        let written = folding.take(foreign, now);
        assert!(written.is_some(), "another attempt is hidden by the flood");
        let told = folding.rest();
        assert_eq!(told.len(), 1);
        assert_eq!(repeated(&told[0]), 5_000 - KINDS as u64);
        assert_eq!(told[0].origin.address, None);
        assert_eq!(told[0].entry.actor, "system:audit");
    }
}
