//! Every SQL statement that a test makes the product run, and the law on tenants that each must keep.

use std::{
    collections::HashSet,
    sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError},
};

use super::shardable::{Fault, faults};

/// The tables whose rows belong to tenants. A coverage test holds this list against the catalogue.
pub(crate) const TENANT_TABLES: [&str; 40] = [
    "activities",
    "activity_targets",
    "api_keys",
    "audit_log",
    "business_figure_positions",
    "companies",
    "contact_methods",
    "contacts",
    "event_consumers",
    "events",
    "external_links",
    "idempotency_keys",
    "inbound_endpoints",
    "inbound_messages",
    "integration_streams",
    "integrations",
    "invitations",
    "job_queues",
    "job_schedules",
    "jobs",
    "lead_form_submissions",
    "lead_forms",
    "leads",
    "memberships",
    "opportunities",
    "opportunity_contacts",
    "opportunity_stage_history",
    "opportunity_users",
    "pipelines",
    "products",
    "roles",
    "stages",
    "sync_runs",
    "teams",
    "tenant_seq",
    "tenants",
    "webhook_attempts",
    "webhook_deliveries",
    "webhook_endpoint_health",
    "webhook_endpoints",
];

/// Statements of the system login that look across tenants, each for a reason.
const BEYOND_TENANTS: [(&str, &str); 23] = [
    (
        "DELETE FROM idempotency_keys WHERE claimed_at < ",
        "idempotency: keys of all tenants are forgotten after a day",
    ),
    (
        "SELECT m.tenant_id FROM memberships m WHERE m.user_id = $1 ORDER BY",
        "accounts: what a person does to their account is audited in each of their tenants",
    ),
    (
        "SELECT t.slug FROM memberships m JOIN tenants t",
        "sign-in: who sets up a second factor through a tenant's provider may be a member of no other tenant",
    ),
    (
        "SELECT t.tenant_id, t.required_provider, t.second_factor_required FROM tenants t WHERE t.slug",
        "sign-in: which tenant it is about is known by its slug",
    ),
    (
        "SELECT t.second_factor_required FROM memberships m",
        "sign-in: a second factor is the person's, and any of their tenants can want it",
    ),
    (
        "SELECT o.tenant_id",
        "audit: whether an id that was refused belongs to another tenant",
    ),
    (
        DUE,
        "jobs: which tenants have something to do is asked for all of them at once",
    ),
    (
        "SELECT m.tenant_id, m.user_id FROM memberships m JOIN tenants t ON t.tenant_id = m.tenant_id WHERE m.moving",
        "placement: members that a server of before has begun to move are looked for in all tenants at once",
    ),
    (
        "DELETE FROM jobs j USING (SELECT o.tenant_id, o.job_id",
        "jobs: those of all tenants that ended long ago are forgotten",
    ),
    (
        "DELETE FROM webhook_deliveries d USING (SELECT o.tenant_id, o.webhook_delivery_id",
        "webhooks: the deliveries of all tenants that ended long ago are forgotten",
    ),
    (
        "SELECT t.slug, t.name, t.status, t.created_at, t.delete_after, t.suspended_because, t.plan, (SELECT count(*) FROM memberships",
        "the operator lists all tenants, with the number of their members",
    ),
    (
        "SELECT t.tenant_id, t.slug, t.name, t.status, t.base_currency, t.time_zone, t.locale, t.fiscal_year_start, t.lost_reason_required, t.warmness_threshold, t.second_factor_required, t.required_provider, t.trusted_documents_only, t.suspended_because, t.delete_after, t.quota_members, t.quota_teams, t.quota_roles, t.quota_api_keys, t.quota_webhook_endpoints, t.plan, t.created_at, t.version FROM tenants t WHERE t.s",
        "the operator names a tenant by its slug, or looks for those that are due",
    ),
    (
        "SELECT t.tenant_id, t.slug FROM tenants t",
        "audit: an operator verifies the logs of all tenants",
    ),
    (
        "SELECT m.tenant_id, m.user_id FROM memberships m WHERE m.status = 'ACTIVE' AND m.user_id = ANY(",
        "audit: what happens to a person is noted in each of their tenants",
    ),
    (
        "SELECT t.status AS standing, t.delete_after, m.status",
        "access: the login of requests, which judges plans, has no grant on people and sessions",
    ),
    (
        "SELECT t.status AS standing, t.delete_after, k.role",
        "access: the same for keys, so that both are read alike",
    ),
    (
        "SELECT s.tenant_id, s.last_seq, app.epoch(",
        "events: how far the logs of all tenants are that this server follows",
    ),
    (
        "UPDATE memberships m SET last_seen_at",
        "last use: only the system login may set it",
    ),
    (
        "UPDATE api_keys k SET last_used_at",
        "last use: only the system login may set it",
    ),
    (
        "SELECT t.tenant_id, t.slug, t.name, m.role, t.second_factor_required, t.required_provider FROM memberships m",
        "sign-in: a person chooses among the tenants they are in",
    ),
    (
        "SELECT slug FROM tenants WHERE slug = ANY(",
        "registration: whether a short name is taken by any tenant",
    ),
    (
        "UPDATE memberships SET name = ",
        "accounts: a person's name is copied into each of their tenants",
    ),
    (
        "SELECT m.user_id, m.email, m.name, m.role, m.tenant_id, t.slug",
        "development clusters list who may sign in",
    ),
];

