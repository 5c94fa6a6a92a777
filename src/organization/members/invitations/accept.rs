//! Accepting an invitation: the mailed secret and a proof of identity make a member.
//!
//! The secret shows that its bearer reads the mail of the address. That is enough to make an account for the address,
//! and not enough to open one that exists: mails are forwarded, and an account opens other tenants too.

use super::{Invitation, InvitationSecret, store};
use crate::{
    base::{
        error::{Error, Result},
        ids::{SessionId, Typed as _, UserId},
        text::{Text, normalize_email},
    },
    db::{
        Registered as _, SystemReason, SystemTx,
        journal::{Entry, Event, EventKind, EventSubject, Origin, Pending},
    },
    organization::{
        accounts::{self, Accounts, Entering, SignedIn, TenantChoice, sessions},
        auth::{self, AccessChange},
        members::{Member, model::word, store as members},
    },
};

/// An invitee who accepts.
pub struct Invitee {
    /// The secret as it was mailed.
    pub token: String,
    /// The name, of an invitee without an account.
    pub name: Option<String>,
    /// The password: the one to have, or the one that the person has.
    pub password: Option<String>,
    /// The person who is signed in already, by which session of the account's own. A credential that one tenant trusts (its
    /// provider, another issuer) proves nothing here: it is good for that tenant only.
    pub signed_in: Option<(UserId, SessionId)>,
}

/// How the invitee was authenticated, which the new session records.
#[derive(Default)]
struct Proof {
    second_factor: bool,
    provider: Option<String>,
    /// Whether by a session alone.
    resumed: bool,
}

/// The account that the membership is for.
enum Identity {
    New(NewAccount),
    Existing(ExistingAccount),
}

/// An account that is made for the invitee.
pub(super) struct NewAccount {
    pub(super) user_id: UserId,
    pub(super) email: String,
    /// The address as accounts are found by.
    pub(super) normalized: String,
    pub(super) name: String,
    pub(super) password_hash: String,
}

/// Who becomes a member, as the membership shows them.
pub(super) struct Joining {
    pub(super) user_id: UserId,
    pub(super) email: String,
    pub(super) name: String,
}

#[derive(Clone, sqlx::FromRow)]
pub(super) struct ExistingAccount {
    pub(super) user_id: UserId,
    pub(super) email: String,
    pub(super) name: String,
    pub(super) password_hash: Option<String>,
}

/// Makes a member of the invitee, and opens a session.
///
/// # Errors
/// `INVALID_TOKEN`, `INVITATION_USED`, `INVITATION_EXPIRED`, `INVITATION_REVOKED`, `ALREADY_MEMBER`; of an invitee
/// without an account `BLANK`, `TOO_LONG`, `PASSWORD_TOO_SHORT`, `PASSWORD_TOO_LONG`, `PASSWORD_TOO_COMMON`; of one with
/// an account `PASSWORD_REQUIRED`, `INVALID_CREDENTIALS`, `TOO_MANY_ATTEMPTS`; `TENANT_SUSPENDED`, `TENANT_DELETING`.
/// With `SSO_REQUIRED` the invitee is a member and signs in through the tenant's provider.
pub async fn accept(accounts: &Accounts, invitee: Invitee, origin: &Origin) -> Result<SignedIn> {
    let secret = InvitationSecret::parse(&invitee.token).ok_or_else(not_good)?;
    let mut tx = accounts.db.system(SystemReason::SignIn).await?;
    let invitation = usable(&mut tx, &secret).await?;
    let normalized = normalize_email(&invitation.email, "token")?;
    let known = store::person(&mut tx, &normalized).await?;
    // No transaction is held while the password is hashed.
    drop(tx);
    let (identity, proof) = match known {
        Some(known) => {
            let proof = prove(accounts, &known, &invitee, &normalized, origin).await?;
            (Identity::Existing(known), proof)
        }
        None => {
            let name = required_name(invitee.name)?;
            let password = required_password(invitee.password, &normalized)?;
            let new = NewAccount {
                user_id: UserId::new(),
                email: invitation.email,
                normalized,
                name,
                password_hash: accounts.hasher.hash(&password).await?,
            };
            (Identity::New(new), Proof::default())
        }
    };
    let mut tx = accounts.db.system(SystemReason::SignIn).await?;
    members::lock_members_of(&mut tx, secret.tenant).await?;
    let invitation = usable(&mut tx, &secret).await?;
    let user = join(&mut tx, &secret, &invitation, identity, origin).await?;
    let entering = Entering {
        user,
        tenant: TenantChoice::Id(secret.tenant),
        second_factor: proof.second_factor,
        provider: proof.provider,
        resumed: proof.resumed,
    };
    let entered = accounts::enter(accounts, &mut tx, entering, origin).await;
    match entered {
        Err(error) if error.code() != "SSO_REQUIRED" => Err(error),
        entered => {
            tx.commit().await?;
            entered
        }
    }
}

