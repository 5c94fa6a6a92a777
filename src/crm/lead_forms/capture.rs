//! From what was posted to a form to a lead.

use std::{net::IpAddr, sync::Arc, time::Duration};

use bytes::Bytes;

use super::{
    captcha::Captcha,
    forget, form,
    key::FormKey,
    model::{LeadForm, LeadFormDuplicates, read_origin},
    posted::{Format, Posted},
    reading::{self, Reading},
    store::{self, NewSubmission},
    submission::SubmissionOutcome,
};
use crate::{
    access::Actor,
    base::{
        error::{Error, Result},
        ids::{LeadId, Typed as _},
        text::{self, LONG_CHARS},
    },
    crm::leads::{self, LeadFields, NewLead},
    db::{Db, Tx, journal::Origin, list},
    entity,
    platform::{
        Vault,
        redis::{Counter, Throttle},
    },
};

/// What the server may do for a stranger who fills a form in.
const PERMISSIONS: [&str; 4] = [
    "leads:read:all",
    "leads:write:all",
    "users:read",
    "integrations:write",
];
/// How much comes from one address: so many at once, and one more each so often.
const FROM_ADDRESS: (u32, Duration) = (40, Duration::from_secs(2));
/// How much comes to one form.
const TO_FORM: (u32, Duration) = (300, Duration::from_millis(100));

/// Something that was posted.
#[derive(Debug)]
pub struct Post {
    /// How.
    pub format: Format,
    /// What.
    pub body: Bytes,
    /// The page, as the browser says.
    pub referrer: Option<String>,
}

/// A form, as far as its page concerns.
#[derive(Debug)]
pub struct FormView {
    form: LeadForm,
    actor: Arc<Actor>,
    /// The origin of the page, where one may post.
    pub origin: Option<String>,
}

/// A post was taken: of a lead, or of a program that is told the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Captured {
    /// The page that a plain form goes on to.
    pub thanks_url: Option<String>,
}

/// Why a post was not taken.
#[derive(Debug, Clone)]
pub enum NotCaptured {
    /// There is no such form, or it takes nothing.
    Unknown,
    /// The page may not post to it.
    ForeignOrigin,
    /// Too much came.
    TooMany(u64),
    /// Its sender has to mend something.
    Invalid(Error),
    /// Not now.
    Later(Error),
}

impl From<Error> for NotCaptured {
    fn from(error: Error) -> Self {
        match error {
            Error::TooManyAttempts { retry_after_s } => Self::TooMany(retry_after_s),
            Error::Invalid { .. } => Self::Invalid(error),
            other => Self::Later(other),
        }
    }
}

/// Takes what is posted to forms.
pub struct Capture {
    db: Db,
    vault: Arc<Vault>,
    throttle: Throttle,
    captcha: Captcha,
}

impl Capture {
    /// Puts it together.
    #[must_use]
    pub fn new(db: Db, vault: Arc<Vault>, throttle: Throttle, captcha: Captcha) -> Self {
        Self {
            db,
            vault,
            throttle,
            captcha,
        }
    }

    /// Finds a form by its key, for a page of this origin or for a program.
    ///
    /// # Errors
    /// [`NotCaptured`]; to who asks for what is not there, or from an address of which too much comes, the first as well.
    pub async fn form(
        &self,
        key: &str,
        page: Option<&str>,
        origin: &Origin,
    ) -> Result<FormView, NotCaptured> {
        if let Some(address) = origin.address {
            let (burst, every) = FROM_ADDRESS;
            let counter = Counter::steady_from("capture", address, burst, every);
            self.throttle.begin(&counter).await?;
        }
        let key = FormKey::parse(key).ok_or(NotCaptured::Unknown)?;
        let actor = Arc::new(Actor::on_behalf(key.tenant, "lead_form", &PERMISSIONS));
        let session = self.db.read_session(Arc::clone(&actor));
        let read = session.run(async |tx| {
            let form: Option<LeadForm> = list::find(tx, key.id.uuid()).await?;
            Ok((form, store::standing(tx).await?))
        });
        let (form, standing) = read.await?;
        let form = form.filter(|form| form.fields.enabled);
        let form = form.ok_or(NotCaptured::Unknown)?;
        match standing.as_deref() {
            Some("ACTIVE") => {}
            Some("SUSPENDED") => return Err(NotCaptured::Later(Error::TenantSuspended)),
            _ => return Err(NotCaptured::Unknown),
        }
        let origin = match page {
            Some(page) => {
                let allowed = &form.fields.allowed_origins;
                let page = read_origin(page).filter(|page| allowed.contains(page));
                Some(page.ok_or(NotCaptured::ForeignOrigin)?)
            }
            None => None,
        };
        Ok(FormView {
            form,
            actor,
            origin,
        })
    }

