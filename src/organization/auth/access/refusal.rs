//! Why a subject with a valid token is refused.

use crate::base::error::Error;

/// The reason, which the tenant's audit log names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// There is no such tenant (any more), and so no log either.
    NoTenant,
    /// The time of the tenant is up.
    TenantGone,
    /// The person is not an active member.
    NotAMember,
    /// The device was signed out.
    SessionEnded,
    /// The tenant requires a second factor or a provider by now that the device did not sign in with.
    TooWeak,
    /// There is no such key.
    NoKey,
    /// The key was revoked, or its time is up.
    KeyEnded,
}

impl Refusal {
    /// The reason in the audit log; none where there is no log, or where any client could flood it.
    pub(super) const fn word(self) -> Option<&'static str> {
        match self {
            Self::NoTenant | Self::NoKey => None,
            Self::TenantGone => Some("TENANT_GONE"),
            Self::NotAMember => Some("NOT_A_MEMBER"),
            Self::SessionEnded => Some("SESSION_ENDED"),
            Self::TooWeak => Some("SIGN_IN_TOO_WEAK"),
            Self::KeyEnded => Some("KEY_ENDED"),
        }
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self::Unauthenticated(match refusal {
            Refusal::NoTenant | Refusal::TenantGone | Refusal::NotAMember => {
                "this person is not an active member of this tenant (any more)"
            }
            Refusal::SessionEnded => "the session has ended, sign in again",
            Refusal::TooWeak => {
                "this tenant wants more of a sign-in by now: refresh the session or sign in again"
            }
            Refusal::NoKey => "the API key is not valid",
            Refusal::KeyEnded => "the API key was revoked or has expired",
        })
    }
}
