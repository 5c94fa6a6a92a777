//! The ledger of what is sent: each attempt is noted before it is made and when it is over, so that none is made that
//! nobody knows of, whoever dies when.

use std::time::Duration;

use uuid::Uuid;

use super::schedule;
use crate::{
    base::{
        error::Result,
        ids::{Typed as _, WebhookEndpointId},
    },
    db::{Sql, Tx, rows_per_statement},
};

/// Something that is to be sent.
pub(super) struct NewDelivery {
    pub(super) id: Uuid,
    pub(super) seq: i64,
    pub(super) change: String,
    pub(super) entity: String,
    pub(super) entity_id: Uuid,
    pub(super) body: String,
}

/// Writes what is to be sent. What was worked out before is there already; what was not sent of it, because the endpoint was
/// disabled or somebody else answers for it now, is to be sent as it is now.
pub(super) async fn insert(
    tx: &mut Tx,
    (endpoint, runs_as): (WebhookEndpointId, &str),
    new: Vec<NewDelivery>,
) -> Result<()> {
    let (tenant, now) = (tx.tenant(), tx.now());
    let mut new = new.into_iter().peekable();
    while new.peek().is_some() {
        let some: Vec<_> = new.by_ref().take(rows_per_statement(11)).collect();
        let sql = Sql::new(
            "INSERT INTO webhook_deliveries (tenant_id, webhook_delivery_id, webhook_endpoint_id, seq, change, entity, \
             entity_id, due_at, body, runs_as, created_at)",
        );
        let sql = sql.rows(some, |mut row, delivery| {
            row.bind(tenant)
                .bind(delivery.id)
                .bind(endpoint)
                .bind(delivery.seq)
                .bind(delivery.change)
                .bind(delivery.entity)
                .bind(delivery.entity_id)
                .bind(now)
                .bind(delivery.body)
                .bind(runs_as.to_owned())
                .bind(now);
        });
        let sql = sql.push(
            " ON CONFLICT (tenant_id, webhook_delivery_id) DO UPDATE SET status = 'PENDING', tries = 0, \
             due_at = excluded.due_at, ended_at = NULL, body = excluded.body, runs_as = excluded.runs_as, changed_at = now() \
             WHERE webhook_deliveries.status = 'CANCELLED'",
        );
        tx.execute(sql).await?;
    }
    Ok(())
}

/// How an endpoint answers.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Health {
    /// How often in a row it could not be reached.
    pub(super) failures: u32,
    /// For how long that has been so.
    pub(super) failing_for: Option<Duration>,
    /// For how long it is still left alone.
    pub(super) rest: Option<Duration>,
}

/// How an endpoint answers, by the database's clock.
pub(super) async fn health(tx: &mut Tx, endpoint: WebhookEndpointId) -> Result<Health> {
    let sql = Sql::new(
        "SELECT h.failures, extract(epoch FROM now() - h.failing_since)::float8, \
         extract(epoch FROM h.rests_until - now())::float8 FROM webhook_endpoint_health h WHERE h.tenant_id = ",
    );
    let sql = of(sql, tx, endpoint);
    let found = tx.optional::<(i32, Option<f64>, Option<f64>)>(sql).await?;
    let Some((failures, failing_s, rest_s)) = found else {
        return Ok(Health::default());
    };
    let seconds = |s: Option<f64>| s.filter(|s| *s > 0.0).map(Duration::from_secs_f64);
    Ok(Health {
        failures: failures.unsigned_abs(),
        failing_for: seconds(failing_s),
        rest: seconds(rest_s),
    })
}

/// How many deliveries are to be sent to an endpoint, counted up to some.
pub(super) async fn pending(tx: &mut Tx, endpoint: WebhookEndpointId, most: i64) -> Result<i64> {
    let sql = Sql::new(
        "SELECT count(*) FROM (SELECT 1 FROM webhook_deliveries h WHERE h.due_at IS NOT NULL AND h.tenant_id = ",
    );
    let sql = of(sql, tx, endpoint).push(" LIMIT ").bind(most);
    let counted: Vec<i64> = tx.column(sql.push(") p")).await?;
    Ok(counted.first().copied().unwrap_or_default())
}

