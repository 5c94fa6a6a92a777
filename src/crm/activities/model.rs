//! What an activity is, and the rules of its status and times.

use async_graphql::Enum;
use chrono::{DateTime, Utc};
use dealgraph_derive::{Columns, SchemaFields};
use serde::Serialize;

use super::{
    Target,
    target::{Link, who_sees},
};
use crate::{
    base::{
        error::{Error, Result},
        ids::ActivityId,
        text::Text,
        times,
    },
    entity::{Ownership, Stamps},
    graphql::projection::enum_columns,
};

/// Something that was done or is planned.
#[derive(Debug, Clone, sqlx::FromRow, Columns)]
#[computed(targets_visible_to = who_sees(&self.links))]
pub struct Activity {
    #[sqlx(rename = "activity_id")]
    #[column(once)]
    pub(super) id: ActivityId,
    #[sqlx(flatten)]
    pub(super) fields: ActivityFields,
    pub(super) occurred_at: DateTime<Utc>,
    #[column(read)]
    pub(super) visible_to: String,
    #[sqlx(flatten)]
    pub(super) stamps: Stamps,
    /// What it is about, while it is written; rows of their own.
    #[sqlx(skip)]
    pub(super) links: Vec<Link>,
}

/// What can be written of an activity.
#[derive(Debug, Clone, Default, PartialEq, Serialize, sqlx::FromRow, Columns, SchemaFields)]
#[told(target_ids)]
pub struct ActivityFields {
    /// What kind of thing it is.
    pub kind: ActivityKind,
    /// What it is about, in a line.
    pub subject: String,
    /// Its text: what was said or written, or what is to be done.
    #[column(long)]
    pub body: Option<String>,
    /// Who got in touch with whom.
    pub direction: Option<ActivityDirection>,
    /// How it stands.
    pub status: ActivityStatus,
    /// Until when it is to be done.
    pub due_at: Option<DateTime<Utc>>,
    /// When it starts.
    pub start_at: Option<DateTime<Utc>>,
    /// When it ends.
    pub end_at: Option<DateTime<Utc>>,
    /// When it was done; empty until it is.
    pub done_at: Option<DateTime<Utc>>,
    /// What came of it.
    #[column(long)]
    pub outcome: Option<String>,
    /// Who does it or did it.
    #[sqlx(flatten)]
    #[serde(flatten)]
    pub ownership: Ownership,
}

/// An activity that is to be created.
#[derive(Debug, Clone)]
pub struct NewActivity {
    /// The client's own id, or a minted one.
    pub id: ActivityId,
    /// What is known of it.
    pub fields: ActivityFields,
    /// What it is about, at most [`super::MAX_TARGETS`].
    pub targets: Vec<Target>,
    /// When it came about, if not now.
    pub created_at: Option<DateTime<Utc>>,
}

/// Kinds of activities.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Enum, Serialize, sqlx::Type)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[sqlx(type_name = "text", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ActivityKind {
    /// A phone call.
    Call,
    /// An e-mail.
    Email,
    /// A text message.
    Sms,
    /// A meeting, in a room or online.
    Meeting,
    /// Something written down.
    Note,
    /// Something to do.
    #[default]
    Task,
}

enum_columns!(ActivityKind, ActivityStatus, ActivityDirection);

impl ActivityKind {
    /// Whether doing it means to have been in touch with the contacts it is about.
    #[must_use]
    pub fn reaches_people(self) -> bool {
        matches!(self, Self::Call | Self::Email | Self::Sms | Self::Meeting)
    }
}

/// How an activity stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Enum, Serialize, sqlx::Type)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[sqlx(type_name = "text", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ActivityStatus {
    /// Still to be done.
    #[default]
    Planned,
    /// Done.
    Done,
    /// Called off.
    Canceled,
}

/// From whom an activity came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, Serialize, sqlx::Type)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[sqlx(type_name = "text", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ActivityDirection {
    /// The other side got in touch.
    Inbound,
    /// We got in touch.
    Outbound,
}

