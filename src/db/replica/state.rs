//! What is known of a replica: how far the primary was at some instants, and how far the replica has come. Pure.
//!
//! The primary's position in its write-ahead log is noted twice a second together with the instant before it was asked.
//! A replica that has replayed up to there shows all that was committed before that instant. The time of the last
//! transaction that it has replayed would not do: on a primary that rests it says nothing.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// Positions that are remembered while the replica has not come as far: five minutes of them.
const MOST_BEATS: usize = 600;
/// A replica that is further behind is degraded.
const LAGGING: Duration = Duration::from_secs(30);

/// Which history positions in a write-ahead log belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::FromRow)]
pub(super) struct History {
    /// The cluster that was once made by `initdb`.
    pub(super) system: i64,
    /// The timeline, which is another one after each promotion.
    pub(super) timeline: i32,
}

/// How far the primary was at an instant.
#[derive(Debug, Clone, Copy)]
pub(super) struct Beat {
    /// Before it was asked.
    pub(super) at: Instant,
    pub(super) lsn: i64,
    pub(super) history: History,
}

/// How the replica was found.
#[derive(Debug, Clone, Copy)]
pub(super) struct Look {
    pub(super) is_standby: bool,
    /// Whether policies bind its login.
    pub(super) is_bound: bool,
    /// How far it has replayed.
    pub(super) lsn: i64,
    pub(super) history: History,
}

/// Why a replica is not read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Out {
    /// It has not been looked at yet.
    Unknown,
    /// It does not answer, or does not let the login in.
    Away,
    /// It follows nobody: it was promoted, or is a primary.
    NoStandby,
    /// It is of another cluster or timeline than the primary.
    OtherHistory,
    /// Its login could bypass row-level security.
    Unbound,
}

/// How a replica is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplicaState {
    /// Reads may go there.
    InUse,
    /// It is more than 30 seconds behind the primary.
    Lagging,
    /// No reads go there.
    Out(Out),
}

/// Why a read that might have been done on the replica is done on the primary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fallback {
    /// The replica is out.
    Out,
    /// It is further behind than the caller allows.
    Lagging,
    /// It has not come as far as the caller has seen.
    Position,
    /// All its connections are taken.
    Busy,
    /// It stopped answering, or cut the connection.
    Lost,
    /// It cancelled the statement, which was in the way of what is to be replayed.
    Conflict,
    /// It gave up on a statement that ran for too long.
    Timeout,
}

impl Fallback {
    /// As metrics and answers call it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Out => "out",
            Self::Lagging => "lagging",
            Self::Position => "position",
            Self::Busy => "busy",
            Self::Lost => "lost",
            Self::Conflict => "conflict",
            Self::Timeout => "timeout",
        }
    }
}

/// What a snapshot of the replica has to show: everything up to this position, which was the primary's then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) at: Instant,
    pub(super) lsn: i64,
}

/// What is known of a replica.
#[derive(Debug)]
pub(super) struct State {
    beats: VecDeque<Beat>,
    /// The last look, or why there is none.
    look: Result<Look, Out>,
    /// Whether a read has found it lost since the last look.
    is_suspect: bool,
    began: Instant,
}

