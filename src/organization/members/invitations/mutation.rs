//! Inviting and accepting, in the schema.

use std::sync::Arc;

use async_graphql::{Context, InputObject, Object, SimpleObject};
use uuid::Uuid;

use super::{Invitation, InvitationSecret, Invited, Invitee, NewInvitation, USUAL_DAYS};
use crate::{
    access::{Oneself, Role},
    base::{
        error::{Error, Result},
        ids::{InvitationId, RoleId, TeamId, Typed as _},
        text::normalize_email,
    },
    db::Tx,
    graphql::{ContextExt as _, RequestContext, UserError, Written, answer},
    organization::{
        accounts::{AccountsExt as _, SignInPayload},
        members::{Member, invitation_mail},
        tenants,
    },
    platform::redis::Counter,
};

/// A person to be invited.
#[derive(Debug, InputObject)]
struct MemberInviteInput {
    /// The address.
    email: String,
    /// What the person will be allowed to do; CUSTOM needs a `customRoleId`.
    role: Role,
    /// The role that the tenant made, with the role CUSTOM.
    custom_role_id: Option<RoleId>,
    /// The team the person will be in.
    team_id: Option<TeamId>,
    /// Days until the invitation expires, 1 to 30.
    #[graphql(default_with = "USUAL_DAYS")]
    expires_in_days: i32,
}

/// Sending an invitation again.
#[derive(Debug, InputObject)]
struct InvitationResendInput {
    /// Which invitation.
    id: InvitationId,
    /// The version it is expected at; another one answers CONFLICT.
    expected_version: Option<i32>,
    /// Days until it expires now, 1 to 30.
    #[graphql(default_with = "USUAL_DAYS")]
    expires_in_days: i32,
}

/// Names an invitation, and the version it is expected at.
#[derive(Debug, InputObject)]
struct InvitationRefInput {
    /// Which invitation.
    id: InvitationId,
    /// The version it is expected at; another one answers CONFLICT.
    expected_version: Option<i32>,
}

/// What a change to an invitation came to.
#[derive(SimpleObject)]
struct InvitationPayload {
    /// The invitation after the change; with ALREADY_INVITED the one that is open, after a CONFLICT as it is now; null
    /// when the change was refused.
    invitation: Option<Arc<Invitation>>,
    /// What has to be mended; empty when the change was made.
    user_errors: Vec<UserError>,
}

/// Taking an invitation.
#[derive(InputObject)]
struct AcceptInvitationInput {
    /// The secret of the mailed link.
    token: String,
    /// Your name, when you have no account yet.
    name: Option<String>,
    /// The password you want, or the one you have. Not needed when you are signed in with the invited address.
    password: Option<String>,
}

/// Whether the mail was sent is not known, and its secret is not kept.
const MAIL_IN_DOUBT: &str =
    "the mail may not have been sent: send the invitation again with `invitationResend`";

impl Written for Invited {
    const LOST: &str = MAIL_IN_DOUBT;

    fn subject(&self) -> Option<(&'static str, Uuid)> {
        let (Self::New(invitation, _) | Self::Already(invitation)) = self;
        invitation.subject()
    }

    async fn rebuild(_: &mut Tx, _: Option<(&str, Uuid)>) -> Result<Option<Self>> {
        Ok(None)
    }
}

impl Written for (Invitation, InvitationSecret) {
    const LOST: &str = MAIL_IN_DOUBT;

    fn subject(&self) -> Option<(&'static str, Uuid)> {
        self.0.subject()
    }

    async fn rebuild(_: &mut Tx, _: Option<(&str, Uuid)>) -> Result<Option<Self>> {
        Ok(None)
    }
}

/// Inviting people, and taking invitations.
#[derive(Default)]
pub struct InvitationMutation;

#[Object]
impl InvitationMutation {
    /// Invites a person by mail.
    async fn member_invite(
        &self,
        ctx: &Context<'_>,
        input: MemberInviteInput,
    ) -> async_graphql::Result<InvitationPayload> {
        let new = NewInvitation {
            email: input.email,
            role: input.role,
            custom_role: input.custom_role_id,
            team: input.team_id,
            days: input.expires_in_days,
        };
        let counted = match count_mail(ctx, &new.email).await {
            Ok(counted) => counted,
            Err(error) => return payload(ctx, InvitationId::new(), Err(error)).await,
        };
        let invited = ctx
            .request()
            .write(async |tx| super::invite(tx, new).await)
            .await;
        if !matches!(invited, Ok(Invited::New(..))) {
            give_back(ctx, counted).await;
        }
        match invited {
            Ok(Invited::New(invitation, secret)) => {
                mail(ctx, &invitation, &secret).await?;
                payload(ctx, invitation.invitation_id, Ok(invitation)).await
            }
            Ok(Invited::Already(open)) => {
                let message = "this address is invited already, send that invitation again";
                let error = Error::invalid("ALREADY_INVITED", "email", message);
                Ok(InvitationPayload {
                    invitation: Some(Arc::new(open)),
                    user_errors: vec![UserError::from(&error)],
                })
            }
            Err(error) => payload(ctx, InvitationId::new(), Err(error)).await,
        }
    }

