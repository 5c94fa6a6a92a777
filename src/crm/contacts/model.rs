//! What a contact is, and what it may look like.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use dealgraph_derive::{Columns, SchemaFields};
use serde::Serialize;

use super::methods::{ContactMethod, NewContactMethod};
use crate::{
    base::{
        error::{Error, Result},
        ids::{CompanyId, ContactId},
        text::{self, Text},
        times,
    },
    entity::{Ownership, Stamps},
};

/// A contact. The ways to reach it are rows of their own and are read when they are asked for.
#[derive(Debug, Clone, sqlx::FromRow, Columns)]
pub struct Contact {
    #[sqlx(rename = "contact_id")]
    #[column(once)]
    pub(super) id: ContactId,
    #[sqlx(flatten)]
    pub(super) fields: ContactFields,
    /// The preferred e-mail address of its methods, in the form addresses are compared in.
    #[sqlx(rename = "email_normalized")]
    #[column(emails)]
    pub(super) email: Option<String>,
    #[column(read)]
    pub(super) visible_to: String,
    #[sqlx(flatten)]
    pub(super) stamps: Stamps,
    /// The ways to reach it, while they are written; rows of their own.
    #[sqlx(skip)]
    pub(super) methods: Option<Vec<ContactMethod>>,
}

/// What can be written of a contact.
#[derive(Debug, Clone, Default, PartialEq, Serialize, sqlx::FromRow, Columns, SchemaFields)]
#[computed(name_normalized = self.name_normalized())]
#[told(contact_methods, ways)]
pub struct ContactFields {
    /// First name.
    pub first_name: String,
    /// Last name.
    pub last_name: String,
    /// What the person does, for example `Head of purchasing`.
    pub job_title: Option<String>,
    /// Where in the company the person works.
    pub department: Option<String>,
    /// The company the person works for.
    #[graphql(skip)]
    pub company_id: Option<CompanyId>,
    /// The person's boss.
    #[graphql(skip)]
    pub reports_to_id: Option<ContactId>,
    /// How warm the relationship is, from 0 (cold) to 100.
    pub warmness_score: i16,
    /// When the person was last in touch with the tenant.
    pub last_contacted_at: Option<DateTime<Utc>>,
    /// Free words to find it by.
    pub tags: Vec<String>,
    /// Who owns it.
    #[sqlx(flatten)]
    #[serde(flatten)]
    pub ownership: Ownership,
}

/// A contact that is to be created.
#[derive(Debug, Clone)]
pub struct NewContact {
    /// The client's own id, or a minted one.
    pub id: ContactId,
    /// What is known of it.
    pub fields: ContactFields,
    /// The ways to reach it, in their order.
    pub methods: Vec<NewContactMethod>,
    /// When it came about, if not now.
    pub created_at: Option<DateTime<Utc>>,
}

impl ContactFields {
    /// Cleans and bounds all fields.
    ///
    /// # Errors
    /// `BLANK`, `TOO_LONG`, `OUT_OF_RANGE`, with the field.
    pub fn check(&mut self) -> Result<()> {
        Text::line("firstName").required(&mut self.first_name)?;
        Text::line("lastName").required(&mut self.last_name)?;
        Text::line("jobTitle").optional(&mut self.job_title)?;
        Text::line("department").optional(&mut self.department)?;
        text::check_tags(&mut self.tags)?;
        if !(0..=100).contains(&self.warmness_score) {
            return Err(Error::invalid(
                "OUT_OF_RANGE",
                "warmnessScore",
                "expected a score between 0 and 100",
            ));
        }
        match self.last_contacted_at {
            Some(at) => times::check_time("lastContactedAt", at),
            None => Ok(()),
        }
    }

    /// The form its name is sorted and compared in: the last name first.
    pub(super) fn name_normalized(&self) -> String {
        text::normalize(&format!("{} {}", self.last_name, self.first_name))
    }
}

/// Sorts contacts so that those whom others report to come first, as foreign keys ask for when they are
/// inserted in several statements.
///
/// # Errors
/// `LOOP` when some of them report to each other in a circle.
pub(super) fn bosses_first(contacts: Vec<Contact>) -> Result<Vec<Contact>> {
    let mut sorted = Vec::with_capacity(contacts.len());
    let mut waiting = contacts;
    while !waiting.is_empty() {
        let ids: HashSet<ContactId> = waiting.iter().map(|contact| contact.id).collect();
        let waits = |contact: &Contact| {
            contact
                .fields
                .reports_to_id
                .is_some_and(|boss| ids.contains(&boss))
        };
        let (below, free): (Vec<_>, Vec<_>) = waiting.into_iter().partition(waits);
        if free.is_empty() {
            return Err(refused_loop());
        }
        sorted.extend(free);
        waiting = below;
    }
    Ok(sorted)
}

pub(super) fn refused_loop() -> Error {
    Error::invalid(
        "LOOP",
        "reportsToId",
        "a contact can't report to itself, directly or through others",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contact(id: ContactId, boss: Option<ContactId>) -> Contact {
        let stamps = Stamps {
            archived_at: None,
            created_at: DateTime::UNIX_EPOCH,
            created_by: String::new(),
            updated_at: DateTime::UNIX_EPOCH,
            updated_by: String::new(),
            version: 1,
        };
        let fields = ContactFields {
            reports_to_id: boss,
            ..Default::default()
        };
        Contact {
            id,
            fields,
            email: None,
            visible_to: String::new(),
            stamps,
            methods: None,
        }
    }

    #[test]
    fn bosses_come_before_those_who_report_to_them() {
        let [a, b, c, elsewhere] = [(); 4].map(|()| ContactId::new());
        let sorted = bosses_first(vec![
            contact(a, Some(b)),
            contact(b, Some(c)),
            contact(c, Some(elsewhere)),
        ]);
        let ids: Vec<_> = sorted
            .expect("no circle")
            .iter()
            .map(|contact| contact.id)
            .collect();
        assert_eq!(ids, [c, b, a]);
    }

    #[test]
    fn contacts_in_a_circle_are_refused() {
        let [a, b] = [(); 2].map(|()| ContactId::new());
        for circle in [
            vec![contact(a, Some(a))],
            vec![contact(a, Some(b)), contact(b, Some(a))],
        ] {
            assert_eq!(bosses_first(circle).expect_err("a circle").code(), "LOOP");
        }
    }

    #[test]
    fn names_must_be_there_and_the_score_in_its_range() {
        let sound = ContactFields {
            first_name: "Ada ".into(),
            last_name: "Lovelace".into(),
            ..Default::default()
        };
        assert_eq!(sound.name_normalized(), "lovelace ada");
        let blank = ContactFields {
            first_name: " ".into(),
            ..sound.clone()
        }
        .check()
        .expect_err("blank");
        assert_eq!((blank.code(), blank.field()), ("BLANK", Some("firstName")));
        let hot = ContactFields {
            warmness_score: 101,
            ..sound
        }
        .check()
        .expect_err("too warm");
        assert_eq!(
            (hot.code(), hot.field()),
            ("OUT_OF_RANGE", Some("warmnessScore"))
        );
    }
}
