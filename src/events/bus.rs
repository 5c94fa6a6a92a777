//! Hints between servers, by Redis' publish and subscribe. The table is the truth; this only says when to look.

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    time::Duration,
};

use futures_util::StreamExt as _;
use redis::aio::{ConnectionManager, ConnectionManagerConfig, PubSubSink, PubSubStream};
use tokio::{sync::Notify, time::timeout};
use tokio_util::sync::CancellationToken;

use crate::{
    base::ids::{TenantId, Typed as _},
    db::journal::Hints,
    platform::redis::RedisAddress,
};

/// Nothing waits longer than this for Redis.
const PATIENCE: Duration = Duration::from_millis(200);
/// How long to wait before an unavailable Redis is tried again.
const PAUSE: Duration = Duration::from_millis(250);
/// How often a silent Redis is pinged, and channels without listeners are unsubscribed.
const CHECKED_EVERY: Duration = Duration::from_secs(1);

/// The connection to the other servers.
#[derive(Clone)]
pub(super) struct Bus {
    hints: Hints,
    redis: RedisAddress,
    state: Arc<AtomicU8>,
    /// Notified when hints may have been missed: the table is to be polled.
    pub(super) missed: Arc<Notify>,
}

/// The state of the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BusState {
    /// There is no Redis, so there are no other servers.
    Disabled = 0,
    /// Redis carries hints.
    Connected = 1,
    /// Redis is unavailable.
    Disconnected = 2,
}

impl Bus {
    pub(super) fn new(hints: Hints, redis: RedisAddress) -> Self {
        let state = if redis.url().is_some() {
            BusState::Disconnected
        } else {
            BusState::Disabled
        };
        let connected = state == BusState::Disabled;
        redis.metrics().redis.connected.set(connected.into());
        Self {
            hints,
            redis,
            state: Arc::new(AtomicU8::new(state as u8)),
            missed: Arc::default(),
        }
    }

    pub(super) fn state(&self) -> BusState {
        match self.state.load(Ordering::Relaxed) {
            0 => BusState::Disabled,
            1 => BusState::Connected,
            _ => BusState::Disconnected,
        }
    }

    /// Carries hints both ways until stopped.
    pub(super) async fn run(&self, stop: &CancellationToken) {
        let carry = async {
            tokio::join!(self.send(), self.receive());
        };
        stop.run_until_cancelled(carry).await;
    }

    /// Without Redis hints are dropped here: this server has them already.
    async fn send(&self) {
        let mut manager = None;
        loop {
            let hints = self.hints.taken().await;
            let Some(url) = self.redis.url() else {
                continue;
            };
            if manager.is_none() {
                manager = connect(url).await;
            }
            let sent = match &mut manager {
                Some(connection) => {
                    let mut pipe = redis::pipe();
                    for (tenant, seq) in &hints {
                        pipe.publish(Hints::channel(*tenant), *seq).ignore();
                    }
                    pipe.query_async::<()>(connection).await.is_ok()
                }
                None => false,
            };
            if !sent {
                manager = None;
                self.hints.put_back(hints);
                tokio::time::sleep(PAUSE).await;
            }
        }
    }

    async fn receive(&self) {
        let Some(url) = self.redis.url() else {
            return;
        };
        loop {
            if let Some((sink, stream)) = subscribe(url).await {
                self.listen(sink, stream).await;
            }
            if self.state() == BusState::Connected {
                tracing::warn!(
                    "redis is away: changes of other servers are looked for in the database meanwhile"
                );
            }
            self.set(BusState::Disconnected);
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Receives hints until the connection breaks.
    async fn listen(&self, mut sink: PubSubSink, mut stream: PubSubStream) {
        let mut subscribed = HashSet::new();
        let mut check = tokio::time::interval(CHECKED_EVERY);
        check.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                message = stream.next() => {
                    let Some(message) = message else { return };
                    let seq = message.get_payload::<i64>().ok();
                    if let Some((tenant, seq)) = tenant_of(message.get_channel_name()).zip(seq) {
                        self.hints.hear(tenant, seq);
                    }
                }
                () = self.hints.joined() => {
                    if !self.follow(&mut sink, &mut subscribed).await { return }
                }
                _ = check.tick() => {
                    let pong = timeout(PATIENCE * 2, sink.ping::<redis::Value>()).await;
                    if !matches!(pong, Ok(Ok(_))) || !self.follow(&mut sink, &mut subscribed).await {
                        return;
                    }
                }
            }
        }
    }

    /// Subscribes to the channels that have listeners and leaves the others; whether Redis still answers.
    async fn follow(&self, sink: &mut PubSubSink, subscribed: &mut HashSet<TenantId>) -> bool {
        let wanted: HashSet<TenantId> = self.hints.listening().into_iter().collect();
        let change = async {
            for tenant in wanted.difference(subscribed) {
                sink.subscribe(Hints::channel(*tenant)).await?;
            }
            for tenant in subscribed.difference(&wanted) {
                sink.unsubscribe(Hints::channel(*tenant)).await?;
            }
            redis::RedisResult::Ok(())
        };
        // Many at once after a reconnect, so the whole has a time limit and not each.
        let changed = timeout(Duration::from_secs(5), change).await;
        if !matches!(changed, Ok(Ok(()))) {
            return false;
        }
        if *subscribed != wanted || self.state() != BusState::Connected {
            // Hints that were published before this are missed.
            self.set(BusState::Connected);
            self.missed.notify_one();
        }
        *subscribed = wanted;
        true
    }

    fn set(&self, state: BusState) {
        self.state.store(state as u8, Ordering::Relaxed);
        let connected = state == BusState::Connected;
        self.redis.metrics().redis.connected.set(connected.into());
    }
}

/// Whether Redis answers, within a fraction of a second.
pub async fn redis_answers(url: &str) -> bool {
    let Some(mut manager) = connect(url).await else {
        return false;
    };
    redis::cmd("PING")
        .query_async::<String>(&mut manager)
        .await
        .is_ok()
}

fn tenant_of(channel: &str) -> Option<TenantId> {
    let simple = channel.strip_prefix("dealgraph:{")?.strip_suffix("}:seq")?;
    Some(TenantId::from_uuid(simple.parse().ok()?))
}

async fn connect(url: &str) -> Option<ConnectionManager> {
    let client = redis::Client::open(url).ok()?;
    let config = ConnectionManagerConfig::new()
        .set_number_of_retries(1)
        .set_connection_timeout(Some(PATIENCE))
        .set_response_timeout(Some(PATIENCE));
    match client.get_connection_manager_with_config(config).await {
        Ok(manager) => Some(manager),
        Err(error) => {
            tracing::debug!(%error, "redis not reachable");
            None
        }
    }
}

async fn subscribe(url: &str) -> Option<(PubSubSink, PubSubStream)> {
    let client = redis::Client::open(url).ok()?;
    let connected = timeout(PATIENCE * 5, client.get_async_pubsub()).await;
    Some(connected.ok()?.ok()?.split())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_channel_names_its_tenant() {
        let tenant = TenantId::new();
        assert_eq!(tenant_of(&Hints::channel(tenant)), Some(tenant));
        for other in ["", "dealgraph:{}:seq", "dealgraph:{x}:seq", "seq"] {
            assert_eq!(tenant_of(other), None);
        }
    }
}
