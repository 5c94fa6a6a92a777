//! The outcome of a sign-in, and the tenant that it is for.

use crate::{
    access::Role,
    base::ids::{TenantId, UserId},
    organization::accounts::sessions::OpenedSession,
};

/// A tenant that a person is an active member of.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct JoinedTenant {
    /// The tenant.
    #[sqlx(rename = "tenant_id")]
    pub tenant: TenantId,
    /// Its short name.
    pub slug: String,
    /// What it is called.
    pub name: String,
    /// What the person may do there.
    pub role: Role,
    /// Whether it requires a second factor.
    pub second_factor_required: bool,
    /// The provider that its members have to sign in through, if there is one.
    pub required_provider: Option<String>,
}

/// Which tenant a person enters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TenantChoice {
    /// The last used one, or else any that they can enter.
    LastUsed,
    /// The one with this short name.
    Slug(String),
    /// The one with this id.
    Id(TenantId),
}

/// An authenticated person who is about to enter a tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entering {
    /// Who.
    pub user: UserId,
    /// Where to.
    pub tenant: TenantChoice,
    /// Whether a second factor was shown.
    pub second_factor: bool,
    /// The outside provider that says who it is, if one does.
    pub provider: Option<String>,
    /// Whether an open session alone identifies the person, without a new proof.
    pub resumed: bool,
}

/// The outcome of a sign-in.
#[derive(Debug, Clone)]
pub enum SignedIn {
    /// The person has a session.
    Session(Box<OpenedSession>),
    /// A second factor is required first.
    SecondFactor(SecondFactorStep),
}

/// The step between password and second factor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecondFactorStep {
    /// What the next step is done with; good for ten minutes.
    pub token: String,
    /// Whether the person has none yet and has to set one up.
    pub set_up_required: bool,
}
