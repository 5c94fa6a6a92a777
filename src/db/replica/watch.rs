//! Watching a replica: how far the primary is, how far the replica is, and whether it is one.

use std::time::{Duration, Instant};

use sqlx::{ConnectOptions as _, Connection as _, FromRow as _, PgConnection};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::{
    Inner, PATIENCE, Replica,
    state::{Beat, History, Look, Out},
};
use crate::{
    base::error::{Error, Result},
    db::{Db, Sql, SystemReason},
};

/// How often both are asked.
const EVERY: Duration = Duration::from_millis(500);
/// How soon at the earliest, when reads are in doubt.
const SOONEST: Duration = Duration::from_millis(50);

/// How far the primary is, and in which history. What is inserted and not flushed yet counts: a commit that does not
/// wait for the flush is told before it. Where nothing follows the head of a page or a segment, the position behind the
/// head is the end of the page before, which is as far as a replica can come.
const PRIMARY: &str = "SELECT p.lsn - CASE \
        WHEN p.lsn % pg_size_bytes(current_setting('wal_segment_size')) = 40 THEN 40 \
        WHEN p.lsn % current_setting('wal_block_size')::int8 = 24 THEN 24 ELSE 0 END AS lsn, p.system, p.timeline \
     FROM (SELECT (pg_current_wal_insert_lsn() - '0/0')::int8 AS lsn, c.system_identifier AS system, \
        ('x' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))::bit(32)::int4 AS timeline \
     FROM pg_control_system() c) p";

/// The same of a replica. Which timeline it replays stands in its control file somewhat later, so that it is not used
/// for a while after the primary was replaced.
const REPLICA: &str = "SELECT pg_is_in_recovery() AS is_standby, coalesce((pg_last_wal_replay_lsn() - '0/0')::int8, 0) AS lsn, \
        c.system_identifier AS system, greatest(p.timeline_id, m.min_recovery_end_timeline) AS timeline, \
        r.rolname = 'dealgraph_app' AND NOT r.rolsuper AND NOT r.rolbypassrls AND NOT EXISTS ( \
            SELECT FROM pg_class t WHERE t.relnamespace = 'public'::regnamespace AND t.relkind IN ('r', 'p') \
               AND pg_has_role(r.oid, t.relowner, 'USAGE')) AS is_bound \
     FROM pg_control_system() c, pg_control_checkpoint() p, pg_control_recovery() m, pg_roles r \
     WHERE r.rolname = current_user";

#[derive(sqlx::FromRow)]
struct PrimaryRow {
    lsn: i64,
    #[sqlx(flatten)]
    history: History,
}

#[derive(sqlx::FromRow)]
struct ReplicaRow {
    is_standby: bool,
    is_bound: bool,
    lsn: i64,
    #[sqlx(flatten)]
    history: History,
}

impl Db {
    /// Watches the replica, if there is one, until the server stops. Without this no read goes there.
    pub async fn watch_replica(self, stop: CancellationToken) {
        let Some(Replica(replica)) = self.replica.clone() else {
            return;
        };
        let mut connection = None;
        let watch = async {
            loop {
                match timeout(PATIENCE, self.beat()).await {
                    Ok(Ok(beat)) => replica.state().beat(beat),
                    // Then what is known grows old, and nothing is read from the replica.
                    Ok(Err(error)) => tracing::debug!(%error, "how far the primary is"),
                    Err(_) => tracing::debug!("the primary does not say how far it is"),
                }
                replica.look(&mut connection).await;
                tokio::select! {
                    () = sleep(EVERY) => {}
                    () = replica.doubted.notified() => {
                        // A connection that is there already would say nothing of new ones.
                        connection = None;
                        sleep(SOONEST).await;
                    }
                }
            }
        };
        stop.run_until_cancelled(watch).await;
    }

    /// How far the primary is.
    async fn beat(&self) -> Result<Beat> {
        let mut reader = self.autocommit_reader(SystemReason::Replica).await?;
        let at = Instant::now();
        let rows = reader.all::<PrimaryRow>(Sql::new(PRIMARY)).await?;
        let row = rows.first().ok_or(Error::Unavailable("the database"))?;
        Ok(Beat {
            at,
            lsn: row.lsn,
            history: row.history,
        })
    }
}

impl Inner {
    /// Looks at the replica, on a connection that is kept for that.
    async fn look(&self, connection: &mut Option<PgConnection>) {
        let looked = timeout(PATIENCE, self.ask(connection)).await;
        let found = match looked {
            Ok(Ok(look)) => Ok(look),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err("it does not answer in time".to_owned()),
        };
        if found.is_err() {
            *connection = None;
        }
        let (out, was_out) = {
            // Both at once, or a read that begins meanwhile would be ended by what was so before.
            let mut state = self.state();
            state.look(found.as_ref().copied().map_err(|_| Out::Away));
            let out = state.out();
            (out, self.is_out.send_replace(out.is_some()))
        };
        match (out, was_out) {
            (Some(Out::Unknown), _) => {}
            (Some(why), false) => {
                let error = found.err();
                tracing::warn!(?why, error, "the replica is not read from");
            }
            (None, true) => tracing::info!("the replica is read from"),
            _ => {}
        }
    }

    async fn ask(&self, connection: &mut Option<PgConnection>) -> sqlx::Result<Look> {
        let connection = match connection {
            Some(connection) => connection,
            none => {
                let login = self.login.clone();
                let login = login
                    .extra_float_digits(None)
                    .application_name("dealgraph-replica-watch")
                    .disable_statement_logging();
                none.insert(PgConnection::connect_with(&login).await?)
            }
        };
        // In one message, so that a pooler in between can't mix it up.
        let row = sqlx::raw_sql(REPLICA).fetch_one(connection).await?;
        let row = ReplicaRow::from_row(&row)?;
        Ok(Look {
            is_standby: row.is_standby,
            is_bound: row.is_bound,
            lsn: row.lsn,
            history: row.history,
        })
    }
}