/// A delivery that is being sent.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(super) struct Due {
    pub(super) webhook_delivery_id: Uuid,
    pub(super) entity_id: Option<Uuid>,
    pub(super) body: String,
    /// Which attempt it is, from 1, and which since somebody asked for it.
    pub(super) attempts: i32,
    pub(super) tries: i32,
    /// How long it has been due.
    pub(super) waited_s: f64,
}

/// Takes deliveries that are due, in the order of their events, and notes an attempt at each. Those of a record for which
/// an earlier one waits are not due.
pub(super) async fn begin(tx: &mut Tx, endpoint: WebhookEndpointId, most: i64) -> Result<Vec<Due>> {
    let (tenant, now) = (tx.tenant(), tx.now());
    let sql = Sql::new(
        "SELECT h.webhook_delivery_id FROM webhook_deliveries h WHERE h.due_at <= now() AND h.tenant_id = ",
    );
    let sql = of(sql, tx, endpoint)
        .push(
            " AND NOT EXISTS (SELECT 1 FROM webhook_deliveries w WHERE w.due_at > now() AND w.tenant_id = ",
        )
        .bind(tenant)
        .push(
            " AND w.webhook_endpoint_id = h.webhook_endpoint_id AND w.entity_id = h.entity_id AND w.seq < h.seq) \
             ORDER BY h.seq NULLS FIRST LIMIT ",
        )
        .bind(most);
    let ids: Vec<Uuid> = tx.column(sql).await?;
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let sql = Sql::new(
        "UPDATE webhook_deliveries d SET attempts = d.attempts + 1, tries = d.tries + 1, changed_at = now() \
         WHERE d.tenant_id = ",
    )
    .bind(tenant)
    .push(" AND d.webhook_delivery_id")
    .one_of(&ids)
    .push(
        " RETURNING d.webhook_delivery_id, d.entity_id, d.body, d.attempts, d.tries, \
         extract(epoch FROM now() - d.due_at)::float8 AS waited_s",
    );
    let mut taken = tx.all::<Due>(sql).await?;
    let place = |due: &Due| ids.iter().position(|id| *id == due.webhook_delivery_id);
    taken.sort_by_key(place);
    let sql = Sql::new(
        "INSERT INTO webhook_attempts (tenant_id, webhook_delivery_id, attempt, started_at)",
    );
    let sql = sql.rows(&taken, |mut row, due| {
        row.bind(tenant)
            .bind(due.webhook_delivery_id)
            .bind(due.attempts)
            .bind(now);
    });
    tx.execute(sql).await?;
    Ok(taken)
}

/// In how long the next delivery is due; nothing when there is none.
pub(super) async fn next_due(tx: &mut Tx, endpoint: WebhookEndpointId) -> Result<Option<Duration>> {
    let sql = Sql::new(
        "SELECT extract(epoch FROM min(h.due_at) - now())::float8 FROM webhook_deliveries h \
         WHERE h.due_at IS NOT NULL AND h.tenant_id = ",
    );
    let sql = of(sql, tx, endpoint);
    let next: Vec<Option<f64>> = tx.column(sql).await?;
    let next = next.into_iter().next().flatten();
    Ok(next.map(|seconds| Duration::from_secs_f64(seconds.max(0.0))))
}

/// What became of an attempt.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Ended {
    pub(super) delivery: Uuid,
    pub(super) attempt: i32,
    pub(super) tries: i32,
    pub(super) outcome: Outcome,
    pub(super) took: Duration,
}

impl Ended {
    /// An attempt that was noted and not made.
    pub(super) fn left(due: &Due) -> Self {
        Self {
            delivery: due.webhook_delivery_id,
            attempt: due.attempts,
            tries: due.tries,
            outcome: Outcome::Left,
            took: Duration::ZERO,
        }
    }

    fn is_left(&self) -> bool {
        self.outcome == Outcome::Left
    }

