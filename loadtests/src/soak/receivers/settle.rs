//! The end: waiting until all has arrived that is to.

use std::time::Duration;

use sqlx::PgConnection;
use tokio::time::{Instant, sleep};

use crate::{Outcome, soak::history::Violation};

/// So long nothing may move. A server that was killed holds what it had taken for half a minute more.
const PATIENCE: Duration = Duration::from_secs(90);
const LOOKED_EVERY: Duration = Duration::from_millis(500);

/// What waits because it failed waits for minutes, then for hours. Whether it is sent again does not hang on when, and nobody
/// wants to wait for it here, so its time is brought forward, as far as the rows go by which servers know it. A queue that says that it has nothing to do is left alone: a job
/// that was forgotten there has to be missed.
const HURRY: [&str; 4] = [
    "UPDATE webhook_deliveries SET due_at = now() WHERE due_at > now()",
    "UPDATE webhook_endpoint_health SET rests_until = now() WHERE rests_until > now()",
    "UPDATE jobs SET due_at = now() WHERE kind = 'webhooks.send' AND status = 'QUEUED' AND due_at > now()",
    "UPDATE job_queues q SET due_at = now() WHERE q.due_at > now() AND q.due_at < 'infinity' AND EXISTS \
        (SELECT 1 FROM jobs j WHERE j.tenant_id = q.tenant_id AND j.kind = 'webhooks.send' AND j.status = 'QUEUED' AND j.due_at <= now())",
];
/// Events that no endpoint has worked out yet, what is to be sent, and what was.
const STANDING: &str = "SELECT
    (SELECT coalesce(sum(s.last_seq - c.seq), 0)::bigint FROM event_consumers c JOIN tenant_seq s USING (tenant_id)
        WHERE c.kind = 'webhooks.send'),
    (SELECT count(*) FROM webhook_deliveries WHERE due_at IS NOT NULL),
    (SELECT count(*) FROM webhook_deliveries WHERE status = 'DELIVERED')";

/// Waits until endpoints have been sent all that happened, for as long as something moves.
pub(crate) async fn settle(database: &mut PgConnection) -> Outcome<Option<Violation>> {
    let (mut last, mut moved) = ((0, 0, 0), Instant::now());
    loop {
        // Each by itself, so that it holds up no server that writes the same rows in another order.
        for sql in HURRY {
            sqlx::query(sql).execute(&mut *database).await?;
        }
        let standing: (i64, i64, i64) = sqlx::query_as(STANDING).fetch_one(&mut *database).await?;
        let (behind, pending, _) = standing;
        if (behind, pending) == (0, 0) {
            return Ok(None);
        }
        if standing != last {
            (last, moved) = (standing, Instant::now());
        }
        if moved.elapsed() > PATIENCE {
            return Ok(Some(format!(
                "webhooks stand still, {behind} events and {pending} deliveries from the end"
            )));
        }
        sleep(LOOKED_EVERY).await;
    }
}