impl State {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            beats: VecDeque::new(),
            look: Err(Out::Unknown),
            is_suspect: false,
            began: now,
        }
    }

    /// Notes how far the primary is.
    pub(super) fn beat(&mut self, beat: Beat) {
        // Positions of different histories can't be compared.
        if self
            .beats
            .back()
            .is_some_and(|last| last.history != beat.history)
        {
            self.beats.clear();
        }
        if self.beats.len() >= MOST_BEATS {
            self.beats.pop_front();
        }
        self.beats.push_back(beat);
    }

    /// Notes how the replica is.
    pub(super) fn look(&mut self, look: Result<Look, Out>) {
        self.look = look;
        self.is_suspect = false;
        if let Ok(look) = look {
            // Of those that it has reached only the last one says anything.
            while self.beats.get(1).is_some_and(|next| next.lsn <= look.lsn) {
                self.beats.pop_front();
            }
        }
    }

    /// Sends no reads to it until it is looked at again.
    pub(super) fn suspect(&mut self) {
        self.is_suspect = true;
    }

    /// Why it is not read from at all.
    pub(super) fn out(&self) -> Option<Out> {
        let look = match &self.look {
            Err(out) => return Some(*out),
            Ok(look) => look,
        };
        let is_of_another = |last: &Beat| last.history != look.history;
        match () {
            () if !look.is_bound => Some(Out::Unbound),
            () if !look.is_standby => Some(Out::NoStandby),
            () if self.beats.back().is_none() => Some(Out::Unknown),
            () if self.beats.back().is_some_and(is_of_another) => Some(Out::OtherHistory),
            () => None,
        }
    }

    /// What a snapshot has to show that is at most so old.
    pub(super) fn choose(&self, now: Instant, age: Duration) -> Result<Mark, Fallback> {
        if self.is_suspect || self.out().is_some() {
            return Err(Fallback::Out);
        }
        let reached = self.reached().ok_or(Fallback::Lagging)?;
        if now.saturating_duration_since(reached.at) > age {
            return Err(Fallback::Lagging);
        }
        Ok(Mark {
            at: reached.at,
            lsn: reached.lsn,
        })
    }

    /// The last of the primary's positions that it has reached.
    fn reached(&self) -> Option<&Beat> {
        let look = self.look.as_ref().ok()?;
        self.beats.iter().rev().find(|beat| beat.lsn <= look.lsn)
    }

    /// How long ago the primary was where the replica is; at least so long, if that is not known.
    pub(super) fn lag(&self, now: Instant) -> Duration {
        let since = match (self.reached(), self.beats.front()) {
            (Some(reached), _) => reached.at,
            (None, Some(oldest)) => oldest.at,
            (None, None) => self.began,
        };
        now.saturating_duration_since(since)
    }

    /// How it is, in a word.
    pub(super) fn standing(&self, now: Instant) -> ReplicaState {
        match self.out() {
            Some(out) => ReplicaState::Out(out),
            None if self.lag(now) > LAGGING => ReplicaState::Lagging,
            None => ReplicaState::InUse,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HISTORY: History = History {
        system: 7,
        timeline: 1,
    };

    fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    fn beat(at: Instant, lsn: i64) -> Beat {
        Beat {
            at,
            lsn,
            history: HISTORY,
        }
    }

    fn look(lsn: i64) -> Look {
        Look {
            is_standby: true,
            is_bound: true,
            lsn,
            history: HISTORY,
        }
    }

    #[test]
    fn a_snapshot_is_as_old_as_the_last_position_that_was_reached() {
        let start = Instant::now();
        let mut state = State::new(start);
        state.beat(beat(start, 10));
        state.beat(beat(start + seconds(1), 20));
        state.beat(beat(start + seconds(2), 30));
        state.look(Ok(look(25)));
        let now = start + seconds(3);
        let mark = Mark {
            at: start + seconds(1),
            lsn: 20,
        };
        assert_eq!(state.choose(now, seconds(2)), Ok(mark));
        assert_eq!(state.choose(now, seconds(1)), Err(Fallback::Lagging));
        assert_eq!(state.lag(now), seconds(2));
        // A primary that rests stays where it is, and its replica is as new as it.
        state.beat(beat(start + seconds(90), 25));
        state.look(Ok(look(25)));
        assert_eq!(state.lag(start + seconds(90)), Duration::ZERO);
    }

    #[test]
    fn nothing_is_said_of_a_replica_that_has_reached_nothing() {
        let start = Instant::now();
        let mut state = State::new(start);
        state.look(Ok(look(5)));
        assert_eq!(state.out(), Some(Out::Unknown));
        state.beat(beat(start, 10));
        assert_eq!(state.choose(start, seconds(60)), Err(Fallback::Lagging));
        assert_eq!(state.lag(start + seconds(31)), seconds(31));
        assert_eq!(state.standing(start + seconds(31)), ReplicaState::Lagging);
    }

    #[test]
    fn one_that_was_lost_is_out_until_it_is_looked_at() {
        let start = Instant::now();
        let mut state = State::new(start);
        state.beat(beat(start, 10));
        state.look(Ok(look(10)));
        assert!(state.choose(start, seconds(1)).is_ok());
        state.suspect();
        assert_eq!(state.choose(start, seconds(1)), Err(Fallback::Out));
        state.look(Ok(look(10)));
        assert!(state.choose(start, seconds(1)).is_ok());
        state.look(Err(Out::Away));
        assert_eq!(state.choose(start, seconds(1)), Err(Fallback::Out));
    }

    #[test]
    fn what_is_no_replica_of_this_primary_is_never_read_from() {
        let start = Instant::now();
        let other = History {
            timeline: 2,
            ..HISTORY
        };
        for (look, out) in [
            (
                Look {
                    is_standby: false,
                    ..look(10)
                },
                Out::NoStandby,
            ),
            (
                Look {
                    is_bound: false,
                    ..look(10)
                },
                Out::Unbound,
            ),
            (
                Look {
                    history: other,
                    ..look(10)
                },
                Out::OtherHistory,
            ),
        ] {
            let mut state = State::new(start);
            state.beat(beat(start, 10));
            state.look(Ok(look));
            assert_eq!(state.standing(start), ReplicaState::Out(out));
            assert_eq!(state.choose(start, seconds(1)), Err(Fallback::Out));
        }
    }

    #[test]
    fn positions_of_before_a_promotion_of_the_primary_are_forgotten() {
        let start = Instant::now();
        let mut state = State::new(start);
        state.beat(beat(start, 10));
        let history = History {
            timeline: 2,
            ..HISTORY
        };
        let after = Beat {
            history,
            ..beat(start, 30)
        };
        state.beat(after);
        state.look(Ok(Look {
            history,
            ..look(20)
        }));
        assert_eq!(state.choose(start, seconds(1)), Err(Fallback::Lagging));
    }

    #[test]
    fn every_reason_is_counted_from_the_first_on() {
        use crate::platform::telemetry::metrics::REASONS;
        let all = [
            Fallback::Out,
            Fallback::Lagging,
            Fallback::Position,
            Fallback::Busy,
            Fallback::Lost,
            Fallback::Conflict,
            Fallback::Timeout,
        ];
        assert_eq!(all.map(Fallback::word), REASONS);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let start = Instant::now();
        let mut state = State::new(start);
        state.look(Ok(look(0)));
        for n in 1..2_000_u32 {
            state.beat(beat(start + seconds(n.into()), n.into()));
        }
        assert_eq!(state.beats.len(), MOST_BEATS);
        state.look(Ok(look(5_000)));
        assert_eq!(state.beats.len(), 1);
    }
}
