//! What a deal is, and the rules of how it moves. Pure: no database in sight.

use async_graphql::Enum;
use chrono::{DateTime, Datelike as _, NaiveDate, Utc};
use serde::Serialize;
use serde_json::{Value as Json, json};

use super::{board, people};
use crate::{
    activities::ActivityKind,
    error::{Error, Result},
    ids::{CompanyId, ContactId, OpportunityId, PipelineId, StageId, Typed as _, UserId},
    money::{MAX_MINOR, Money},
    pipelines::{Stage, StageKind},
    records::{self, Ownership, Stamps},
    text::{self, Text},
};

/// A deal.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Opportunity {
    #[sqlx(rename = "opportunity_id")]
    pub(super) id: OpportunityId,
    #[sqlx(flatten)]
    pub(super) fields: OpportunityFields,
    #[sqlx(flatten)]
    pub(super) standing: Standing,
    #[sqlx(flatten)]
    pub(super) agenda: Agenda,
    /// `u:<uuid>|` of each person added beside the owner.
    pub(super) shared_with: String,
    pub(super) weighted_minor: Option<i64>,
    pub(super) visible_to: String,
    #[sqlx(flatten)]
    pub(super) stamps: Stamps,
    /// Whether its contacts or collaborators were written; they have tables of their own.
    #[sqlx(skip)]
    pub(super) people_changed: bool,
}

/// What can be plainly written of a deal.
#[derive(Debug, Clone, Default, PartialEq, Serialize, sqlx::FromRow)]
#[expect(missing_docs, reason = "the names say it; the schema describes each")]
pub struct OpportunityFields {
    pub name: String,
    pub amount_minor: Option<i64>,
    pub amount_currency: Option<String>,
    pub forecast_category: ForecastCategory,
    pub expected_close_on: Option<NaiveDate>,
    pub source: Option<String>,
    pub company_id: Option<CompanyId>,
    pub primary_contact_id: Option<ContactId>,
    pub tags: Vec<String>,
    #[sqlx(flatten)]
    #[serde(flatten)]
    pub ownership: Ownership,
}

/// Where a deal stands; changed by acts only.
#[derive(Debug, Clone, PartialEq, Serialize, sqlx::FromRow)]
pub(super) struct Standing {
    pub(super) pipeline_id: PipelineId,
    pub(super) stage_id: StageId,
    pub(super) stage_entered_at: DateTime<Utc>,
    pub(super) status: OpportunityStatus,
    pub(super) board_position: String,
    pub(super) probability: i16,
    pub(super) probability_manual: bool,
    pub(super) won_at: Option<DateTime<Utc>>,
    pub(super) lost_at: Option<DateTime<Utc>>,
    pub(super) lost_reason: Option<String>,
    pub(super) lost_note: Option<String>,
}

/// What is to be done next about a deal, and what was done last.
#[derive(Debug, Clone, Default, PartialEq, Serialize, sqlx::FromRow)]
pub(super) struct Agenda {
    pub(super) next_action_at: Option<DateTime<Utc>>,
    pub(super) next_action_kind: Option<ActivityKind>,
    pub(super) next_action_details: Option<String>,
    pub(super) next_action_owner_id: Option<UserId>,
    pub(super) last_activity_at: Option<DateTime<Utc>>,
}

/// How a deal stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Enum, Serialize, sqlx::Type)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[sqlx(type_name = "text", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum OpportunityStatus {
    /// Under way.
    Open,
    /// Won.
    Won,
    /// Lost.
    Lost,
}

/// Where a deal counts in a forecast.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Enum, Serialize, sqlx::Type)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[sqlx(type_name = "text", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ForecastCategory {
    /// Under way, no promise.
    #[default]
    Pipeline,
    /// If all goes well.
    BestCase,
    /// Promised.
    Commit,
    /// Won.
    Closed,
    /// Not counted.
    Omitted,
}

