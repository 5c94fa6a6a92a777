//! Endpoints of several tenants with their receivers, and events that they can be sent again and again.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use hyper::{HeaderMap, StatusCode};
use serde_json::{Value as Json, json};
use sqlx::PgConnection;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};
use uuid::Uuid;

use super::SLOW;
use crate::{
    Outcome,
    client::Question,
    cluster::Cluster,
    receiver::{self, Reply, Takes},
    server::Server,
    workload,
};

/// Each in a tenant of its own.
pub(super) const ENDPOINTS: usize = 20;
/// All of them together.
pub(super) const EVENTS: usize = 5_000;
/// Deals of a tenant that are changed in turns.
const DEALS: usize = 50;
/// How often one is asked for.
const ATTEMPTS: u32 = 100;
/// The number of the first tenant, in the data.
const FIRST: i32 = 2;

/// Counts what comes.
#[derive(Default)]
struct Counter {
    has: AtomicUsize,
    is_slow: AtomicBool,
    last: Mutex<Bytes>,
}

impl Takes for Counter {
    fn take(&self, _: &str, _: &HeaderMap, body: &Bytes) -> Reply {
        self.has.fetch_add(1, Ordering::Relaxed);
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.clone_from(body);
        match self.is_slow.load(Ordering::Relaxed) {
            true => Reply::After(SLOW, StatusCode::NO_CONTENT),
            false => Reply::Now(StatusCode::NO_CONTENT),
        }
    }
}

struct Endpoint {
    id: Json,
    tenant: Uuid,
    admin: Uuid,
    deals: Vec<Uuid>,
    url: String,
    counter: Arc<Counter>,
    /// The place in the log before all that it is sent.
    before: Json,
}

pub(super) struct Stage<'a> {
    cluster: &'a Cluster,
    server: &'a Server,
    database: PgConnection,
    endpoints: Vec<Endpoint>,
}

impl<'a> Stage<'a> {
    /// Sets the endpoints up.
    pub(super) async fn build(cluster: &'a Cluster, server: &'a Server) -> Outcome<Self> {
        let mut stage = Self {
            cluster,
            server,
            database: cluster.superuser().await?,
            endpoints: Vec::new(),
        };
        stage.clear().await?;
        for tenant in (FIRST..).take(ENDPOINTS) {
            let endpoint = stage.endpoint(tenant).await?;
            stage.endpoints.push(endpoint);
        }
        Ok(stage)
    }

    async fn endpoint(&mut self, number: i32) -> Outcome<Endpoint> {
        let tenant: Uuid = sqlx::query_scalar("SELECT tenant_id FROM bench.tenants WHERE nr = $1")
            .bind(number)
            .fetch_one(&mut self.database)
            .await?;
        let admin = workload::id(&mut self.database, (2, number, 1)).await?;
        let deals = "SELECT opportunity_id FROM opportunities WHERE tenant_id = $1 AND archived_at IS NULL \
            ORDER BY opportunity_id LIMIT $2";
        let deals: Vec<Uuid> = sqlx::query_scalar(deals)
            .bind(tenant)
            .bind(DEALS as i64)
            .fetch_all(&mut self.database)
            .await?;
        let counter = Arc::<Counter>::default();
        let address = receiver::start(Arc::clone(&counter)).await?;
        let url = format!("http://{address}/");
        let token = self.cluster.token(admin, tenant).await?;
        let input = json!({ "name": "Measured", "url": url, "subscriptions": [{ "topic": "OPPORTUNITY" }] });
        let document = "mutation($input: WebhookEndpointCreateInput!) { webhookEndpointCreate(input: $input) { \
            webhookEndpoint { id } userErrors { code message } } }";
        let made = self
            .ask(&token, document, json!({ "input": input }))
            .await?;
        let here = self.ask(&token, "{ eventCursor }", json!({})).await?;
        Ok(Endpoint {
            id: made["data"]["webhookEndpointCreate"]["webhookEndpoint"]["id"].clone(),
            tenant,
            admin,
            deals,
            url,
            counter,
            before: here["data"]["eventCursor"].clone(),
        })
    }

    async fn ask(&self, token: &str, document: &str, variables: Json) -> Outcome<Json> {
        let question = Question::new(token, document, &variables)?;
        let answer = self.server.connect().await?.ask(&question).await?;
        Ok(serde_json::from_slice(&answer)?)
    }