/// The invitation of a secret, locked, if it can be accepted now.
async fn usable(tx: &mut SystemTx, secret: &InvitationSecret) -> Result<Invitation> {
    let invitation = store::opened_by(tx, secret).await?.ok_or_else(not_good)?;
    let refused = |code, message| Err(Error::invalid(code, "token", message));
    if invitation.accepted_at.is_some() {
        return refused("INVITATION_USED", "this invitation was accepted already");
    }
    if invitation.revoked_at.is_some() {
        return refused("INVITATION_REVOKED", "this invitation was taken back");
    }
    if invitation.is_expired(tx.now()) {
        let message = "this invitation has expired, ask for another one";
        return refused("INVITATION_EXPIRED", message);
    }
    match store::tenant_status(tx, secret.tenant).await?.as_deref() {
        Some("ACTIVE") => Ok(invitation),
        Some("SUSPENDED") => Err(Error::TenantSuspended),
        _ => Err(Error::TenantDeleting),
    }
}

/// An invitee with an account proves that it is theirs: by being signed in, or by its password.
async fn prove(
    accounts: &Accounts,
    known: &ExistingAccount,
    invitee: &Invitee,
    normalized: &str,
    origin: &Origin,
) -> Result<Proof> {
    if let Some((user, session)) = invitee.signed_in
        && user == known.user_id
    {
        let mut tx = accounts.db.system(SystemReason::SignIn).await?;
        let (second_factor, provider) =
            sessions::strength(&mut tx, user, session)
                .await?
                .ok_or(Error::Unauthenticated(
                    "the session has ended, sign in again",
                ))?;
        return Ok(Proof {
            second_factor,
            provider,
            resumed: true,
        });
    }
    let Some(password) = &invitee.password else {
        let message = "there is an account with this address: give its password, or sign in first";
        return Err(Error::invalid("PASSWORD_REQUIRED", "password", message));
    };
    let attempt = accounts::attempt_password(accounts, normalized, None, origin).await?;
    let hash = known.password_hash.as_deref();
    if !accounts.hasher.verify(password, hash).await? {
        let message = "there is an account with this address, and this is not its password";
        return Err(Error::invalid("INVALID_CREDENTIALS", "password", message));
    }
    attempt.succeeded().await;
    Ok(Proof::default())
}

async fn join(
    tx: &mut SystemTx,
    secret: &InvitationSecret,
    invitation: &Invitation,
    identity: Identity,
    origin: &Origin,
) -> Result<UserId> {
    let tenant = secret.tenant;
    let joining = match identity {
        Identity::Existing(known) => Joining {
            user_id: known.user_id,
            email: known.email,
            name: known.name,
        },
        Identity::New(new) => {
            let joining = Joining {
                user_id: new.user_id,
                email: new.email.clone(),
                name: new.name.clone(),
            };
            if !store::add_person(tx, new).await? {
                let message = "there is an account with this address by now, give its password";
                return Err(Error::invalid("PASSWORD_REQUIRED", "password", message));
            }
            joining
        }
    };
    let user = joining.user_id;
    store::verify_address(tx, user).await?;
    if !store::join(tx, secret, invitation, joining).await? {
        let message = "you are a member of this tenant already";
        return Err(Error::invalid("ALREADY_MEMBER", "token", message));
    }
    store::accepted(tx, secret, user).await?;
    auth::publish_access_change(tx, AccessChange::Member(tenant, user)).await?;
    let mut after = invitation.clone();
    (after.accepted_at, after.accepted_by) = (Some(tx.now()), Some(user));
    let taken = Event::of_all(
        EventKind::Accepted,
        EventSubject::of::<Invitation>(invitation.invitation_id.uuid(), invitation.version + 1),
        (Some(invitation.event_fields()), Some(after.event_fields())),
    );
    let membership = serde_json::json!({
        "role": word(invitation.role), "custom_role_id": invitation.role_id, "team_id": invitation.team_id,
    });
    let came = Event::of_all(
        EventKind::Created,
        EventSubject::of::<Member>(user.uuid(), 1),
        (None, Some(membership)),
    );
    let entry = Entry::new(user, "member.joined").about(Member::KIND, user.uuid());
    let entry = entry.noting("invited_by", invitation.created_by.clone());
    tx.tell(
        tenant,
        &user.to_string(),
        Pending {
            events: vec![taken, came],
            entries: vec![entry],
        },
        origin,
    )
    .await?;
    Ok(user)
}

fn required_name(name: Option<String>) -> Result<String> {
    let mut name = name.unwrap_or_default();
    Text::line("name").required(&mut name)?;
    Ok(name)
}

fn required_password(password: Option<String>, email: &str) -> Result<String> {
    let password = password.unwrap_or_default();
    accounts::check_password(&password, email, "password")?;
    Ok(password)
}

fn not_good() -> Error {
    let message = "this is no invitation, or a newer one was sent";
    Error::invalid("INVALID_TOKEN", "token", message)
}
