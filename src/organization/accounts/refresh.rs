//! Getting the next access token. Refresh tokens rotate: each is good for one answer, and one that comes back later
//! was stolen, so the whole family ends (RFC 9700, section 4.14).

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    Accounts, Entering, JoinedTenant, SignedIn, TenantChoice,
    sessions::{self, Ended, Family, OpenedSession},
    sign_in, store,
};
use crate::{
    base::{
        error::{Error, Result},
        ids::{TenantId, Typed as _},
        secret,
    },
    db::{
        SystemReason, SystemTx,
        journal::{Entry, Origin},
    },
};

/// How long a client whose answer got lost may retry.
const GRACE: TimeDelta = TimeDelta::seconds(30);
/// So many generations are stored; one that is older is not known any more.
const STORED_GENERATIONS: i32 = 1_000;

/// What a refresh token that was presented is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// The last one: the family continues from it.
    Last,
    /// One whose answer may have got lost: the family continues from its parent.
    Again,
    /// An old one: there is a stolen copy.
    Replayed,
}

/// A refresh token as it is stored.
#[derive(Debug, Clone, Copy, sqlx::FromRow)]
pub(super) struct StoredToken {
    pub(super) generation: i32,
    pub(super) parent: i32,
    pub(super) used_at: Option<DateTime<Utc>>,
}

/// Rotates a refresh token and checks again whether the person is still a member of the session's tenant. With a tenant,
/// by its short name, the access token is for that one, and the session is in it beside its others; where the person may
/// not enter it, the session stays as it was, with the refresh token unused.
///
/// # Errors
/// `SESSION_ENDED` when the token is no good (any more), `SSO_REQUIRED` when the tenant wants its provider by now;
/// `NOT_FOUND` for a tenant that was named and the person is not in.
pub async fn refresh(
    accounts: &Accounts,
    token: &str,
    tenant: Option<String>,
    origin: &Origin,
) -> Result<SignedIn> {
    let hash = secret::hash(token);
    let mut tx = accounts.db.system(SystemReason::SignIn).await?;
    let family = sessions::lock_by_token(&mut tx, &hash)
        .await?
        .ok_or_else(ended)?;
    let (presented, last) = sessions::tokens(&mut tx, family.session, &hash)
        .await?
        .ok_or_else(ended)?;
    if !family.is_open(tx.now()) {
        return Err(ended());
    }
    let verdict = judge(presented, last, tx.now());
    if verdict == Verdict::Replayed {
        return Err(end_stolen(accounts, tx, &family, origin).await?);
    }
    let rotation = Rotation {
        family: &family,
        verdict,
        presented,
        last,
    };
    let standing = store::standing(&mut tx, family.user).await?;
    let provider = family.provider.as_deref();
    let tenants = sign_in::joined_tenants(accounts, &mut tx, family.user, provider).await?;
    let is_active = standing.as_ref().is_some_and(|standing| standing.active);
    let has_second_factor = standing.is_some_and(|standing| standing.has_second_factor);
    let named = match tenant {
        Some(slug) if is_active => {
            let entering = family.entering(TenantChoice::Slug(slug));
            let joined = sign_in::choose(&tenants, &entering, None)?;
            (joined.tenant != family.tenant).then_some((joined, entering))
        }
        _ => None,
    };
    if let Some((joined, entering)) = named {
        if joined.second_factor_required && !family.second_factor {
            let entering = Entering {
                tenant: TenantChoice::Id(joined.tenant),
                ..entering
            };
            let step = sign_in::second_factor_step(&mut tx, &entering, has_second_factor).await?;
            tx.commit().await?;
            return Ok(SignedIn::SecondFactor(step));
        }
        let tenant = joined.tenant;
        sessions::add_to(&mut tx, &family, tenant).await?;
        return rotation.go_on(accounts, tx, tenant, tenants, origin).await;
    }
    let entering = family.entering(TenantChoice::Id(family.tenant));
    let joined = tenants.iter().find(|joined| joined.tenant == family.tenant);
    let Some(joined) = joined.filter(|_| is_active) else {
        end(accounts, tx, &family, Ended::NoAccess, origin).await?;
        return Err(ended());
    };
    if let Err(error) = sign_in::choose(std::slice::from_ref(joined), &entering, None) {
        end(accounts, tx, &family, Ended::ProviderRequired, origin).await?;
        return Err(error);
    }
    if joined.second_factor_required && !family.second_factor {
        let step = sign_in::second_factor_step(&mut tx, &entering, has_second_factor).await?;
        end(accounts, tx, &family, Ended::SecondFactorRequired, origin).await?;
        return Ok(SignedIn::SecondFactor(step));
    }

    let tenant = family.tenant;
    rotation.go_on(accounts, tx, tenant, tenants, origin).await
}

/// A refresh token that is good, and the family that goes on from it.
struct Rotation<'f> {
    family: &'f Family,
    verdict: Verdict,
    presented: StoredToken,
    last: StoredToken,
}

