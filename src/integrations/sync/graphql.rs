//! Runs and links in the schema: what can be read.

use std::sync::Arc;

use async_graphql::{Context, ID, Object, SimpleObject};
use chrono::{DateTime, Utc};
use dealgraph_derive::connection_args;
use uuid::Uuid;

use super::{
    SyncMode, SyncRun, SyncRunStatus, SyncTrigger,
    filter::{NEWEST, SyncRunFilter, SyncRunOrder},
    links::{self, LinkRow},
    model::Problem,
};
use crate::{
    base::{
        error::{Error, Result},
        ids::{SyncRunId, Typed as _},
    },
    graphql::{Connection, ContextExt as _, ListArgs, Listing, scalars::BigInt},
    integrations::accounts::Integration,
};

/// One time that records of a kind were brought in step, kept for 90 days.
#[Object]
impl SyncRun {
    /// The id, as `syncRun:<uuid>`.
    pub async fn id(&self) -> SyncRunId {
        self.id
    }

    /// The account.
    async fn integration(&self, ctx: &Context<'_>) -> Result<Option<Arc<Integration>>> {
        ctx.request().load(Some(self.integration_id)).await
    }

    /// The kind of records, by the name that the service has for it.
    async fn kind(&self) -> &str {
        &self.kind
    }

    /// Whether all records were read.
    async fn mode(&self) -> SyncMode {
        self.mode
    }

    /// What caused it.
    async fn trigger(&self) -> SyncTrigger {
        self.trigger
    }

    /// How far it is.
    async fn status(&self) -> SyncRunStatus {
        self.status
    }

    /// How far the service had been read before, in its own words; null when nothing had.
    async fn cursor_before(&self) -> Option<&str> {
        self.cursor_before.as_deref()
    }

    /// How far it was read, in its own words.
    async fn cursor_after(&self) -> Option<&str> {
        self.cursor_after.as_deref()
    }

    /// How many records it has read and what became of them, so far.
    async fn counts(&self) -> SyncCounts {
        SyncCounts {
            read: BigInt(self.read_count),
            created: BigInt(self.created_count),
            updated: BigInt(self.updated_count),
            unchanged: BigInt(self.unchanged_count),
            removed: BigInt(self.removed_count),
            skipped: BigInt(self.skipped_count),
            failed: BigInt(self.failed_count),
        }
    }

    /// What was wrong with single records, of at least the first hundred.
    async fn problems(&self) -> Vec<SyncProblem> {
        self.problems.iter().map(SyncProblem::from).collect()
    }

    /// Why it did not come to its end, for programs.
    async fn error_code(&self) -> Option<&str> {
        self.error_code.as_deref()
    }

    /// Why it did not come to its end, for people.
    async fn error_message(&self) -> Option<&str> {
        self.error_message.as_deref()
    }

    /// When it is tried again, or goes on after a pause that the service wants.
    async fn next_attempt_at(&self) -> Option<DateTime<Utc>> {
        self.next_attempt_at
    }

    /// When it began.
    async fn started_at(&self) -> DateTime<Utc> {
        self.started_at
    }

    /// When it ended.
    async fn ended_at(&self) -> Option<DateTime<Utc>> {
        self.ended_at
    }
}

/// How many records a run has read, and what became of them.
#[derive(SimpleObject)]
struct SyncCounts {
    /// How many the service answered.
    read: BigInt,
    /// How many are new here.
    created: BigInt,
    /// How many were changed here, or found to be here already.
    updated: BigInt,
    /// How many say what they said before.
    unchanged: BigInt,
    /// How many were archived here, since they are gone there.
    removed: BigInt,
    /// How many are none of those that are kept in step.
    skipped: BigInt,
    /// With how many something is wrong.
    failed: BigInt,
}

/// What was wrong with one record.
#[derive(SimpleObject)]
struct SyncProblem {
    /// What the service calls the record.
    external_id: String,
    /// What is wrong, for programs.
    code: String,
    /// The field that it is about, if it is about one.
    field: Option<String>,
}

impl From<&Problem> for SyncProblem {
    fn from(problem: &Problem) -> Self {
        Self {
            external_id: problem.external_id.clone(),
            code: problem.code.clone(),
            field: problem.field.clone(),
        }
    }
}

/// A record here is one at a service.
#[derive(SimpleObject)]
#[graphql(complex)]
struct ExternalLink {
    #[graphql(skip)]
    integration_id: Uuid,
    /// The key of the service.
    provider_key: String,
    /// The kind of records, by the name that the service has for it.
    kind: String,
    /// What the service calls the record.
    external_id: String,
    /// Whether the record came about here through the account.
    created_by_sync: bool,
    /// When it last changed there, as far as the service says.
    external_updated_at: Option<DateTime<Utc>>,
    /// When it was last read there.
    pulled_at: Option<DateTime<Utc>>,
    /// When it was last written there.
    pushed_at: Option<DateTime<Utc>>,
}

#[async_graphql::ComplexObject]
impl ExternalLink {
    /// The account.
    async fn integration(&self, ctx: &Context<'_>) -> Result<Option<Arc<Integration>>> {
        ctx.request().load(Some(self.integration_id)).await
    }
}

impl From<LinkRow> for ExternalLink {
    fn from(row: LinkRow) -> Self {
        Self {
            integration_id: row.integration_id,
            provider_key: row.provider,
            kind: row.kind,
            external_id: row.external_id,
            created_by_sync: row.is_created,
            external_updated_at: row.external_updated_at,
            pulled_at: row.pulled_at,
            pushed_at: row.pushed_at,
        }
    }
}

/// Reading runs and links.
#[derive(Default)]
pub struct SyncQuery;

#[connection_args]
#[Object]
impl SyncQuery {
    /// A run by its id; null when there is none that you may see.
    async fn sync_run(&self, ctx: &Context<'_>, id: SyncRunId) -> Result<Option<Arc<SyncRun>>> {
        ctx.request().load(Some(id.uuid())).await
    }

    /// The times that records were brought in step, the newest first unless ordered otherwise: of all accounts for who
    /// holds `integrations:write`, and of everybody's own.
    async fn sync_runs(
        &self,
        ctx: &Context<'_>,
        #[list(never_archived)] args: ListArgs<SyncRunFilter, SyncRunOrder>,
    ) -> Result<Connection<SyncRun>> {
        Listing::read(ctx, args.query(ctx.request().actor().tenant, NEWEST)?).await
    }

    /// Where a record is at services, of those accounts that you may see; up to 100.
    async fn external_links(&self, ctx: &Context<'_>, record_id: ID) -> Result<Vec<ExternalLink>> {
        let id = record_id.split_once(':').map(|(_, id)| id);
        let id = id.and_then(|id| Uuid::try_parse(id).ok()).ok_or_else(|| {
            Error::invalid(
                "INVALID_ID",
                "recordId",
                "expected an id like contact:<uuid>",
            )
        })?;
        let rows = ctx.request().read(async |tx| links::of(tx, id).await);
        Ok(rows.await?.into_iter().map(ExternalLink::from).collect())
    }
}
