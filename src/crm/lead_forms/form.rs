//! What is done about forms: they are made and changed.

use super::model::{LeadForm, LeadFormFields};
use crate::{
    access::{Actor, RecordKind, Scope},
    base::{
        error::{Error, Result},
        ids::{LeadFormId, TenantId, Typed as _},
        secret::Secret,
    },
    db::{Tx, journal::EventKind},
    entity::{self, Stamps},
    platform::Vault,
};

/// How many forms a tenant may have.
const MOST: i64 = 500;
/// Characters of the secret of a captcha.
const SECRET_CHARS: std::ops::RangeInclusive<usize> = 8..=200;

/// Makes a form.
///
/// # Errors
/// What [`LeadFormFields::check`] refuses; `INVALID_SECRET`, `BLANK` for a captcha without its secret, `QUOTA_EXCEEDED`;
/// `NOT_FOUND` for an owner who is not a member; `FORBIDDEN` without `integrations:write` and the right to change all leads.
pub async fn create(
    tx: &mut Tx,
    vault: &Vault,
    mut fields: LeadFormFields,
    captcha_secret: Option<String>,
) -> Result<LeadForm> {
    require_permission(tx)?;
    require_owner(tx, &fields).await?;
    fields.check()?;
    entity::require_fewer::<LeadForm>(tx, MOST, "lead forms").await?;
    let id = LeadFormId::new();
    let sealed = seal(vault, (tx.tenant(), id), captcha_secret)?;
    let form = LeadForm {
        id,
        captcha_secret: complete(&fields, sealed)?,
        fields,
        visible_to: String::new(),
        stamps: Stamps::new(tx, None),
    };
    let form = entity::insert(tx, &[form]).await?.remove(0);
    entity::emit_created(tx, &form, &form.fields);
    Ok(form)
}

/// Changes a form.
///
/// # Errors
/// As [`create`]; `NOT_FOUND`, `CONFLICT`.
pub async fn update(
    tx: &mut Tx,
    vault: &Vault,
    key: (LeadFormId, Option<i32>),
    change: impl FnOnce(&mut LeadFormFields),
    captcha_secret: Option<String>,
) -> Result<LeadForm> {
    require_permission(tx)?;
    let sealed = seal(vault, (tx.tenant(), key.0), captcha_secret)?;
    entity::change::<LeadForm>(tx, key, EventKind::Updated, async |tx, form| {
        let owner = form.fields.owner_id;
        change(&mut form.fields);
        if form.fields.owner_id != owner {
            require_owner(tx, &form.fields).await?;
        }
        form.fields.check()?;
        let secret = sealed.or(form.captcha_secret.take());
        form.captcha_secret = complete(&form.fields, secret)?;
        Ok(())
    })
    .await
}

/// A form makes leads of whoever it says, and adds to all that are open: who makes one has to be able to do that.
pub(super) fn may_write(actor: &Actor) -> bool {
    let reaches_all = actor.rights.edits(RecordKind::Leads) == Scope::All;
    actor.may("integrations:write") && reaches_all
}

fn require_permission(tx: &Tx) -> Result<()> {
    match may_write(tx.actor()) {
        true => Ok(()),
        false => Err(Error::Forbidden("make or change forms")),
    }
}

async fn require_owner(tx: &mut Tx, fields: &LeadFormFields) -> Result<()> {
    let owner = fields.owner_id.map(|owner| owner.uuid());
    entity::require_owners(tx, owner, "ownerId").await
}

/// The secret that a captcha has, and nothing else needs.
fn complete(fields: &LeadFormFields, secret: Option<Vec<u8>>) -> Result<Option<Vec<u8>>> {
    match (&fields.captcha_url, secret) {
        (None, _) => Ok(None),
        (Some(_), Some(secret)) => Ok(Some(secret)),
        (Some(_), None) => {
            let message = "the secret that the service verifies with is needed";
            Err(Error::invalid("BLANK", "captchaSecret", message))
        }
    }
}

fn seal(
    vault: &Vault,
    form: (TenantId, LeadFormId),
    secret: Option<String>,
) -> Result<Option<Vec<u8>>> {
    let Some(secret) = secret else {
        return Ok(None);
    };
    let is_plain = secret.bytes().all(|byte| byte.is_ascii_graphic());
    if !is_plain || !SECRET_CHARS.contains(&secret.len()) {
        let message = "expected 8 to 200 characters of ASCII without spaces";
        return Err(Error::invalid("INVALID_SECRET", "captchaSecret", message));
    }
    vault.seal(&place(form), secret.as_bytes()).map(Some)
}

/// Opens the secret of a captcha.
pub(super) fn open(
    vault: &Vault,
    form: (TenantId, LeadFormId),
    sealed: &[u8],
) -> Result<Secret<String>> {
    let bytes = vault.open(&place(form), sealed)?;
    String::from_utf8(bytes)
        .map(Secret::new)
        .map_err(Error::internal)
}

fn place((tenant, form): (TenantId, LeadFormId)) -> String {
    format!("lead form:{}:{}", tenant.uuid(), form.uuid())
}
