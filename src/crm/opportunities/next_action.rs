//! What is to be done next about a deal: set, and done with the next one scheduled in the same step.

use super::{NextAction, Opportunity};
use crate::{
    base::{
        error::{Error, Result},
        ids::{ActivityId, OpportunityId, Typed as _},
        text::Text,
    },
    crm::activities::{self, ActivityFields, ActivityStatus, NewActivity, Target},
    db::{Tx, journal::EventKind},
    entity,
};

/// Sets what is to be done next about an open deal, or that nothing is.
///
/// # Errors
/// `NOT_FOUND`, `CONFLICT`, `FORBIDDEN`, `CLOSED`, `TOO_LONG`, `OWNER_SUSPENDED`.
pub async fn set_next_action(
    tx: &mut Tx,
    deal: (OpportunityId, Option<i32>),
    mut next: Option<NextAction>,
) -> Result<Opportunity> {
    if let Some(next) = &mut next {
        next.check("nextAction")?;
    }
    require_owner(tx, next.as_ref(), "nextAction.ownerId").await?;
    entity::change::<Opportunity>(tx, deal, EventKind::Updated, async |_, deal| {
        deal.schedule(next)
    })
    .await
}

/// What came of a next action, and what is to be done next.
#[derive(Debug, Clone, Default)]
pub struct Completion {
    /// What came of it, in a line.
    pub outcome: Option<String>,
    /// What was said or written.
    pub notes: Option<String>,
    /// What comes next, if anything does.
    pub next: Option<NextAction>,
}

/// Completes the next action in one atomic step: logs it as a done activity of the actor's, notes when something
/// was last done, and schedules what comes next. Of two people who complete the same one, the first wins and the
/// second gets a `CONFLICT`, because the version is not optional here.
///
/// # Errors
/// `NOT_FOUND`, `CONFLICT`, `FORBIDDEN`, `CLOSED`; `NOTHING_DUE` when no action is set; `TOO_LONG`; `OWNER_SUSPENDED`.
pub async fn complete_next_action(
    tx: &mut Tx,
    (id, expected_version): (OpportunityId, i32),
    done: Completion,
) -> Result<(Opportunity, ActivityId)> {
    let Completion {
        mut outcome,
        mut notes,
        mut next,
    } = done;
    Text::line("outcome").optional(&mut outcome)?;
    Text::long("notes").optional(&mut notes)?;
    if let Some(next) = &mut next {
        next.check("next")?;
    }
    require_owner(tx, next.as_ref(), "next.ownerId").await?;
    let activity = ActivityId::new();
    let deal = entity::change::<Opportunity>(
        tx,
        (id, Some(expected_version)),
        EventKind::NextActionCompleted,
        async |tx, deal| {
            let Some(kind) = deal.agenda.next_action_kind else {
                return Err(Error::invalid(
                    "NOTHING_DUE",
                    "id",
                    "this deal has no next action to complete",
                ));
            };
            let mut fields = ActivityFields {
                kind,
                subject: deal
                    .agenda
                    .next_action_details
                    .clone()
                    .unwrap_or_else(|| deal.fields.name.clone()),
                body: notes,
                status: ActivityStatus::Done,
                due_at: deal.agenda.next_action_at,
                done_at: Some(tx.now()),
                outcome,
                ..ActivityFields::default()
            };
            fields.ownership.owner_id = tx.actor().person();
            let contact = deal.fields.primary_contact_id.map(Target::Contact);
            let targets = std::iter::once(Target::Opportunity(id))
                .chain(contact)
                .collect();
            activities::create(
                tx,
                NewActivity {
                    id: activity,
                    fields,
                    targets,
                    created_at: None,
                },
            )
            .await?;
            deal.agenda.last_activity_at = Some(tx.now());
            deal.schedule(next)
        },
    )
    .await?;
    Ok((deal, activity))
}

async fn require_owner(tx: &mut Tx, next: Option<&NextAction>, field: &'static str) -> Result<()> {
    let owner = next.and_then(|next| Some(next.owner_id?.uuid()));
    entity::require_owners(tx, owner, field).await
}