impl Rotation<'_> {
    /// Issues the next tokens of the family, for one of its tenants.
    async fn go_on(
        self,
        accounts: &Accounts,
        mut tx: SystemTx,
        tenant: TenantId,
        tenants: Vec<JoinedTenant>,
        origin: &Origin,
    ) -> Result<SignedIn> {
        let Self { family, last, .. } = self;
        let (session, generation) = (family.session, last.generation + 1);
        // On a retry the last token is the answer that got lost: the client that retries does not have it.
        sessions::use_token(&mut tx, session, last.generation).await?;
        let refresh = sessions::add_token(&mut tx, session, generation, self.parent()).await?;
        let oldest = last.generation - STORED_GENERATIONS;
        sessions::forget_tokens(&mut tx, session, oldest).await?;
        sessions::touch(&mut tx, session, origin).await?;
        let access = accounts
            .tokens
            .issue_for(session, family.user, tenant)
            .map_err(Error::internal)?;
        tx.commit().await?;
        Ok(SignedIn::Session(Box::new(OpenedSession {
            session,
            user: family.user,
            tenant,
            access,
            refresh: Some((refresh, family.expires_at)),
            tenants,
        })))
    }

    /// The generation that the next token is issued for.
    fn parent(&self) -> i32 {
        match self.verdict {
            Verdict::Last => self.presented.generation,
            Verdict::Again | Verdict::Replayed => self.last.parent,
        }
    }
}

fn judge(presented: StoredToken, last: StoredToken, now: DateTime<Utc>) -> Verdict {
    let Some(used_at) = presented.used_at else {
        // Only the last one of a family is unused.
        return Verdict::Last;
    };
    // The last one is the answer to this one, or a second answer to the same request.
    let is_next = last.parent == presented.generation || last.parent == presented.parent;
    let is_lost = last.used_at.is_none() && is_next && now - used_at <= GRACE;
    if is_lost {
        Verdict::Again
    } else {
        Verdict::Replayed
    }
}

/// Ends a family of which there is a stolen copy, and answers the error of its client.
async fn end_stolen(
    accounts: &Accounts,
    mut tx: SystemTx,
    family: &Family,
    origin: &Origin,
) -> Result<Error> {
    sessions::end(&mut tx, family.session, Ended::Stolen).await?;
    let entry = Entry::new("anonymous", "session.reuse_detected")
        .about("session", family.session.uuid())
        .noting("user", family.user.to_string());
    if store::has_log(&mut tx, family.tenant).await? {
        tx.audit(family.tenant, vec![entry], origin).await?;
    } else {
        let whom = crate::db::journal::Whom::TenantsOf(family.user);
        accounts.recorder.note(whom, entry, origin.clone());
    }
    tx.commit().await?;
    tracing::warn!(session.id = %family.session, "a refresh token came back, its session is ended");
    Ok(ended())
}

async fn end(
    accounts: &Accounts,
    mut tx: SystemTx,
    family: &Family,
    because: Ended,
    origin: &Origin,
) -> Result<()> {
    sessions::end(&mut tx, family.session, because).await?;
    tx.commit().await?;
    let ended = (family.session, family.tenants());
    sessions::note_ended(accounts, family.user, &ended, because, origin);
    Ok(())
}

pub(super) fn ended() -> Error {
    Error::invalid("SESSION_ENDED", "", "this session has ended, sign in again")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(generation: i32, parent: i32, used_s_ago: Option<i64>) -> StoredToken {
        StoredToken {
            generation,
            parent,
            used_at: used_s_ago.map(|ago| at(-ago)),
        }
    }

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(2_000_000_000 + seconds, 0).expect("a time")
    }

    #[test]
    fn only_the_last_one_and_the_one_whose_answer_got_lost_are_good() {
        let fresh = stored(5, 4, None);
        assert_eq!(judge(fresh, fresh, at(0)), Verdict::Last);
        assert_eq!(judge(stored(4, 3, Some(30)), fresh, at(0)), Verdict::Again);
        assert_eq!(
            judge(stored(4, 3, Some(31)), fresh, at(0)),
            Verdict::Replayed
        );
        assert_eq!(
            judge(stored(3, 2, Some(1)), fresh, at(0)),
            Verdict::Replayed,
            "its grandparent"
        );
        // The answer that got lost was replaced by a second one: both requests and the first answer are known.
        let second = stored(6, 4, None);
        assert_eq!(judge(stored(4, 3, Some(20)), second, at(0)), Verdict::Again);
        assert_eq!(judge(stored(5, 4, Some(5)), second, at(0)), Verdict::Again);
        assert_eq!(
            judge(stored(5, 4, Some(31)), second, at(0)),
            Verdict::Replayed
        );
        // The answer was used, so it was not lost.
        let (used, next) = (stored(5, 4, Some(1)), stored(6, 5, None));
        assert_eq!(judge(stored(4, 3, Some(2)), next, at(0)), Verdict::Replayed);
        assert_eq!(judge(used, next, at(0)), Verdict::Again);
    }
}