/// What the server asks by itself every second.
const DUE: &str = "SELECT d.tenant_id, bool_or(d.is_behind) AS is_behind FROM (SELECT q.tenant_id";
/// Statements that a server runs by itself every so often, and not for a request.
const BY_THE_WAY: [&str; 6] = [
    DUE,
    "SELECT s.tenant_id, s.last_seq, app.epoch(",
    "SELECT app.keep_events(",
    "SELECT change_id, tenant_id, user_id, session_id FROM access_changes",
    "DELETE FROM access_changes",
    "SELECT kid, public_key",
];

/// Tables beyond tenants, which the system login alone reaches.
pub(crate) const GLOBAL_TABLES: [&str; 9] = [
    "access_changes",
    "business_figures",
    "identities",
    "one_time_tokens",
    "recovery_codes",
    "refresh_tokens",
    "sessions",
    "signing_keys",
    "users",
];

/// Statements that were judged already, and keep the law.
static LAWFUL: LazyLock<Mutex<HashSet<String>>> = LazyLock::new(Mutex::default);

type Hook = Box<dyn FnMut(&str) + Send>;

/// The statements of one world, in the order they began.
#[derive(Clone, Default)]
pub(crate) struct Statements(Arc<Mutex<Recorded>>);

#[derive(Default)]
struct Recorded {
    texts: Vec<String>,
    by_chance: HashSet<String>,
    hook: Option<Hook>,
}

impl Statements {
    /// Takes a statement that is about to run.
    pub(super) fn record(&self, sql: &str) {
        self.lock().texts.push(sql.to_owned());
        // The hook runs outside of the lock, because it may run statements itself.
        let hook = self.lock().hook.take();
        if let Some(mut hook) = hook {
            hook(sql);
            self.lock().hook.get_or_insert(hook);
        }
    }

    /// Calls `hook` with every statement before it runs, on the thread that runs it.
    pub(crate) fn before_each(&self, hook: impl FnMut(&str) + Send + 'static) {
        self.lock().hook = Some(Box::new(hook));
    }

    /// Of these no index is asked for what they filter by, since chance made the filters.
    pub(crate) fn are_by_chance(&self, statements: &[String]) {
        self.lock().by_chance.extend(statements.iter().cloned());
    }

    pub(super) fn by_chance(&self) -> HashSet<String> {
        self.lock().by_chance.clone()
    }

    /// All so far.
    pub(crate) fn all(&self) -> Vec<String> {
        self.lock().texts.clone()
    }

    /// What `work` comes to, and the statements that ran meanwhile, but for those that a server runs by itself.
    pub(crate) async fn during<T>(&self, work: impl Future<Output = T>) -> (T, Vec<String>) {
        let (done, mut statements) = self.all_during(work).await;
        statements.retain(|sql| !BY_THE_WAY.iter().any(|start| sql.starts_with(start)));
        (done, statements)
    }

    /// What `work` comes to, and all statements that ran meanwhile.
    pub(crate) async fn all_during<T>(&self, work: impl Future<Output = T>) -> (T, Vec<String>) {
        let before = self.lock().texts.len();
        let done = work.await;
        (done, self.lock().texts[before..].to_vec())
    }

    fn lock(&self) -> MutexGuard<'_, Recorded> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a statement looks across tenants on purpose.
pub(super) fn is_beyond_tenants(sql: &str) -> bool {
    BEYOND_TENANTS
        .iter()
        .any(|(start, _)| sql.starts_with(start))
}

/// Whether a statement asks for what Postgres supposes or remembers of tables: it does so of all tenants together.
pub(crate) fn asks_planner(sql: &str) -> bool {
    const STATISTICS: [&str; 8] = [
        "EXPLAIN",
        "ANALYZE",
        "TABLESAMPLE",
        "pg_stat",
        "reltuples",
        "relpages",
        "_size(",
        "n_live_tup",
    ];
    STATISTICS.iter().any(|word| sql.contains(word))
}

/// What keeps a statement from being one task on one node. Statements that look across tenants have a reason to.
pub(super) fn judge(sql: &str) -> Vec<Fault> {
    // Worlds have most of their statements in common.
    let lawful = || LAWFUL.lock().unwrap_or_else(PoisonError::into_inner);
    if lawful().contains(sql) {
        return Vec::new();
    }
    let faults = faults(sql, is_beyond_tenants(sql));
    if faults.is_empty() {
        lawful().insert(sql.to_owned());
    }
    faults
}
