//! What a pipeline holds: how many deals and how much, by stage and by status. Sums never mix currencies.

use std::{collections::HashMap, sync::Arc};

use async_graphql::{Context, Object, SimpleObject};

use super::{OpportunityFields, OpportunityStatus};
use crate::{
    base::{
        error::{Error, Result},
        ids::{PipelineId, StageId, Typed as _},
        money,
    },
    crm::pipelines::{Pipeline, Stage, stages},
    db::{Sql, Tx, list},
    graphql::{ContextExt as _, scalars::Money},
};

/// What a pipeline holds, of the deals that you see; archived ones don't count.
pub struct PipelineStats {
    pipeline: PipelineId,
    by_stage: Vec<(StageId, Tally)>,
    by_status: HashMap<OpportunityStatus, Tally>,
}

/// How many deals, and how much.
#[derive(Debug, Clone, Default)]
struct Tally {
    count: i64,
    totals: Vec<Total>,
}

/// A sum in one currency.
#[derive(Debug, Clone)]
struct Total {
    currency: String,
    minor: i64,
    weighted_minor: i64,
}

#[derive(sqlx::FromRow)]
struct Row {
    stage_id: StageId,
    status: OpportunityStatus,
    currency: Option<String>,
    count: i64,
    minor: Option<i64>,
    weighted_minor: Option<i64>,
}

/// Adds up the deals of a pipeline that the actor sees.
///
/// # Errors
/// `NOT_FOUND`; the database.
pub(super) async fn of_pipeline(tx: &mut Tx, pipeline: PipelineId) -> Result<PipelineStats> {
    list::find::<Pipeline>(tx, pipeline.uuid())
        .await?
        .ok_or(Error::NotFound {
            kind: "pipeline",
            field: "pipelineId",
        })?;
    let stages = stages(tx, Some(pipeline)).await?;
    // What does not fit into 64 bits is more money than there is.
    let sql = Sql::new(
        "SELECT t.stage_id, t.status, CASE WHEN app.shows('amounts') THEN t.amount_currency END AS currency, \
         count(*) AS count, \
         least(sum(CASE WHEN app.shows('amounts') THEN t.amount_minor END), 9007199254740991)::bigint AS minor, \
         least(sum(CASE WHEN app.shows('amounts') THEN t.weighted_minor END), 9007199254740991)::bigint AS weighted_minor \
         FROM opportunities t WHERE t.tenant_id = ",
    )
    .bind(tx.tenant())
    .push(" AND t.pipeline_id = ")
    .bind(pipeline)
    .push(" AND t.archived_at IS NULL GROUP BY 1, 2, 3 ORDER BY 1, 2, 3");
    let rows: Vec<Row> = tx.all(sql).await?;
    let mut stats = PipelineStats {
        pipeline,
        by_stage: stages
            .iter()
            .map(|stage| (stage.id, Tally::default()))
            .collect(),
        by_status: HashMap::new(),
    };
    for row in &rows {
        stats.by_status.entry(row.status).or_default().add(row);
        if let Some((_, tally)) = stats
            .by_stage
            .iter_mut()
            .find(|(id, _)| *id == row.stage_id)
        {
            tally.add(row);
        }
    }
    Ok(stats)
}

impl Tally {
    fn add(&mut self, row: &Row) {
        self.count += row.count;
        let (Some(currency), Some(minor)) = (&row.currency, row.minor) else {
            return;
        };
        let weighted = row.weighted_minor.unwrap_or(0);
        match self
            .totals
            .iter_mut()
            .find(|total| total.currency == *currency)
        {
            Some(total) => {
                total.minor = total.minor.saturating_add(minor).min(money::MAX_MINOR);
                total.weighted_minor = total
                    .weighted_minor
                    .saturating_add(weighted)
                    .min(money::MAX_MINOR);
            }
            None => self.totals.push(Total {
                currency: currency.clone(),
                minor,
                weighted_minor: weighted,
            }),
        }
        self.totals.sort_by(|a, b| a.currency.cmp(&b.currency));
    }

    fn shown(&self, ctx: &Context<'_>) -> DealTotals {
        let may = OpportunityFields::AMOUNT_MINOR.is_shown(&ctx.request().actor().rights);
        let sums = self.totals.iter().filter(|_| may).map(|total| {
            let money = |minor| money::Money::from_columns(Some(minor), Some(&total.currency));
            CurrencyTotal {
                amount: money(total.minor).map(Money::from),
                weighted_amount: money(total.weighted_minor).map(Money::from),
            }
        });
        DealTotals {
            count: self.count,
            sums: sums.collect(),
        }
    }
}

/// How many deals, and how much.
#[derive(SimpleObject)]
struct DealTotals {
    /// How many deals.
    count: i64,
    /// What they are worth, a sum per currency; deals without an amount count in none.
    sums: Vec<CurrencyTotal>,
}

/// What deals of one currency are worth together.
#[derive(SimpleObject)]
struct CurrencyTotal {
    /// The sum.
    amount: Option<Money>,
    /// The sum of each times its probability.
    weighted_amount: Option<Money>,
}

/// What a stage holds.
struct StageStats(StageId, Tally);

/// What a stage holds.
#[Object]
impl StageStats {
    /// The stage.
    async fn stage(&self, ctx: &Context<'_>) -> Result<Option<Arc<Stage>>> {
        ctx.request().load(Some(self.0.uuid())).await
    }

    /// Its deals.
    async fn totals(&self, ctx: &Context<'_>) -> DealTotals {
        self.1.shown(ctx)
    }
}

/// What a pipeline holds, of the deals that you see; archived ones don't count.
#[Object]
impl PipelineStats {
    /// The pipeline.
    async fn pipeline(&self, ctx: &Context<'_>) -> Result<Option<Arc<Pipeline>>> {
        ctx.request().load(Some(self.pipeline.uuid())).await
    }

    /// Its stages in their order, those without deals too.
    async fn stages(&self) -> Vec<StageStats> {
        let stages = self.by_stage.iter();
        stages
            .map(|(id, tally)| StageStats(*id, tally.clone()))
            .collect()
    }

    /// Deals under way.
    async fn open(&self, ctx: &Context<'_>) -> DealTotals {
        self.of(OpportunityStatus::Open, ctx)
    }

    /// Deals that were won.
    async fn won(&self, ctx: &Context<'_>) -> DealTotals {
        self.of(OpportunityStatus::Won, ctx)
    }

    /// Deals that were lost.
    async fn lost(&self, ctx: &Context<'_>) -> DealTotals {
        self.of(OpportunityStatus::Lost, ctx)
    }
}

impl PipelineStats {
    fn of(&self, status: OpportunityStatus, ctx: &Context<'_>) -> DealTotals {
        let none = Tally::default();
        self.by_status.get(&status).unwrap_or(&none).shown(ctx)
    }
}
