//! Figures of the business across all tenants, for the operator's metrics: deals won and lost, next actions completed,
//! leads converted, and what is due. They are counted in the database from the event log, by whichever server is first,
//! so that all servers tell the same, and each event counts once whatever dies in between.

use std::{sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;

use crate::{
    base::error::Result,
    db::{Db, Sql, SystemReason},
    platform::telemetry::metrics::{Figure, Metrics},
};

/// How often they are counted on.
const COUNTED_EVERY: Duration = Duration::from_secs(10);
/// Tenants, and events of each, that one transaction counts.
const AT_ONCE: (i32, i32) = (200, 1_000);

/// Every figure: its name, whether it only grows, and what it counts.
const FIGURES: [(&str, bool, &str); 6] = [
    ("deals_won", true, "Deals won in all tenants"),
    ("deals_lost", true, "Deals lost in all tenants"),
    (
        "actions_completed",
        true,
        "Next actions of deals completed in all tenants",
    ),
    ("leads_converted", true, "Leads converted in all tenants"),
    (
        "deals_due",
        false,
        "Deals in all tenants whose next action is due by the end of the tenant's day, those overdue among them",
    ),
    (
        "deals_overdue",
        false,
        "Deals in all tenants whose next action is overdue",
    ),
];

#[derive(sqlx::FromRow)]
struct FigureRow {
    figure: String,
    total: i64,
    behind: bool,
}

/// Counts on now and then, until stopped.
pub async fn run(db: Db, metrics: Arc<Metrics>, stop: CancellationToken) {
    let mut was_counted = true;
    loop {
        let counted = stop.run_until_cancelled(count(&db)).await;
        let pause = match counted {
            None => return,
            Some(Ok((figures, is_behind))) => {
                metrics.figures.set(figures, db.clock().now());
                was_counted = true;
                match is_behind {
                    true => Duration::from_millis(100),
                    false => COUNTED_EVERY,
                }
            }
            Some(Err(error)) => {
                // Once, not every ten seconds of an outage.
                if std::mem::replace(&mut was_counted, false) {
                    tracing::warn!(%error, "the figures of the business were not counted");
                }
                COUNTED_EVERY
            }
        };
        let slept = stop.run_until_cancelled(tokio::time::sleep(pause)).await;
        if slept.is_none() {
            return;
        }
    }
}

/// Counts on, and tells all figures and whether there is more to count at once.
///
/// # Errors
/// The database.
pub async fn count(db: &Db) -> Result<(Vec<Figure>, bool)> {
    let (tenants, events) = AT_ONCE;
    let sql = Sql::new("SELECT f.figure, f.total, f.behind FROM app.count_figures(")
        .bind(tenants)
        .push(", ")
        .bind(events)
        .push(") f");
    let mut tx = db.system(SystemReason::Figures).await?;
    let rows: Vec<FigureRow> = tx.all(sql).await?;
    tx.commit().await?;
    let is_behind = rows.iter().any(|row| row.behind);
    let figures = FIGURES.map(|(name, is_total, help)| Figure {
        name,
        help,
        is_total,
        count: rows
            .iter()
            .find(|row| row.figure == name)
            .map_or(0, |row| row.total),
    });
    Ok((figures.to_vec(), is_behind))
}