    /// Sends an invitation again, with a new link; the old one opens nothing any more.
    async fn invitation_resend(
        &self,
        ctx: &Context<'_>,
        input: InvitationResendInput,
    ) -> async_graphql::Result<InvitationPayload> {
        let (id, version) = (input.id, input.expected_version);
        let open = ctx.request().load::<Invitation>(Some(id.uuid())).await?;
        let counted = match open {
            Some(open) => count_mail(ctx, &open.email).await,
            None => Ok(None),
        };
        let counted = match counted {
            Ok(counted) => counted,
            Err(error) => return payload(ctx, id, Err(error)).await,
        };
        let sent = ctx
            .request()
            .write(async |tx| super::resend(tx, (id, version), input.expires_in_days).await)
            .await;
        let outcome = match sent {
            Ok((invitation, secret)) => {
                mail(ctx, &invitation, &secret).await?;
                Ok(invitation)
            }
            Err(error) => {
                give_back(ctx, counted).await;
                Err(error)
            }
        };
        payload(ctx, id, outcome).await
    }

    /// Takes an invitation back.
    async fn invitation_revoke(
        &self,
        ctx: &Context<'_>,
        input: InvitationRefInput,
    ) -> async_graphql::Result<InvitationPayload> {
        let invitation = (input.id, input.expected_version);
        let outcome = ctx
            .request()
            .write(async |tx| super::revoke(tx, invitation).await);
        payload(ctx, input.id, outcome.await).await
    }

    /// Makes you a member of the tenant that invited you, and signs you in there. Without an account you get one, with
    /// the invited address; with one you show that it is yours, by its password or by being signed in.
    async fn accept_invitation(
        &self,
        ctx: &Context<'_>,
        input: AcceptInvitationInput,
    ) -> async_graphql::Result<SignInPayload> {
        // The invitee may have no access token, and then there is no request context.
        let signed_in = ctx.data_opt::<Arc<RequestContext>>();
        let invitee = Invitee {
            token: input.token,
            name: input.name,
            password: input.password,
            signed_in: signed_in.and_then(|request| {
                let oneself = Oneself::of(request.actor()).ok()?;
                Some((oneself.user(), oneself.session()?))
            }),
        };
        SignInPayload::new(super::accept(ctx.accounts(), invitee, &ctx.origin()).await)
    }
}

/// Counts a mail against the limit of its address before anything is written: tenants are free to create, and none may be
/// used to flood a mailbox. Only of members who may invite, or others could use the limit up.
async fn count_mail(ctx: &Context<'_>, email: &str) -> Result<Option<Counter>> {
    let Ok(normalized) = normalize_email(email, "email") else {
        return Ok(None);
    };
    if !ctx.request().actor().may("users:write") {
        return Ok(None);
    }
    let counter = Counter::account("invitation", &normalized);
    ctx.accounts().throttle.begin(&counter).await?;
    Ok(Some(counter))
}

/// Uncounts a mail that was not sent.
async fn give_back(ctx: &Context<'_>, counted: Option<Counter>) {
    if let Some(counter) = counted {
        ctx.accounts().throttle.give_back(&counter).await;
    }
}

/// Mails an invitation, after it is committed.
async fn mail(ctx: &Context<'_>, invitation: &Invitation, secret: &InvitationSecret) -> Result<()> {
    let tenant = ctx
        .request()
        .read(async |tx| tenants::own(tx).await)
        .await?;
    let by = ctx.request().actor().person().map(|id| id.uuid());
    let by = ctx.request().load::<Member>(by).await?;
    let accounts = ctx.accounts();
    let link = accounts
        .settings
        .link(invitation_mail::ACT, secret.expose());
    let by = by.as_ref().map(|member| member.name.as_str());
    let name = &tenant.settings.name;
    accounts
        .mail
        .send(invitation_mail::message(&invitation.email, name, by, &link));
    Ok(())
}

async fn payload(
    ctx: &Context<'_>,
    id: InvitationId,
    outcome: Result<Invitation>,
) -> async_graphql::Result<InvitationPayload> {
    let (invitation, user_errors) = answer(ctx, id.uuid(), outcome).await?;
    Ok(InvitationPayload {
        invitation,
        user_errors,
    })
}
