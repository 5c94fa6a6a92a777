//! Registering: a person with the first tenant. Nothing is created before the mailed link is opened and the password
//! is typed once more, so an account can't be opened for another person's address; and a known address gets another mail
//! but the same answer, so it does not show who has an account.

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    Accounts, letters,
    one_time::{self, SecretPurpose},
    rules, slug, store,
};
use crate::{
    base::{
        error::{Error, Result},
        ids::{PipelineId, TenantId, Typed as _, UserId},
        money::Currency,
        text::{Text, normalize_email},
    },
    db::{SystemReason, SystemTx, journal::Origin},
};

/// How long a mailed link is valid.
pub(super) const FINISH_WITHIN: TimeDelta = TimeDelta::hours(24);

/// What a person registers with.
pub struct Registration {
    /// The person's name.
    pub name: String,
    /// The address.
    pub email: String,
    /// The password.
    pub password: String,
    /// The first tenant.
    pub tenant: FirstTenant,
}

/// The tenant that comes with a registration.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it; the schema describes each")]
pub struct FirstTenant {
    pub name: String,
    pub slug: Option<String>,
    pub base_currency: String,
    pub time_zone: String,
    pub locale: String,
}

/// A pending registration. The ids are fixed, so finishing it twice creates everything once.
#[derive(Serialize, Deserialize)]
pub(super) struct Pending {
    pub(super) user: Uuid,
    pub(super) tenant: Uuid,
    pub(super) pipeline: Uuid,
    pub(super) name: String,
    pub(super) email: String,
    pub(super) password_hash: String,
    pub(super) first: FirstTenant,
}

/// Takes a registration and mails the link that finishes it.
///
/// # Errors
/// `REGISTRATION_OFF`, `TOO_MANY_ATTEMPTS`, what is wrong with the input, and `TAKEN` for the short name of a tenant.
pub async fn register(accounts: &Accounts, new: Registration, origin: &Origin) -> Result<()> {
    if !accounts.settings.registration {
        return Err(Error::invalid(
            "REGISTRATION_OFF",
            "",
            "nobody can register here, ask to be invited",
        ));
    }
    let Registration {
        mut name,
        email,
        password,
        tenant: mut first,
    } = new;
    Text::line("name").required(&mut name)?;
    let normalized = normalize_email(&email, "email")?;
    rules::check(&password, &normalized, "password")?;
    check(&mut first).map_err(|error| error.within("tenant"))?;
    accounts
        .attempt_from_outside("mail", &normalized, None, origin)
        .await?;
    let mut tx = accounts.db.system(SystemReason::SignIn).await?;
    check_known(&mut tx, &first)
        .await
        .map_err(|error| error.within("tenant"))?;
    drop(tx);
    let pending = Pending {
        user: UserId::new().uuid(),
        tenant: TenantId::new().uuid(),
        pipeline: PipelineId::new().uuid(),
        name,
        email: email.trim().to_owned(),
        password_hash: accounts.hasher.hash(&password).await?,
        first,
    };
    // The same is done for a known address, only that this secret is not mailed.
    let data = serde_json::to_value(&pending).map_err(Error::internal)?;
    let mut tx = accounts.db.system(SystemReason::SignIn).await?;
    let known = store::by_email(&mut tx, normalized).await?;
    let token =
        one_time::issue(&mut tx, SecretPurpose::Register, None, data, FINISH_WITHIN).await?;
    tx.commit().await?;
    let to = &pending.email;
    accounts.mail.send(match known {
        None => letters::finish_registration(&accounts.settings, to, &token),
        Some(_) => letters::already_registered(&accounts.settings, to),
    });
    Ok(())
}

fn check(first: &mut FirstTenant) -> Result<()> {
    Text::line("name").required(&mut first.name)?;
    Text::line("slug").optional(&mut first.slug)?;
    if let Some(slug) = &first.slug {
        slug::check(slug)?;
    }
    Currency::parse(&first.base_currency, "baseCurrency")?;
    let is_locale = (2..=35).contains(&first.locale.len())
        && first.locale.split('-').all(|part| {
            (1..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric())
        });
    if !is_locale {
        return Err(Error::invalid(
            "INVALID_LOCALE",
            "locale",
            "expected a language with or without a region, like en or de-CH (BCP 47)",
        ));
    }
    Ok(())
}

/// Checks what only the database knows. That a short name is taken may be disclosed: it is in addresses.
async fn check_known(tx: &mut SystemTx, first: &FirstTenant) -> Result<()> {
    if !store::knows_time_zone(tx, first.time_zone.clone()).await? {
        return Err(Error::invalid(
            "INVALID_TIME_ZONE",
            "timeZone",
            "expected a time zone by its IANA name, like Europe/Zurich",
        ));
    }
    match &first.slug {
        Some(slug) if !store::taken_slugs(tx, vec![slug.clone()]).await?.is_empty() => {
            Err(Error::invalid("TAKEN", "slug", "this is taken already"))
        }
        _ => Ok(()),
    }
}
