//! How a database is opened, and why it is used past an actor's rights.

use std::time::Duration;

use sqlx::postgres::PgConnectOptions;

/// The two logins to a database.
#[derive(Debug, Clone)]
pub struct Logins {
    /// Of people's requests, whom the policies hold to their rights.
    pub app: PgConnectOptions,
    /// Of the server itself; see [`SystemReason`].
    pub system: PgConnectOptions,
}

impl Logins {
    /// Both by the names that migrations make them under.
    pub fn by_name(of: impl Fn(&'static str) -> PgConnectOptions) -> Self {
        Self {
            app: of("dealgraph_app"),
            system: of("dealgraph_system"),
        }
    }

    /// One for both, for commands that only need that.
    #[must_use]
    pub fn only(login: PgConnectOptions) -> Self {
        Self {
            app: login.clone(),
            system: login,
        }
    }
}

/// How the pools are to be opened.
#[derive(Debug, Clone)]
pub struct PoolOptions {
    /// Connections for actors' requests.
    pub size: u32,
    /// Connections of those that a tenant has at a time while other tenants are active; half of them, rounded up, if it
    /// keeps those busy all the time.
    pub tenant_share: u32,
    /// Connections for the system.
    pub system_size: u32,
    /// How long a request waits for a connection.
    pub acquire_timeout: Duration,
    /// From how long on a statement is slow, and is logged.
    pub slow: Duration,
    /// Whether the plans of slow statements are logged.
    pub explains_slow: bool,
    /// Whether statements stay prepared on a connection; not behind a pooler that does not track them.
    pub prepared: bool,
}

impl Default for PoolOptions {
    fn default() -> Self {
        Self {
            size: 16,
            tenant_share: 2,
            system_size: 4,
            acquire_timeout: Duration::from_secs(2),
            slow: Duration::from_secs(1),
            explains_slow: false,
            prepared: true,
        }
    }
}

/// Why the system login is used. Each variant is a justification for bypassing an actor's rights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SystemReason {
    /// The subject has to be identified before its rights can be read.
    SignIn,
    /// A person's own account is beyond tenants; the policies hold the transaction to it.
    Account,
    /// Tenants, people and teams are set up before there is a member.
    Provisioning,
    /// Sign-ins, refusals and attempts on other tenants are recorded for the tenant, not for an actor.
    Audit,
    /// Keys are the server's own.
    Keys,
    /// Access changes are read across tenants.
    AccessChanges,
    /// Tenants are suspended, resumed and scheduled for deletion from outside of them.
    TenantLifecycle,
    /// Last uses are written for many subjects at once, apart from their requests.
    LastUse,
    /// Events are read for all subscribers, whose rights are then applied to them.
    Events,
    /// Idempotency keys of all tenants are forgotten after their time.
    IdempotencyKeys,
    /// Members that a server of an older version has begun to move are found across tenants.
    Reassignment,
    /// Which tenants have something to do is asked for all of them at once, and what was done is forgotten.
    Jobs,
    /// Figures of all tenants together are counted for the operator.
    Figures,
    /// Whether the database answers.
    Health,
    /// How far the primary is, for judging how old what a replica shows is.
    Replica,
}