    /// When it is sent again, if it is.
    fn pause(&self) -> Option<Duration> {
        if matches!(self.outcome, Outcome::Delivered(..)) {
            return None;
        }
        let pause = schedule::pause(self.tries.unsigned_abs(), fastrand::f64())?;
        let asked = self.outcome.asked_pause();
        Some(asked.map_or(pause, |asked| asked.max(pause)))
    }
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Outcome {
    /// It arrived.
    Delivered(u16, String),
    /// It was answered otherwise; and when the receiver wants it again.
    Refused(u16, Option<Duration>, String),
    /// There was no answer.
    Unreached(&'static str),
    /// It was not sent after all.
    Left,
}

impl Outcome {
    /// For metrics; nothing for what was not sent.
    pub(super) fn metric(&self) -> Option<&'static str> {
        match self {
            Self::Delivered(..) => Some("delivered"),
            Self::Refused(..) => Some("refused"),
            Self::Unreached(_) => Some("unreached"),
            Self::Left => None,
        }
    }

    fn word(&self) -> &'static str {
        match self {
            Self::Delivered(..) => "DELIVERED",
            Self::Refused(..) => "REFUSED",
            Self::Unreached(_) => "UNREACHED",
            Self::Left => "SENDING",
        }
    }

    fn status(&self) -> Option<i32> {
        match self {
            Self::Delivered(status, _) | Self::Refused(status, ..) => Some((*status).into()),
            Self::Unreached(_) | Self::Left => None,
        }
    }

    /// Why it failed, for programs.
    pub(super) fn error(&self) -> Option<&'static str> {
        match self {
            Self::Delivered(..) | Self::Left => None,
            Self::Refused(..) => Some("REFUSED"),
            Self::Unreached(code) => Some(code),
        }
    }

    fn response(self) -> Option<String> {
        match self {
            Self::Delivered(_, text) | Self::Refused(_, _, text) => Some(text),
            Self::Unreached(_) | Self::Left => None,
        }
    }

    /// Whether it tells of the endpoint as a whole, rather than of what was sent.
    pub(super) fn is_endpoints(&self) -> bool {
        match self {
            Self::Delivered(..) | Self::Left => false,
            Self::Refused(status, ..) => matches!(status, 429 | 502 | 503 | 504),
            Self::Unreached(_) => true,
        }
    }

    /// For how long the receiver wants to be left alone.
    pub(super) fn asked_pause(&self) -> Option<Duration> {
        match self {
            Self::Refused(_, pause, _) => *pause,
            _ => None,
        }
    }
}

/// Notes what became of attempts.
pub(super) async fn end(tx: &mut Tx, ended: Vec<Ended>) -> Result<()> {
    let (left, made): (Vec<_>, Vec<_>) = ended.into_iter().partition(Ended::is_left);
    take_back(tx, &left).await?;
    let pauses: Vec<_> = made.iter().map(Ended::pause).collect();
    let status = |(one, pause): (&Ended, &Option<Duration>)| match (&one.outcome, pause) {
        (Outcome::Delivered(..), _) => "DELIVERED".to_owned(),
        (_, Some(_)) => "PENDING".to_owned(),
        (_, None) => "FAILED".to_owned(),
    };
    let statuses: Vec<_> = made.iter().zip(&pauses).map(status).collect();
    let pauses_s: Vec<_> = pauses
        .iter()
        .map(|pause| pause.map(|pause| pause.as_secs_f64()))
        .collect();
    let ids: Vec<_> = made.iter().map(|one| one.delivery).collect();
    let answers: Vec<_> = made.iter().map(|one| one.outcome.status()).collect();
    let errors = made.iter().map(|one| one.outcome.error());
    let errors: Vec<_> = errors.map(|code| code.map(str::to_owned)).collect();
    let sql = Sql::new(
        "UPDATE webhook_deliveries d SET status = e.status, due_at = now() + make_interval(secs => e.pause_s), \
         ended_at = CASE WHEN e.pause_s IS NULL THEN now() END, response_status = e.answer, error_code = e.error, \
         changed_at = now() FROM unnest(",
    )
    .bind(ids.clone())
    .push("::uuid[], ")
    .bind(statuses)
    .push("::text[], ")
    .bind(pauses_s)
    .push("::float8[], ")
    .bind(answers.clone())
    .push("::integer[], ")
    .bind(errors.clone())
    .push("::text[]) AS e(id, status, pause_s, answer, error) WHERE d.due_at IS NOT NULL AND d.tenant_id = ")
    .bind(tx.tenant())
    .push(" AND d.webhook_delivery_id = e.id");
    tx.execute(sql).await?;
    let words = made.iter().map(|one| one.outcome.word().to_owned());
    let took = |one: &Ended| i32::try_from(one.took.as_millis()).unwrap_or(i32::MAX);
    let sql = Sql::new(
        "UPDATE webhook_attempts a SET outcome = e.outcome, response_status = e.answer, error_code = e.error, \
         took_ms = e.took_ms, response = e.response FROM unnest(",
    )
    .bind(ids)
    .push("::uuid[], ")
    .bind(made.iter().map(|one| one.attempt).collect::<Vec<_>>())
    .push("::integer[], ")
    .bind(words.collect::<Vec<_>>())
    .push("::text[], ")
    .bind(answers)
    .push("::integer[], ")
    .bind(errors)
    .push("::text[], ")
    .bind(made.iter().map(took).collect::<Vec<_>>())
    .push("::integer[], ")
    .bind(made.into_iter().map(|one| one.outcome.response()).collect::<Vec<_>>())
    .push(
        "::text[]) AS e(id, attempt, outcome, answer, error, took_ms, response) WHERE a.tenant_id = ",
    )
    .bind(tx.tenant())
    .push(" AND a.webhook_delivery_id = e.id AND a.attempt = e.attempt");
    tx.execute(sql).await?;
    Ok(())
}