impl ActivityFields {
    /// Cleans and bounds all fields, and keeps `done_at` in step with the status: what is done was done now unless
    /// it is said when, and what is no longer done loses the time. `before` is what it was before a change.
    ///
    /// # Errors
    /// `BLANK`, `TOO_LONG`, `INVALID_TEXT`, `OUT_OF_RANGE`, `INVALID_STATUS`, with the field.
    pub fn check(&mut self, before: Option<&Self>, now: DateTime<Utc>) -> Result<()> {
        Text::line("subject").required(&mut self.subject)?;
        Text::long("body").optional(&mut self.body)?;
        Text::long("outcome").optional(&mut self.outcome)?;
        let times = [
            ("dueAt", self.due_at),
            ("startAt", self.start_at),
            ("endAt", self.end_at),
            ("doneAt", self.done_at),
        ];
        for (field, time) in times {
            if let Some(time) = time {
                times::check_time(field, time)?;
            }
        }
        if self
            .start_at
            .zip(self.end_at)
            .is_some_and(|(start, end)| end < start)
        {
            return Err(Error::invalid(
                "OUT_OF_RANGE",
                "endAt",
                "expected an end that is not before the start",
            ));
        }
        self.settle_done_at(before, now)
    }

    fn settle_done_at(&mut self, before: Option<&Self>, now: DateTime<Utc>) -> Result<()> {
        match (self.status, self.done_at) {
            (ActivityStatus::Done, None) => self.done_at = Some(now),
            (ActivityStatus::Planned | ActivityStatus::Canceled, Some(_)) => {
                if before.is_none_or(|before| before.done_at != self.done_at) {
                    let message =
                        "only an activity with the status DONE has a time when it was done";
                    return Err(Error::invalid("INVALID_STATUS", "doneAt", message));
                }
                self.done_at = None;
            }
            _ => {}
        }
        Ok(())
    }

    /// The status of a new activity that comes without one: a note, and what says when it was done, is done.
    #[must_use]
    pub fn usual_status(&self) -> ActivityStatus {
        match self.kind == ActivityKind::Note || self.done_at.is_some() {
            true => ActivityStatus::Done,
            false => ActivityStatus::Planned,
        }
    }

    /// Makes it done, with an outcome or the one it has. Doing it twice changes nothing.
    ///
    /// # Errors
    /// `INVALID_STATUS` when it is canceled, or done already with another outcome.
    pub fn complete(&mut self, outcome: Option<String>) -> Result<()> {
        match self.status {
            ActivityStatus::Canceled => {
                let message =
                    "a canceled activity can't be completed, set it back to PLANNED first";
                return Err(Error::invalid("INVALID_STATUS", "id", message));
            }
            ActivityStatus::Done if outcome.is_some() && outcome != self.outcome => {
                let message = "this activity is done already, change its outcome by an update";
                return Err(Error::invalid("INVALID_STATUS", "outcome", message));
            }
            ActivityStatus::Done => {}
            ActivityStatus::Planned => {
                self.status = ActivityStatus::Done;
                self.outcome = outcome.or(self.outcome.take());
            }
        }
        Ok(())
    }

    /// When it happened or is to happen: what timelines are sorted by.
    #[must_use]
    pub fn occurred_at(&self, created_at: DateTime<Utc>) -> DateTime<Utc> {
        self.done_at
            .or(self.start_at)
            .or(self.due_at)
            .unwrap_or(created_at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hour: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_700_000_000 + hour * 3600, 0).expect("a sound time")
    }

    fn call(status: ActivityStatus) -> ActivityFields {
        ActivityFields {
            kind: ActivityKind::Call,
            subject: "Call Ada".to_owned(),
            status,
            ..Default::default()
        }
    }

    fn refusal(result: Result<()>) -> (&'static str, String) {
        let error = result.expect_err("refused");
        (error.code(), error.field().unwrap_or_default().to_owned())
    }

    #[test]
    fn what_is_done_was_done_now_unless_it_says_when() {
        let mut done = call(ActivityStatus::Done);
        done.check(None, at(5)).expect("sound");
        assert_eq!(done.done_at, Some(at(5)));

        let mut earlier = ActivityFields {
            done_at: Some(at(1)),
            ..call(ActivityStatus::Done)
        };
        earlier.check(None, at(5)).expect("sound");
        assert_eq!(earlier.done_at, Some(at(1)));
    }

