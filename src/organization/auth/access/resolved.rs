//! What a subject is in a tenant, read from the database.

use std::{sync::Arc, time::Instant};

use chrono::{DateTime, Utc};

use super::{TenantSubject, refusal::Refusal};
use crate::{
    access::{Actor, Membership, Rights, Role, Standing, Subject, Vouched},
    base::{
        error::Result,
        ids::{ApiKeyId, RoleId, SessionId, TenantId, UserId},
    },
    db::{Db, Sql, SystemReason},
    organization::identities::Identities,
};

/// What was read of a subject, and when.
pub(super) struct Resolved {
    /// The instant before it was read.
    pub(super) as_of: Instant,
    /// When it was read, in seconds since 1970.
    pub(super) read_at_s: i64,
    /// The actor, or why there is none.
    pub(super) answer: Result<Arc<Actor>, Refusal>,
    /// When it ends by itself: the session, the key, the tenant.
    pub(super) ends_at: Option<DateTime<Utc>>,
    /// Of a key: the hash of its secret.
    pub(super) secret_hash: Vec<u8>,
}

/// The role of a subject and the standing of the tenant, as the tables have them.
#[derive(sqlx::FromRow)]
struct SubjectRow {
    standing: String,
    delete_after: Option<DateTime<Utc>>,
    role: Option<Role>,
    role_id: Option<RoleId>,
    permissions: Option<Vec<String>>,
    masks: Option<Vec<String>>,
    team_path: Option<String>,
    #[sqlx(flatten)]
    more: More,
}

/// What differs between people and keys.
#[derive(sqlx::FromRow)]
struct More {
    #[sqlx(default)]
    membership: Option<String>,
    #[sqlx(default)]
    active: Option<bool>,
    #[sqlx(default)]
    narrowed_to: Option<Vec<String>>,
    #[sqlx(default)]
    secret_hash: Option<Vec<u8>>,
    ended_at: Option<DateTime<Utc>>,
    expires_at: Option<DateTime<Utc>>,
    #[sqlx(default)]
    second_factor_required: bool,
    #[sqlx(default)]
    required_provider: Option<String>,
    trusted_documents_only: bool,
    plan: Option<String>,
    #[sqlx(default)]
    second_factor: Option<bool>,
    #[sqlx(default)]
    provider: Option<String>,
    #[sqlx(default)]
    account: Option<bool>,
    #[sqlx(default)]
    totp_own: Option<bool>,
}

/// Reads a subject. That it is none in this tenant is an answer too.
pub(super) async fn read(db: &Db, identities: &Identities, who: TenantSubject) -> Result<Resolved> {
    let TenantSubject { tenant, subject } = who;
    let as_of = Instant::now();
    let sql = match subject {
        Subject::Person(user, session) => person(tenant, user, session),
        Subject::Key(key) => program(tenant, key),
        // No token stands for the server itself.
        Subject::Worker => return Ok(Resolved::refused(as_of, 0, Refusal::NoTenant)),
    };
    let mut tx = db.system(SystemReason::SignIn).await?;
    let row: Option<SubjectRow> = tx.optional(sql).await?;
    let now = tx.now();
    Ok(match row {
        Some(row) => row.judge(identities, who, as_of, now),
        None => Resolved::refused(as_of, now.timestamp(), Refusal::NoTenant),
    })
}

fn person(tenant: TenantId, user: UserId, session: Option<SessionId>) -> Sql {
    Sql::new(
        "SELECT t.status AS standing, t.delete_after, m.status AS membership, m.role, m.role_id, m.team_path, \
         r.permissions, r.masks, u.active, s.ended_at, s.expires_at, t.second_factor_required, t.required_provider, \
         t.trusted_documents_only, t.plan, s.second_factor, s.provider, s.account, u.totp_own \
         FROM tenants t \
         LEFT JOIN memberships m ON m.tenant_id = ",
    )
    .bind(tenant)
    .push(" AND m.user_id = ")
    .bind(user)
    .push(" LEFT JOIN users u ON u.user_id = m.user_id LEFT JOIN roles r ON r.tenant_id = ")
    .bind(tenant)
    .push(" AND r.role_id = m.role_id LEFT JOIN sessions s ON s.user_id = m.user_id AND s.session_id = ")
    .bind(session)
// A session that has moved to another tenant is none here.
    .push(" AND (s.tenant_id = ")
    .bind(tenant)
    .push(" OR ")
    .bind(tenant)
    .push(" = ANY(s.beside))")
    .push(" WHERE t.tenant_id = ")
    .bind(tenant)
}

fn program(tenant: TenantId, key: ApiKeyId) -> Sql {
    Sql::new(
        "SELECT t.status AS standing, t.delete_after, k.role, k.role_id, k.team_path, k.permissions AS narrowed_to, \
         k.secret_hash, r.permissions, r.masks, k.revoked_at AS ended_at, k.expires_at, \
         t.trusted_documents_only OR coalesce(k.trusted_documents_only, false) AS trusted_documents_only, \
         t.plan \
         FROM tenants t \
         LEFT JOIN api_keys k ON k.tenant_id = ",
    )
    .bind(tenant)
    .push(" AND k.api_key_id = ")
    .bind(key)
    .push(" LEFT JOIN roles r ON r.tenant_id = ")
    .bind(tenant)
    .push(" AND r.role_id = k.role_id WHERE t.tenant_id = ")
    .bind(tenant)
}

