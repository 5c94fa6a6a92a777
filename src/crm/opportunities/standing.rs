//! Where a deal stands, and the rules of how it comes to stand elsewhere. Pure: no database in sight.

use async_graphql::Enum;
use chrono::{DateTime, Utc};
use dealgraph_derive::{Columns, SchemaFields};
use serde::Serialize;

use super::{
    board,
    model::{ForecastCategory, NextAction, Opportunity},
};
use crate::{
    base::{
        error::{Error, Result},
        ids::{PipelineId, StageId, Typed as _},
        text::Text,
    },
    crm::pipelines::{Stage, StageKind},
    graphql::projection::enum_columns,
};

/// Where a deal stands; changed by acts only.
#[derive(Debug, Clone, PartialEq, Serialize, sqlx::FromRow, Columns, SchemaFields)]
pub(super) struct Standing {
    #[graphql(skip)]
    pub(super) pipeline_id: PipelineId,
    #[graphql(skip)]
    pub(super) stage_id: StageId,
    /// Since when it stands there.
    pub(super) stage_entered_at: DateTime<Utc>,
    /// Whether it is under way, won or lost.
    pub(super) status: OpportunityStatus,
    /// Its place on the board, as text that sorts within the stage.
    pub(super) board_position: String,
    /// How likely it is won, in percent: the stage's unless set by hand.
    pub(super) probability: i16,
    /// Whether the probability was set by hand; then it does not follow the stage.
    #[graphql(name = "probabilityIsManual")]
    pub(super) probability_manual: bool,
    /// When it was won.
    pub(super) won_at: Option<DateTime<Utc>>,
    /// When it was lost.
    pub(super) lost_at: Option<DateTime<Utc>>,
    /// Why it was lost.
    pub(super) lost_reason: Option<String>,
    /// What else there is to say about the loss.
    #[column(long)]
    pub(super) lost_note: Option<String>,
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

enum_columns!(OpportunityStatus);

/// Why a deal is lost.
#[derive(Debug, Clone, Default)]
pub struct Loss {
    /// The reason, in a line, for example `price`.
    pub reason: Option<String>,
    /// What else there is to say about it.
    pub note: Option<String>,
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
        mut loss: Loss,
        now: DateTime<Utc>,
    ) -> Result<()> {
        self.refuse_closed()?;
        expect_kind(stage, StageKind::Lost)?;
        Text::line("reason").optional(&mut loss.reason)?;
        Text::long("note").optional(&mut loss.note)?;
        self.close_lost(now, loss);
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
            self.agenda = self.agenda.cleared();
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

    pub(super) fn close_won(&mut self, at: DateTime<Utc>) {
        let s = &mut self.standing;
        (s.status, s.won_at, s.probability, s.probability_manual) =
            (OpportunityStatus::Won, Some(at), 100, false);
        self.fields.forecast_category = ForecastCategory::Closed;
        self.agenda = self.agenda.cleared();
    }

    pub(super) fn close_lost(&mut self, at: DateTime<Utc>, loss: Loss) {
        let s = &mut self.standing;
        (s.status, s.lost_at, s.probability, s.probability_manual) =
            (OpportunityStatus::Lost, Some(at), 0, false);
        (s.lost_reason, s.lost_note) = (loss.reason, loss.note);
        self.fields.forecast_category = ForecastCategory::Omitted;
        self.agenda = self.agenda.cleared();
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