    #[test]
    fn what_is_not_done_has_no_time_when_it_was() {
        let mut planned = ActivityFields {
            done_at: Some(at(1)),
            ..call(ActivityStatus::Planned)
        };
        assert_eq!(
            refusal(planned.check(None, at(5))),
            ("INVALID_STATUS", "doneAt".to_owned())
        );

        let done = ActivityFields {
            done_at: Some(at(1)),
            ..call(ActivityStatus::Done)
        };
        let mut undone = ActivityFields {
            status: ActivityStatus::Planned,
            ..done.clone()
        };
        undone
            .check(Some(&done), at(5))
            .expect("a done activity may be planned again");
        assert_eq!(undone.done_at, None);
    }

    #[test]
    fn a_canceled_activity_is_planned_again_before_it_is_completed() {
        let canceled = call(ActivityStatus::Canceled);
        assert_eq!(
            refusal(canceled.clone().complete(None)),
            ("INVALID_STATUS", "id".to_owned())
        );

        let mut planned = ActivityFields {
            status: ActivityStatus::Planned,
            ..canceled.clone()
        };
        planned.check(Some(&canceled), at(5)).expect("sound");
        planned
            .complete(Some("left a message".to_owned()))
            .expect("planned");
        planned.check(Some(&canceled), at(6)).expect("sound");
        assert_eq!(
            (planned.status, planned.done_at),
            (ActivityStatus::Done, Some(at(6)))
        );
    }

    #[test]
    fn completing_twice_changes_nothing_and_overwrites_no_outcome() {
        let mut done = ActivityFields {
            outcome: Some("agreed".to_owned()),
            ..call(ActivityStatus::Done)
        };
        let before = done.clone();
        done.complete(None).expect("done already");
        done.complete(Some("agreed".to_owned()))
            .expect("the same outcome");
        assert_eq!(done, before);
        assert_eq!(
            refusal(done.complete(Some("refused".to_owned()))),
            ("INVALID_STATUS", "outcome".to_owned())
        );
    }

    #[test]
    fn an_activity_does_not_end_before_it_starts() {
        let mut meeting = ActivityFields {
            start_at: Some(at(2)),
            end_at: Some(at(1)),
            ..call(ActivityStatus::Planned)
        };
        assert_eq!(
            refusal(meeting.check(None, at(5))),
            ("OUT_OF_RANGE", "endAt".to_owned())
        );
        meeting.end_at = meeting.start_at;
        meeting.check(None, at(5)).expect("sound");
    }

    #[test]
    fn times_beyond_what_the_database_keeps_are_refused() {
        let mut far = ActivityFields {
            due_at: Some(DateTime::<Utc>::MAX_UTC),
            ..call(ActivityStatus::Planned)
        };
        assert_eq!(
            refusal(far.check(None, at(5))),
            ("OUT_OF_RANGE", "dueAt".to_owned())
        );
    }

    #[test]
    fn it_occurs_when_done_else_when_it_starts_else_when_due_else_when_created() {
        let mut fields = call(ActivityStatus::Planned);
        assert_eq!(fields.occurred_at(at(0)), at(0));
        fields.due_at = Some(at(1));
        assert_eq!(fields.occurred_at(at(0)), at(1));
        fields.start_at = Some(at(2));
        assert_eq!(fields.occurred_at(at(0)), at(2));
        fields.done_at = Some(at(3));
        assert_eq!(fields.occurred_at(at(0)), at(3));
    }

    #[test]
    fn a_note_is_done_by_being_written() {
        assert_eq!(
            call(ActivityStatus::Planned).usual_status(),
            ActivityStatus::Planned
        );
        let note = ActivityFields {
            kind: ActivityKind::Note,
            ..call(ActivityStatus::Planned)
        };
        assert_eq!(note.usual_status(), ActivityStatus::Done);
    }
}