/// A deal that is to be created.
#[derive(Debug, Clone)]
pub struct NewOpportunity {
    /// The client's own id, or a minted one.
    pub id: OpportunityId,
    /// What is known of it.
    pub fields: OpportunityFields,
    /// The stage it stands in.
    pub stage_id: StageId,
    /// The probability set by hand, in percent; otherwise the stage's.
    pub probability: Option<i16>,
    /// The stages it went through, the one it stands in last; empty when it enters that one now.
    pub path: Vec<StageVisit>,
    /// Its contacts.
    pub contacts: Vec<DealContact>,
    /// The people added beside its owner.
    pub users: Vec<DealUser>,
    /// Why it was lost, when it stands in a lost stage.
    pub lost_reason: Option<String>,
    /// What is to be done next.
    pub next_action: Option<NextAction>,
    /// When something was last done about it.
    pub last_activity_at: Option<DateTime<Utc>>,
    /// When it came about, if not now.
    pub created_at: Option<DateTime<Utc>>,
}

/// What a new deal brings beside its own row.
pub(super) struct Parts {
    pub(super) contacts: Vec<DealContact>,
    pub(super) users: Vec<DealUser>,
    pub(super) path: Vec<StageVisit>,
}

/// When a deal entered a stage.
#[derive(Debug, Clone, Copy)]
#[expect(missing_docs, reason = "the names say it")]
pub struct StageVisit {
    pub stage_id: StageId,
    pub entered_at: DateTime<Utc>,
}

/// A contact of a deal, with the part it plays.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct DealContact {
    pub contact_id: ContactId,
    pub role: Option<String>,
}

/// A person added to a deal, with the part they play.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct DealUser {
    pub user_id: UserId,
    pub role: Option<String>,
}

/// What is to be done next about a deal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NextAction {
    /// When it is due.
    pub at: DateTime<Utc>,
    /// What kind of thing it is.
    pub kind: ActivityKind,
    /// What exactly.
    pub details: Option<String>,
    /// Who does it; the deal's owner when nobody is named.
    pub owner_id: Option<UserId>,
}

impl OpportunityFields {
    /// Cleans and bounds all fields.
    ///
    /// # Errors
    /// `BLANK`, `TOO_LONG`, `INVALID_AMOUNT` and the like, with the field.
    pub fn check(&mut self) -> Result<()> {
        Text::line("name").required(&mut self.name)?;
        Text::line("source").optional(&mut self.source)?;
        text::check_tags(&mut self.tags)?;
        if self
            .amount_minor
            .is_some_and(|amount| !(0..=MAX_MINOR).contains(&amount))
        {
            return Err(Error::invalid(
                "INVALID_AMOUNT",
                "amount.amountMinor",
                "expected zero or more",
            ));
        }
        Ok(())
    }

    /// What the deal is worth.
    #[must_use]
    pub fn amount(&self) -> Option<Money> {
        Money::from_columns(self.amount_minor, self.amount_currency.as_deref())
    }
}

impl NextAction {
    /// Cleans and bounds it; `at` and `details` are the input fields to name.
    ///
    /// # Errors
    /// `TOO_LONG`, `INVALID_TEXT`, `OUT_OF_RANGE` for a time beyond the years 1900 to 2200.
    pub fn check(&mut self, (at, details): (&'static str, &'static str)) -> Result<()> {
        if !(1900..=2200).contains(&self.at.year()) {
            return Err(Error::invalid(
                "OUT_OF_RANGE",
                at,
                "expected a time in the years 1900 to 2200",
            ));
        }
        Text::line(details).optional(&mut self.details)
    }
}

impl NewOpportunity {
    /// Cleans and bounds what it brings.
    pub(super) fn check(&mut self) -> Result<()> {
        self.fields.check()?;
        people::check_contacts(&mut self.contacts)?;
        people::check_users(&mut self.users)?;
        Text::line("lostReason").optional(&mut self.lost_reason)?;
        if let Some(next) = &mut self.next_action {
            next.check(("nextAction.at", "nextAction.details"))?;
        }
        self.include_primary_contact();
        Ok(())
    }

    /// The primary contact is one of the contacts.
    fn include_primary_contact(&mut self) {
        if let Some(contact_id) = self.fields.primary_contact_id
            && !self
                .contacts
                .iter()
                .any(|contact| contact.contact_id == contact_id)
        {
            self.contacts.insert(
                0,
                DealContact {
                    contact_id,
                    role: None,
                },
            );
        }
    }