impl Resolved {
    fn refused(as_of: Instant, read_at_s: i64, refusal: Refusal) -> Self {
        Self {
            as_of,
            read_at_s,
            answer: Err(refusal),
            ends_at: None,
            secret_hash: Vec::new(),
        }
    }
}

impl More {
    /// Whether the tenant requires more of a session by now than was presented when it was opened. A token without a
    /// session is judged where it is verified.
    fn is_too_weak(&self, session: Option<SessionId>) -> bool {
        let lacks_factor = self.second_factor_required && self.second_factor != Some(true);
        let lacks_provider =
            self.required_provider.is_some() && self.required_provider != self.provider;
        session.is_some() && (lacks_factor || lacks_provider)
    }
}

impl More {
    /// How far the session is vouched for. A token of ours without one was made by the operator.
    fn vouched(&self, session: Option<SessionId>, identities: &Identities) -> Vouched {
        let shown_own = self.second_factor == Some(true) && self.totp_own == Some(true);
        let provider = self.provider.as_deref();
        let is_own =
            self.account == Some(true) && (shown_own || identities.is_trusted_by_all(provider));
        match provider {
            _ if session.is_none() || is_own => Vouched::Account,
            Some(provider) => Vouched::Provider(Arc::from(provider)),
            None => Vouched::Tenant,
        }
    }
}

impl SubjectRow {
    fn judge(
        self,
        identities: &Identities,
        who: TenantSubject,
        as_of: Instant,
        now: DateTime<Utc>,
    ) -> Resolved {
        let TenantSubject { tenant, subject } = who;
        let expires_at = self.more.expires_at;
        let read_at_s = now.timestamp();
        let (role, refusal) = match (self.role, subject) {
            (None, Subject::Key(_)) => return Resolved::refused(as_of, read_at_s, Refusal::NoKey),
            (None, _) => return Resolved::refused(as_of, read_at_s, Refusal::NotAMember),
            (Some(role), subject) => (role, self.refusal(subject, now)),
        };
        let ends_at = [self.delete_after, expires_at].into_iter().flatten().min();
        let secret_hash = self.more.secret_hash.clone().unwrap_or_default();
        let is_gone = self.delete_after.is_some_and(|end| end <= now);
        let refusal = refusal.or(is_gone.then_some(Refusal::TenantGone));
        let answer = match refusal {
            Some(refusal) => Err(refusal),
            None => {
                let expires_at = expires_at.unwrap_or(DateTime::<Utc>::MAX_UTC);
                let trusted_documents_only = self.more.trusted_documents_only;
                let plan = self.more.plan.as_deref().map(Arc::from);
                let vouched = match subject {
                    Subject::Person(_, session) => self.more.vouched(session, identities),
                    Subject::Key(_) | Subject::Worker => Vouched::Tenant,
                };
                let mut actor = Actor::new(subject, self.membership(tenant, role), expires_at);
                actor.vouched = vouched;
                actor.as_of = as_of;
                actor.trusted_documents_only = trusted_documents_only;
                actor.plan = plan;
                Ok(Arc::new(actor))
            }
        };
        Resolved {
            as_of,
            read_at_s,
            answer,
            ends_at,
            secret_hash,
        }
    }

    fn refusal(&self, subject: Subject, now: DateTime<Utc>) -> Option<Refusal> {
        let More {
            ended_at,
            expires_at,
            ..
        } = self.more;
        let is_over = ended_at.is_some() || expires_at.is_some_and(|end| end <= now);
        match subject {
            Subject::Key(_) => is_over.then_some(Refusal::KeyEnded),
            Subject::Person(_, session) => {
                let is_member = self.more.membership.as_deref() == Some("ACTIVE")
                    && self.more.active == Some(true);
                // A session that is not there was removed, is another person's, or has left the tenant.
                let is_gone = session.is_some() && expires_at.is_none();
                if !is_member {
                    Some(Refusal::NotAMember)
                } else if is_over || is_gone {
                    Some(Refusal::SessionEnded)
                } else {
                    self.more.is_too_weak(session).then_some(Refusal::TooWeak)
                }
            }
            Subject::Worker => Some(Refusal::NoTenant),
        }
    }

    fn membership(self, tenant: TenantId, role: Role) -> Membership {
        let of_role = match &self.permissions {
            Some(permissions) => {
                Rights::stored(permissions, self.masks.as_deref().unwrap_or_default())
            }
            None => role.rights(),
        };
        let rights = match &self.more.narrowed_to {
            Some(permissions) => of_role.and(&Rights::stored(permissions, &[])),
            None => of_role,
        };
        Membership {
            tenant,
            role,
            custom_role: self.role_id,
            rights: Arc::new(rights),
            team_path: self.team_path,
            standing: match self.standing.as_str() {
                "ACTIVE" => Standing::Active,
                "SUSPENDED" => Standing::Suspended,
                _ => Standing::Deleting,
            },
        }
    }
}
