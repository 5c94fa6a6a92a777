//! What the mutations of accounts take.

use async_graphql::InputObject;

use crate::base::ids::{SessionId, TenantId};

/// What a person registers with.
#[derive(InputObject)]
pub(super) struct RegisterInput {
    /// Your name.
    pub(super) name: String,
    /// Your e-mail address; a link is mailed to it.
    pub(super) email: String,
    /// Your password: 12 to 128 characters.
    pub(super) password: String,
    /// The tenant you begin, as its admin.
    pub(super) tenant: RegisterTenantInput,
}

/// The tenant that a person begins with.
#[derive(InputObject)]
pub(super) struct RegisterTenantInput {
    /// What it is called.
    pub(super) name: String,
    /// The short name in addresses; made of the name unless given.
    pub(super) slug: Option<String>,
    /// The currency it reports in, by its ISO 4217 code.
    #[graphql(default_with = "\"USD\".to_owned()")]
    pub(super) base_currency: String,
    /// Its time zone, by its IANA name.
    #[graphql(default_with = "\"UTC\".to_owned()")]
    pub(super) time_zone: String,
    /// Its language and region (BCP 47).
    #[graphql(default_with = "\"en\".to_owned()")]
    pub(super) locale: String,
}

/// What a person signs in with.
#[derive(InputObject)]
pub(super) struct SignInInput {
    /// The e-mail address.
    pub(super) email: String,
    /// The password.
    pub(super) password: String,
    /// The tenant to enter, by its slug; without it the one you were in last.
    pub(super) tenant: Option<String>,
    /// The last refresh token that this device had, also of a session that has ended. It opens nothing; but a device that
    /// you were signed in on is not kept waiting by guesses that others make at your password.
    pub(super) previous_refresh_token: Option<String>,
}

/// What the next access token is got with.
#[derive(InputObject)]
pub(super) struct RefreshSessionInput {
    /// The refresh token you got last.
    pub(super) refresh_token: String,
    /// The tenant to get an access token for, by its slug; without it the one that the session is in.
    pub(super) tenant: Option<String>,
}

/// Which of your sessions end.
#[derive(InputObject)]
pub(super) struct SignOutInput {
    /// Whether you are signed out on all your devices, not only on this one.
    #[graphql(default)]
    pub(super) everywhere: bool,
}

/// Which of your sessions ends.
#[derive(InputObject)]
pub(super) struct SessionRevokeInput {
    /// Its id.
    pub(super) id: SessionId,
}

/// Which of your sessions end.
#[derive(InputObject)]
pub(super) struct SessionRevokeAllInput {
    /// Whether the one you are asking with goes on.
    #[graphql(default = true)]
    pub(super) except_current: bool,
}

/// Where to go on: name exactly one of both.
#[derive(InputObject)]
pub(super) struct SwitchTenantInput {
    /// The tenant, by its id.
    pub(super) tenant_id: Option<TenantId>,
    /// The tenant, by its slug.
    pub(super) slug: Option<String>,
}

/// Your password, and the next one.
#[derive(InputObject)]
pub(super) struct PasswordChangeInput {
    /// The one you have.
    pub(super) current_password: String,
    /// The one you want: 12 to 128 characters.
    pub(super) new_password: String,
}

/// Who forgot the password.
#[derive(InputObject)]
pub(super) struct RequestPasswordResetInput {
    /// The e-mail address of the account.
    pub(super) email: String,
}

/// A new password, by a mailed link.
#[derive(InputObject)]
pub(super) struct ResetPasswordInput {
    /// The secret in the link.
    pub(super) token: String,
    /// The password you want: 12 to 128 characters.
    pub(super) new_password: String,
}

/// A mailed link that shows that an address is yours.
#[derive(InputObject)]
pub(super) struct VerifyEmailInput {
    /// The secret in the link.
    pub(super) token: String,
    /// The password that you registered with; only a registration needs it.
    pub(super) password: Option<String>,
}

/// Where a link is mailed to once more.
#[derive(InputObject)]
pub(super) struct EmailVerificationResendInput {
    /// The address of your account; no mail goes anywhere else.
    pub(super) email: String,
}

/// What you say of yourself.
#[derive(InputObject)]
pub(super) struct ViewerUpdateInput {
    /// Your name, in all your tenants.
    pub(super) name: String,
}