/// Takes attempts back that were noted and not made, since one before them failed.
async fn take_back(tx: &mut Tx, left: &[Ended]) -> Result<()> {
    let ids: Vec<_> = left.iter().map(|one| one.delivery).collect();
    if ids.is_empty() {
        return Ok(());
    }
    let sql = Sql::new(
        "DELETE FROM webhook_attempts a USING webhook_deliveries d WHERE d.tenant_id = a.tenant_id \
         AND d.webhook_delivery_id = a.webhook_delivery_id AND a.attempt = d.attempts AND a.outcome = 'SENDING' \
         AND a.tenant_id = ",
    );
    let sql = sql.bind(tx.tenant()).push(" AND a.webhook_delivery_id");
    let sql = sql.one_of(&ids);
    tx.execute(sql).await?;
    let sql = Sql::new(
        "UPDATE webhook_deliveries d SET attempts = d.attempts - 1, tries = d.tries - 1, changed_at = now() \
         WHERE d.tenant_id = ",
    );
    let sql = sql.bind(tx.tenant()).push(" AND d.webhook_delivery_id");
    let sql = sql.one_of(&ids);
    tx.execute(sql).await?;
    Ok(())
}

/// Notes how an endpoint answers: whether it took anything, and for how long it is left alone because it could not be
/// reached.
pub(super) async fn note_health(
    tx: &mut Tx,
    endpoint: WebhookEndpointId,
    has_taken: bool,
    error: Option<&'static str>,
    rest: Option<Duration>,
) -> Result<()> {
    let sql = Sql::new(
        "UPDATE webhook_endpoint_health h SET delivered_at = CASE WHEN r.has_taken THEN now() ELSE h.delivered_at END, \
         failing_since = CASE WHEN r.has_taken THEN NULL ELSE coalesce(h.failing_since, now()) END, \
         failures = CASE WHEN r.rest_s IS NULL THEN 0 WHEN r.has_taken THEN 1 ELSE h.failures + 1 END, \
         rests_until = now() + make_interval(secs => r.rest_s), error_code = r.error FROM (VALUES (",
    )
    .bind(has_taken)
    .push("::boolean, ")
    .bind(rest.map(|rest| rest.as_secs_f64()))
    .push("::float8, ")
    .bind(error.map(str::to_owned))
    .push("::text)) r(has_taken, rest_s, error) WHERE h.tenant_id = ");
    let sql = of(sql, tx, endpoint);
    tx.execute(sql).await?;
    Ok(())
}

fn of(sql: Sql, tx: &Tx, endpoint: WebhookEndpointId) -> Sql {
    sql.bind(tx.tenant())
        .push(" AND h.webhook_endpoint_id = ")
        .bind(endpoint.uuid())
}
