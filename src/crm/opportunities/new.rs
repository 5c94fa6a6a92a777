//! A deal that is to be created: what it brings, and how it enters its stage. Pure: no database in sight.

use chrono::{DateTime, Utc};

use super::{
    board,
    model::{
        Agenda, DealContact, DealUser, NextAction, Opportunity, OpportunityFields, shared_with,
    },
    people,
    standing::{Loss, OpportunityStatus, Standing},
};
use crate::{
    base::{
        error::{Error, Result},
        ids::{OpportunityId, StageId, Typed as _},
        text::Text,
    },
    crm::pipelines::{Stage, StageKind},
    entity::Stamps,
};

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

impl NewOpportunity {
    /// Cleans and bounds what it brings.
    pub(super) fn check(&mut self) -> Result<()> {
        self.fields.check()?;
        people::check_contacts(&mut self.contacts)?;
        people::check_users(&mut self.users)?;
        Text::line("lostReason").optional(&mut self.lost_reason)?;
        if let Some(next) = &mut self.next_action {
            next.check("nextAction")?;
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
            StageKind::Lost => {
                let loss = Loss {
                    reason: self.lost_reason,
                    note: None,
                };
                deal.close_lost(entered_at, loss);
            }
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