    /// Puts the deal into its stage.
    pub(super) fn enter(self, stage: &Stage, stamps: Stamps) -> Result<(Opportunity, Parts)> {
        let entered_at = self
            .path
            .last()
            .map_or(stamps.created_at, |visit| visit.entered_at);
        if self
            .path
            .last()
            .is_some_and(|visit| visit.stage_id != stage.id)
            || !self.path.is_sorted_by_key(|visit| visit.entered_at)
        {
            return Err(Error::invalid(
                "INVALID_PATH",
                "path",
                "expected stages in order of time, the present one last",
            ));
        }
        let standing = Standing {
            pipeline_id: stage.pipeline_id,
            stage_id: stage.id,
            stage_entered_at: entered_at,
            status: OpportunityStatus::Open,
            board_position: board::at_end(entered_at, self.id.uuid()),
            probability: stage.fields.probability,
            probability_manual: false,
            won_at: None,
            lost_at: None,
            lost_reason: None,
            lost_note: None,
        };
        let shared_with = shared_with(&self.users);
        let agenda = Agenda {
            last_activity_at: self.last_activity_at,
            ..Agenda::default()
        };
        let mut deal = Opportunity {
            id: self.id,
            fields: self.fields,
            standing,
            agenda,
            shared_with,
            weighted_minor: None,
            visible_to: String::new(),
            stamps,
            people_changed: false,
        };
        match stage.fields.kind {
            StageKind::Open => {}
            StageKind::Won => deal.close_won(entered_at),
            StageKind::Lost => deal.close_lost(entered_at, self.lost_reason, None),
        }
        if let Some(by_hand) = self.probability {
            deal.set_probability(by_hand)?;
        }
        if let Some(next) = self.next_action {
            deal.schedule(Some(next))?;
        }
        let path = if self.path.is_empty() {
            vec![StageVisit {
                stage_id: stage.id,
                entered_at,
            }]
        } else {
            self.path
        };
        let parts = Parts {
            contacts: self.contacts,
            users: self.users,
            path,
        };
        Ok((deal, parts))
    }
}

pub(super) fn shared_with(users: &[DealUser]) -> String {
    users
        .iter()
        .map(|user| format!("u:{}|", user.user_id.uuid()))
        .collect()
}

impl Opportunity {
    /// Moves an open deal to another open stage, or into a won one.
    pub(super) fn move_to(&mut self, stage: &Stage, now: DateTime<Utc>) -> Result<()> {
        if self.standing.status != OpportunityStatus::Open {
            return Err(Error::invalid(
                "CLOSED",
                "id",
                "this deal is closed, reopen it before you move it",
            ));
        }
        match stage.fields.kind {
            StageKind::Lost => {
                return Err(Error::invalid(
                    "USE_LOSE",
                    "stageId",
                    "use opportunityLose, which takes the reason",
                ));
            }
            StageKind::Won => self.close_won(now),
            StageKind::Open => {}
        }
        self.stand_in(stage, now);
        Ok(())
    }

    /// Wins the deal, in a won stage if the pipeline has one.
    pub(super) fn win(&mut self, stage: Option<&Stage>, now: DateTime<Utc>) -> Result<()> {
        self.refuse_closed()?;
        expect_kind(stage, StageKind::Won)?;
        self.close_won(now);
        if let Some(stage) = stage {
            self.stand_in(stage, now);
        }
        Ok(())
    }

    /// Loses the deal, in a lost stage if the pipeline has one.
    pub(super) fn lose(
        &mut self,
        stage: Option<&Stage>,
        (mut reason, mut note): (Option<String>, Option<String>),
        now: DateTime<Utc>,
    ) -> Result<()> {
        self.refuse_closed()?;
        expect_kind(stage, StageKind::Lost)?;
        Text::line("reason").optional(&mut reason)?;
        Text::long("note").optional(&mut note)?;
        self.close_lost(now, reason, note);
        if let Some(stage) = stage {
            self.stand_in(stage, now);
        }
        Ok(())
    }

    /// Opens a closed deal again, in an open stage.
    pub(super) fn reopen(&mut self, stage: &Stage, now: DateTime<Utc>) -> Result<()> {
        if self.standing.status == OpportunityStatus::Open {
            return Err(Error::invalid("OPEN", "id", "this deal is open already"));
        }
        expect_kind(Some(stage), StageKind::Open)?;
        let s = &mut self.standing;
        s.status = OpportunityStatus::Open;
        (s.won_at, s.lost_at, s.lost_reason, s.lost_note) = (None, None, None, None);
        s.probability_manual = false;
        self.fields.forecast_category = ForecastCategory::Pipeline;
        self.stand_in(stage, now);
        Ok(())
    }

