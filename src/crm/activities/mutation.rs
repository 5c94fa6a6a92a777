//! Activities in the schema: what can be changed.

use async_graphql::{Context, ID, InputObject, MaybeUndefined, Object};
use chrono::{DateTime, Utc};

use super::{
    Activity, ActivityDirection, ActivityFields, ActivityKind, ActivityStatus, NewActivity, Target,
};
use crate::{
    base::{
        error::Result,
        ids::{ActivityId, UserId},
    },
    crm::lifecycle::record_lifecycle,
    graphql::{
        ContextExt as _,
        patch::{patch, patch_required},
    },
};

/// What can be written of an activity beside its kind, subject and status. Leave a field out to keep it, send null to
/// empty it.
#[derive(Debug, InputObject)]
struct ActivityDetails {
    /// Its text: what was said or written, or what is to be done.
    body: MaybeUndefined<String>,
    /// Who got in touch with whom.
    direction: MaybeUndefined<ActivityDirection>,
    /// Until when it is to be done.
    due_at: MaybeUndefined<DateTime<Utc>>,
    /// When it starts.
    start_at: MaybeUndefined<DateTime<Utc>>,
    /// When it ends; not before it starts.
    end_at: MaybeUndefined<DateTime<Utc>>,
    /// When it was done; only with the status DONE, and then now unless you say otherwise.
    done_at: MaybeUndefined<DateTime<Utc>>,
    /// What came of it.
    outcome: MaybeUndefined<String>,
    /// Who does it or did it. A new record is yours unless you say otherwise.
    owner_id: MaybeUndefined<UserId>,
    /// The companies, contacts, leads and deals it is about, at most 20; replaces all that you see.
    target_ids: MaybeUndefined<Vec<ID>>,
}

impl ActivityDetails {
    /// The targets, when they are to be replaced.
    fn targets(&self) -> Result<Option<Vec<Target>>> {
        match &self.target_ids {
            MaybeUndefined::Undefined => Ok(None),
            MaybeUndefined::Null => Ok(Some(Vec::new())),
            MaybeUndefined::Value(ids) => Target::parse_all(ids).map(Some),
        }
    }

    fn write_to(self, fields: &mut ActivityFields) {
        patch(self.body, &mut fields.body);
        patch(self.direction, &mut fields.direction);
        patch(self.due_at, &mut fields.due_at);
        patch(self.start_at, &mut fields.start_at);
        patch(self.end_at, &mut fields.end_at);
        patch(self.done_at, &mut fields.done_at);
        patch(self.outcome, &mut fields.outcome);
        patch(self.owner_id, &mut fields.ownership.owner_id);
    }
}

/// An activity to be created.
#[derive(Debug, InputObject)]
struct ActivityCreateInput {
    /// Your own id for it (`activity:<uuid>`, best a version 7): sending the same twice creates it once.
    id: Option<ActivityId>,
    /// What kind of thing it is.
    kind: ActivityKind,
    /// What it is about, in a line.
    subject: String,
    /// How it stands; PLANNED unless you say otherwise, but a note and what has a `doneAt` are DONE.
    status: Option<ActivityStatus>,
    #[graphql(flatten)]
    details: ActivityDetails,
}

/// A change to an activity.
#[derive(Debug, InputObject)]
struct ActivityUpdateInput {
    /// Which activity.
    id: ActivityId,
    /// The version that the change was made for; another one answers CONFLICT.
    expected_version: Option<i32>,
    /// What kind of thing it is.
    kind: Option<ActivityKind>,
    /// What it is about, in a line.
    subject: Option<String>,
    /// How it stands; what is no longer DONE loses its `doneAt`.
    status: Option<ActivityStatus>,
    #[graphql(flatten)]
    details: ActivityDetails,
}

/// Names an activity that was done.
#[derive(Debug, InputObject)]
struct ActivityCompleteInput {
    /// Which activity.
    id: ActivityId,
    /// What came of it; the outcome it has stays when you leave this out.
    outcome: Option<String>,
    /// The version it is expected at; another one answers CONFLICT.
    expected_version: Option<i32>,
}

record_lifecycle! {
    Activity, ActivityId;

    /// Names an activity, and the version it is expected at.
    ActivityRefInput {
        /// Which activity.
        id
    }

    /// What a change to an activity came to.
    ActivityPayload {
        /// The activity after the change; after a CONFLICT as it is now; null when the change was refused.
        activity
    }

    /// Archiving and deleting activities.
    ActivityLifecycle {
        /// Archives an activity.
        activity_archive
        /// Restores an activity from the archive.
        activity_restore
        /// Deletes an activity for good. The records it is about stay.
        activity_delete
    }
}

/// Writing activities.
#[derive(Default)]
pub struct ActivityMutation;

#[Object]
impl ActivityMutation {
    /// Creates an activity. What is done also moves the last activity of its deals and leads, and a call, e-mail,
    /// message or meeting moves when its contacts were last contacted.
    async fn activity_create(
        &self,
        ctx: &Context<'_>,
        input: ActivityCreateInput,
    ) -> async_graphql::Result<ActivityPayload> {
        let id = input.id.unwrap_or_default();
        let owner = ctx.request().actor().person();
        let outcome = ctx.request().write(async |tx| {
            let ActivityCreateInput {
                kind,
                subject,
                status,
                details,
                ..
            } = input;
            let targets = details.targets()?.unwrap_or_default();
            let mut fields = ActivityFields {
                kind,
                subject,
                ..Default::default()
            };
            fields.ownership.owner_id = owner;
            details.write_to(&mut fields);
            fields.status = status.unwrap_or_else(|| fields.usual_status());
            super::create(
                tx,
                NewActivity {
                    id,
                    fields,
                    targets,
                    created_at: None,
                },
            )
            .await
        });
        ActivityPayload::new(ctx, id, outcome.await).await
    }

    /// Changes an activity.
    async fn activity_update(
        &self,
        ctx: &Context<'_>,
        input: ActivityUpdateInput,
    ) -> async_graphql::Result<ActivityPayload> {
        let id = input.id;
        let outcome = ctx.request().write(async |tx| {
            let ActivityUpdateInput {
                id,
                expected_version,
                kind,
                subject,
                status,
                details,
            } = input;
            let targets = details.targets()?;
            super::update(tx, (id, expected_version), targets, |fields| {
                patch_required(kind, &mut fields.kind);
                patch_required(subject, &mut fields.subject);
                patch_required(status, &mut fields.status);
                details.write_to(fields);
                Ok(())
            })
            .await
        });
        ActivityPayload::new(ctx, id, outcome.await).await
    }

    /// Makes a planned activity done, now. Moves the same times as a new activity that is done.
    async fn activity_complete(
        &self,
        ctx: &Context<'_>,
        input: ActivityCompleteInput,
    ) -> async_graphql::Result<ActivityPayload> {
        let ActivityCompleteInput {
            id,
            outcome,
            expected_version,
        } = input;
        let outcome = ctx
            .request()
            .write(async |tx| super::complete(tx, (id, expected_version), outcome).await);
        ActivityPayload::new(ctx, id, outcome.await).await
    }

    #[graphql(flatten)]
    async fn lifecycle(&self) -> ActivityLifecycle {
        ActivityLifecycle
    }
}
