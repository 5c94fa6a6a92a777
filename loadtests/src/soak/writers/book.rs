//! What the writers of a tenant know of its records. It may be wrong: then the server says so.

use uuid::Uuid;

use crate::soak::kind::Kind;

/// So many records of a kind there are to be: few enough that writers meet.
const FEW: usize = 20;
const MANY: usize = 60;

#[derive(Debug, Clone, Copy)]
pub(crate) struct Known {
    pub(crate) kind: Kind,
    pub(crate) id: Uuid,
    /// None when it is not known since an answer was lost.
    pub(crate) version: Option<i32>,
    pub(crate) is_archived: bool,
}

#[derive(Default)]
pub(crate) struct Book(Vec<Known>);

/// Whether there are enough records of a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stock {
    Few,
    Enough,
    Many,
}

impl Book {
    pub(crate) fn stock(&self, kind: Kind) -> Stock {
        match self.of(kind).count() {
            0..FEW => Stock::Few,
            FEW..MANY => Stock::Enough,
            _ => Stock::Many,
        }
    }

    pub(crate) fn pick(&self, dice: &mut fastrand::Rng, kind: Kind) -> Option<Known> {
        let all: Vec<&Known> = self.of(kind).collect();
        dice.choice(all).copied()
    }

    pub(crate) fn learn(&mut self, kind: Kind, id: Uuid, version: Option<i32>, is_archived: bool) {
        let known = self
            .0
            .iter_mut()
            .find(|known| (known.kind, known.id) == (kind, id));
        match known {
            // Answers overtake each other.
            Some(known) if version.is_some() && known.version > version => {}
            Some(known) => (known.version, known.is_archived) = (version, is_archived),
            None => self.0.push(Known {
                kind,
                id,
                version,
                is_archived,
            }),
        }
    }

    pub(crate) fn doubt(&mut self, kind: Kind, id: Uuid) {
        if let Some(known) = self
            .0
            .iter_mut()
            .find(|known| (known.kind, known.id) == (kind, id))
        {
            known.version = None;
        }
    }

    pub(crate) fn forget(&mut self, kind: Kind, id: Uuid) {
        self.0.retain(|known| (known.kind, known.id) != (kind, id));
    }

    fn of(&self, kind: Kind) -> impl Iterator<Item = &Known> {
        self.0.iter().filter(move |known| known.kind == kind)
    }
}