    /// Sets the probability by hand; it stays until it is taken back.
    pub(super) fn set_probability(&mut self, percent: i16) -> Result<()> {
        if !(0..=100).contains(&percent) {
            return Err(Error::invalid(
                "OUT_OF_RANGE",
                "probability",
                "expected 0 to 100 percent",
            ));
        }
        self.refuse_closed()?;
        self.standing.probability = percent;
        self.standing.probability_manual = true;
        Ok(())
    }

    /// Takes the probability of the stage again.
    pub(super) fn follow_stage(&mut self, stage: &Stage) {
        self.standing.probability_manual = false;
        if self.standing.status == OpportunityStatus::Open {
            self.standing.probability = stage.fields.probability;
        }
    }

    /// Sets what is to be done next, or nothing.
    pub(super) fn schedule(&mut self, next: Option<NextAction>) -> Result<()> {
        let Some(next) = next else {
            self.agenda = Agenda {
                last_activity_at: self.agenda.last_activity_at,
                ..Agenda::default()
            };
            return Ok(());
        };
        self.refuse_closed()?;
        let a = &mut self.agenda;
        a.next_action_at = Some(next.at);
        a.next_action_kind = Some(next.kind);
        a.next_action_details = next.details;
        a.next_action_owner_id = next.owner_id.or(self.fields.ownership.owner_id);
        Ok(())
    }

    fn refuse_closed(&self) -> Result<()> {
        match self.standing.status {
            OpportunityStatus::Open => Ok(()),
            _ => Err(Error::invalid(
                "CLOSED",
                "id",
                "this deal is closed, reopen it first",
            )),
        }
    }

    fn stand_in(&mut self, stage: &Stage, now: DateTime<Utc>) {
        let s = &mut self.standing;
        if s.stage_id != stage.id {
            s.stage_entered_at = now;
            s.board_position = board::at_end(now, self.id.uuid());
        }
        (s.pipeline_id, s.stage_id) = (stage.pipeline_id, stage.id);
        if s.status == OpportunityStatus::Open && !s.probability_manual {
            s.probability = stage.fields.probability;
        }
    }

    fn close_won(&mut self, at: DateTime<Utc>) {
        let s = &mut self.standing;
        (s.status, s.won_at, s.probability, s.probability_manual) =
            (OpportunityStatus::Won, Some(at), 100, false);
        self.fields.forecast_category = ForecastCategory::Closed;
        self.agenda = Agenda {
            last_activity_at: self.agenda.last_activity_at,
            ..Agenda::default()
        };
    }

    fn close_lost(&mut self, at: DateTime<Utc>, reason: Option<String>, note: Option<String>) {
        let s = &mut self.standing;
        (s.status, s.lost_at, s.probability, s.probability_manual) =
            (OpportunityStatus::Lost, Some(at), 0, false);
        (s.lost_reason, s.lost_note) = (reason, note);
        self.fields.forecast_category = ForecastCategory::Omitted;
        self.agenda = Agenda {
            last_activity_at: self.agenda.last_activity_at,
            ..Agenda::default()
        };
    }

    pub(super) fn same_as(&self, other: &Self) -> bool {
        self.fields == other.fields
            && self.standing == other.standing
            && self.agenda == other.agenda
            && self.shared_with == other.shared_with
            && self.people_changed == other.people_changed
    }

    /// All of it that an event tells of.
    pub(super) fn state(&self) -> Json {
        [
            json!(self.standing),
            json!(self.agenda),
            json!({ "people": self.people_changed }),
        ]
        .into_iter()
        .fold(json!(self.fields), records::with)
    }
}

fn expect_kind(stage: Option<&Stage>, kind: StageKind) -> Result<()> {
    match stage {
        Some(stage) if stage.fields.kind != kind => {
            let message = format!(
                "expected a stage of kind {}",
                format!("{kind:?}").to_uppercase()
            );
            Err(Error::invalid("WRONG_STAGE", "stageId", message))
        }
        _ => Ok(()),
    }
}