    /// Changes deals, in all tenants at the same time.
    pub(super) async fn write(&self) -> Outcome<()> {
        let mut writing = JoinSet::new();
        for endpoint in &self.endpoints {
            let token = self.cluster.token(endpoint.admin, endpoint.tenant).await?;
            let deals = endpoint.deals.clone();
            let mut connection = self.server.connect().await?;
            writing.spawn(async move {
                let document = "mutation($input: OpportunityUpdateInput!) { opportunityUpdate(input: $input) { \
                    userErrors { code message } } }";
                for (number, deal) in deals.iter().cycle().take(EVENTS / ENDPOINTS).enumerate() {
                    let name = format!("Measured {number} {:x}", fastrand::u64(..));
                    let input = json!({ "id": format!("opportunity:{deal}"), "name": name });
                    let question = Question::new(&token, document, &json!({ "input": input }))?;
                    let mut asked = 1;
                    // The tenant is sent its events meanwhile, and may be too busy for a moment.
                    while let Err(error) = connection.ask(&question).await {
                        if asked == ATTEMPTS {
                            return Err(error);
                        }
                        asked += 1;
                        sleep(Duration::from_millis(50)).await;
                    }
                }
                Outcome::Ok(())
            });
        }
        while let Some(wrote) = writing.join_next().await {
            wrote??;
        }
        Ok(())
    }

    /// Forgets what was sent, since nothing is sent a second time by being followed again.
    pub(super) async fn rewind(&mut self) -> Outcome<()> {
        sqlx::query("DELETE FROM webhook_deliveries WHERE tenant_id = ANY($1)")
            .bind(self.tenants())
            .execute(&mut self.database)
            .await?;
        sqlx::raw_sql("VACUUM ANALYZE webhook_deliveries, webhook_attempts, webhook_endpoint_health, jobs, job_queues")
            .execute(&mut self.database)
            .await?;
        for endpoint in &self.endpoints {
            endpoint.counter.has.store(0, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Has all endpoints follow the events again; since when.
    pub(super) async fn replay(&self) -> Outcome<Instant> {
        let mut asking = Vec::new();
        for endpoint in &self.endpoints {
            let token = self.cluster.token(endpoint.admin, endpoint.tenant).await?;
            let input = json!({ "id": endpoint.id, "after": endpoint.before });
            asking.push((token, json!({ "input": input })));
        }
        let began = Instant::now();
        let document = "mutation($input: WebhookEndpointReplayInput!) { webhookEndpointReplay(input: $input) { \
            userErrors { code message } } }";
        for (token, variables) in asking {
            self.ask(&token, document, variables).await?;
        }
        Ok(began)
    }

    /// Whether the first receiver takes its time.
    pub(super) fn slow_down(&self, is_slow: bool) {
        if let Some(first) = self.endpoints.first() {
            first.counter.is_slow.store(is_slow, Ordering::Relaxed);
        }
    }

    /// What a receiver has got.
    pub(super) fn has(&self, place: usize) -> usize {
        self.endpoints[place].counter.has.load(Ordering::Relaxed)
    }

    /// Deliveries of which it is noted that they arrived.
    pub(super) async fn noted(&mut self) -> Outcome<i64> {
        let sql = "SELECT count(*) FROM webhook_deliveries WHERE status = 'DELIVERED' AND tenant_id = ANY($1)";
        Ok(sqlx::query_scalar(sql)
            .bind(self.tenants())
            .fetch_one(&mut self.database)
            .await?)
    }

    pub(super) fn urls(&self) -> impl Iterator<Item = &str> {
        self.endpoints.iter().map(|endpoint| endpoint.url.as_str())
    }

    /// The last body that each receiver got.
    pub(super) fn bodies(&self) -> Vec<Bytes> {
        let last = |endpoint: &Endpoint| {
            let last = endpoint.counter.last.lock();
            last.unwrap_or_else(PoisonError::into_inner).clone()
        };
        self.endpoints.iter().map(last).collect()
    }

    /// Takes all endpoints away that there are.
    pub(super) async fn clear(&mut self) -> Outcome<()> {
        sqlx::raw_sql("DELETE FROM webhook_endpoints; DELETE FROM event_consumers; DELETE FROM jobs WHERE kind = 'webhooks.send'")
            .execute(&mut self.database)
            .await?;
        Ok(())
    }

    fn tenants(&self) -> Vec<Uuid> {
        self.endpoints
            .iter()
            .map(|endpoint| endpoint.tenant)
            .collect()
    }
}