    /// Takes a post to a form.
    ///
    /// # Errors
    /// [`NotCaptured`].
    pub async fn submit(
        &self,
        view: &FormView,
        post: Post,
        origin: &Origin,
    ) -> Result<Captured, NotCaptured> {
        let (burst, every) = TO_FORM;
        let name = view.form.id.to_string();
        let counter = Counter::steady("capture", &name, burst, every);
        self.throttle.begin(&counter).await?;
        let posted = Posted::read(post.format, &post.body)?;
        let fields = &view.form.fields;
        let page = reading::page(&posted, post.referrer.as_deref(), view.origin.as_deref());
        let captured = Captured {
            thanks_url: fields.thanks_url.clone(),
        };
        let nothing = |outcome, reason| NewSubmission {
            form: view.form.id,
            outcome,
            reason,
            lead: None,
            consent: None,
            page_url: page.clone(),
            address: origin.address.map(network),
            extra: reading::extra(fields, &posted),
        };
        if reading::is_spam(fields, &posted) {
            self.note(view, nothing(SubmissionOutcome::Spam, None), origin)
                .await?;
            return Ok(captured);
        }
        match self.take(view, &posted, page.clone(), origin).await {
            Ok(()) => Ok(captured),
            Err(error @ Error::Invalid { .. }) => {
                let reason = Some((error.code(), error.field().map(str::to_owned)));
                let refused = nothing(SubmissionOutcome::Refused, reason);
                self.note(view, refused, origin).await?;
                Err(NotCaptured::Invalid(error))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Reads a post, has its captcha verified, and then writes the lead.
    async fn take(
        &self,
        view: &FormView,
        posted: &Posted,
        page: Option<String>,
        origin: &Origin,
    ) -> Result<()> {
        let form = &view.form;
        let mut reading = reading::read(&form.fields, posted)?;
        reading.page = page;
        self.verify_captcha(view, &reading, origin).await?;
        let written = self.db.write(&view.actor, origin, async |tx| {
            write(tx, form, reading, origin.address).await
        });
        written.await
    }

    async fn verify_captcha(
        &self,
        view: &FormView,
        reading: &Reading,
        origin: &Origin,
    ) -> Result<()> {
        let form = &view.form;
        let Some((url, sealed)) = form
            .fields
            .captcha_url
            .as_deref()
            .zip(form.captcha_secret.as_deref())
        else {
            return Ok(());
        };
        let token = reading.captcha.as_deref().unwrap_or_default();
        let secret = form::open(&self.vault, (view.actor.tenant, form.id), sealed)?;
        let with = (url, secret.expose().as_str());
        match self.captcha.is_solved(with, token, origin.address).await? {
            true => Ok(()),
            false => {
                let field = form.fields.captcha_field.clone().unwrap_or_default();
                let message = "the captcha was not solved, or too long ago";
                Err(Error::invalid("CAPTCHA_FAILED", field, message))
            }
        }
    }

    async fn note(
        &self,
        view: &FormView,
        submission: NewSubmission,
        origin: &Origin,
    ) -> Result<()> {
        let noted = self.db.write(&view.actor, origin, async |tx| {
            store::insert(tx, submission).await?;
            forget::enqueue(tx).await
        });
        noted.await
    }
}

/// Makes the lead, or adds to the one that is open, and notes the submission.
pub(super) async fn write(
    tx: &mut Tx,
    form: &LeadForm,
    reading: Reading,
    address: Option<IpAddr>,
) -> Result<()> {
    let Reading {
        mut lead,
        extra,
        has_agreed,
        page,
        ..
    } = reading;
    let fields = &form.fields;
    let mut open = None;
    if fields.duplicates == LeadFormDuplicates::UpdateOpen
        && let Some(email) = &lead.email
    {
        let email = text::normalize_email(email, "email")?;
        store::lock_address(tx, &email).await?;
        open = store::open_lead(tx, &email).await?;
    }
    let (outcome, id) = match open {
        Some(id) => {
            leads::update(tx, (id, None), |known| {
                add(known, lead);
                Ok(())
            })
            .await?;
            (SubmissionOutcome::Updated, id)
        }
        None => {
            lead.ownership.owner_id = fields.owner_id;
            let owner = fields.owner_id.map(|owner| owner.uuid());
            // Who is gone since the form was made gets nothing more; the lead comes about without an owner.
            match entity::require_owners(tx, owner, "ownerId").await {
                Err(Error::NotFound { .. } | Error::Invalid { .. }) => {
                    lead.ownership.owner_id = None
                }
                other => other?,
            }
            let id = LeadId::new();
            let new = NewLead {
                id,
                fields: lead,
                created_at: None,
            };
            leads::create(tx, new).await?;
            (SubmissionOutcome::Created, id)
        }
    };
    let consent = fields.consent_text.clone().filter(|_| has_agreed);
    let submission = NewSubmission {
        form: form.id,
        outcome,
        reason: None,
        lead: Some(id),
        consent: consent.map(|text| (text, fields.consent_version.clone())),
        page_url: page,
        address: address.map(network),
        extra,
    };
    store::insert(tx, submission).await
}

/// Fills in what is empty, and adds notes and tags. What is there was found out by somebody, and stays.
fn add(known: &mut LeadFields, new: LeadFields) {
    let fill = |known: &mut Option<String>, new: Option<String>| {
        if known.is_none() {
            *known = new;
        }
    };
    fill(&mut known.phone, new.phone);
    fill(&mut known.company_name, new.company_name);
    fill(&mut known.title, new.title);
    fill(&mut known.source, new.source);
    if let Some(notes) = new.notes {
        let text = match known.notes.as_deref() {
            None => notes,
            Some(there) if there.contains(&notes) => there.to_owned(),
            Some(there) => format!("{there}\n\n{notes}"),
        };
        if text.chars().count() <= LONG_CHARS {
            known.notes = Some(text);
        }
    }
    let mut tags = known.tags.clone();
    tags.extend(new.tags);
    if text::check_tags(&mut tags).is_ok() {
        known.tags = tags;
    }
}

/// An address without its last part: as much as tells networks apart, and no people.
fn network(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            let [a, b, c, _] = address.octets();
            format!("{a}.{b}.{c}.0/24")
        }
        IpAddr::V6(address) => {
            let [a, b, c, ..] = address.segments();
            format!("{a:x}:{b:x}:{c:x}::/48")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_is_known_is_overwritten() {
        let mut known = LeadFields {
            first_name: "Ada".to_owned(),
            phone: Some("+49 1".to_owned()),
            notes: Some("Met at the fair.".to_owned()),
            tags: vec!["fair".to_owned()],
            ..LeadFields::default()
        };
        let new = LeadFields {
            first_name: "Mallory".to_owned(),
            phone: Some("+49 2".to_owned()),
            title: Some("Head".to_owned()),
            notes: Some("Call me".to_owned()),
            tags: vec!["fair".to_owned(), "web".to_owned()],
            ..LeadFields::default()
        };
        add(&mut known, new.clone());
        assert_eq!(
            (known.first_name.as_str(), known.phone.as_deref()),
            ("Ada", Some("+49 1"))
        );
        assert_eq!(known.title.as_deref(), Some("Head"));
        assert_eq!(known.notes.as_deref(), Some("Met at the fair.\n\nCall me"));
        assert_eq!(known.tags, ["fair", "web"]);
        let before = known.clone();
        add(&mut known, new);
        assert_eq!(known, before, "the same again adds nothing");
        let long = LeadFields {
            notes: Some("x".repeat(LONG_CHARS)),
            ..LeadFields::default()
        };
        add(&mut known, long);
        assert_eq!(known, before, "nor what has no room");
    }

    #[test]
    fn addresses_lose_what_tells_people_apart() {
        let short = |text: &str| network(text.parse().expect("an address"));
        assert_eq!(short("192.0.2.77"), "192.0.2.0/24");
        assert_eq!(short("::ffff:192.0.2.77"), "192.0.2.0/24");
        assert_eq!(short("2001:db8:1:2:3::4"), "2001:db8:1::/48");
    }
}
