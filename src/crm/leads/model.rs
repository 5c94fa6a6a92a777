//! What a lead is, what it may look like, and which way its status may go.

use async_graphql::Enum;
use chrono::{DateTime, Utc};
use dealgraph_derive::{Columns, SchemaFields};
use serde::Serialize;

use crate::{
    base::{
        error::{Error, Result},
        ids::LeadId,
        money::Money,
        text::{self, Text},
        times,
    },
    entity::{Ownership, Stamps},
    graphql::projection::enum_columns,
};

/// A lead.
#[derive(Debug, Clone, sqlx::FromRow, Columns)]
pub struct Lead {
    #[sqlx(rename = "lead_id")]
    #[column(once)]
    pub(super) id: LeadId,
    #[sqlx(flatten)]
    pub(super) fields: LeadFields,
    #[column(read)]
    pub(super) visible_to: String,
    #[sqlx(flatten)]
    pub(super) stamps: Stamps,
}

/// How far a lead has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Enum, sqlx::Type)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[sqlx(type_name = "text", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum LeadStatus {
    /// Nobody has talked to them yet.
    #[default]
    New,
    /// A first contact was made.
    Contacted,
    /// Worth a deal.
    Qualified,
    /// Not worth pursuing; the reason says why.
    Unqualified,
    /// Not now; kept warm for later.
    Nurturing,
    /// Became a contact, with or without a deal. Final: such a lead does not change any more.
    Converted,
}

enum_columns!(LeadStatus);

impl LeadStatus {
    /// Refuses the status that only a conversion gives.
    ///
    /// # Errors
    /// `INVALID_STATUS`.
    pub fn refuse_converted(self) -> Result<()> {
        match self {
            Self::Converted => Err(Error::invalid(
                "INVALID_STATUS",
                "status",
                "a lead becomes converted by being converted only",
            )),
            _ => Ok(()),
        }
    }
}

/// What can be written of a lead.
#[derive(Debug, Clone, Default, PartialEq, Serialize, sqlx::FromRow, Columns, SchemaFields)]
#[computed(name_normalized = text::normalize(&self.sorted_name()))]
#[computed(email_normalized = self.email_normalized(), emails)]
pub struct LeadFields {
    /// First name.
    pub first_name: String,
    /// Last name.
    pub last_name: String,
    /// E-mail address, as it was written.
    #[column(emails)]
    pub email: Option<String>,
    /// Phone number.
    #[column(phones)]
    pub phone: Option<String>,
    /// The company they work for, in words.
    pub company_name: Option<String>,
    /// What they do there, for example `Head of Purchasing`.
    pub title: Option<String>,
    /// How far the lead has come.
    pub status: LeadStatus,
    /// Why an UNQUALIFIED lead is not worth pursuing.
    #[column(long)]
    pub unqualified_reason: Option<String>,
    /// Where the lead came from, for example `trade fair`.
    pub source: Option<String>,
    /// Notes on the lead.
    #[column(long)]
    pub notes: Option<String>,
    /// What a deal with them may be worth, in minor units.
    #[column(amounts)]
    #[graphql(skip)]
    pub estimated_amount_minor: Option<i64>,
    /// In which currency.
    #[column(amounts)]
    #[graphql(skip)]
    pub estimated_amount_currency: Option<String>,
    /// When the next action is due.
    pub next_action_at: Option<DateTime<Utc>>,
    /// What is to be done then.
    #[column(long)]
    pub next_action_details: Option<String>,
    /// When something was last done with them; follows from the activities and does not count as a change.
    // Counts when a lead is created with its past; afterwards activities alone move it, and an update keeps it.
    #[column(once)]
    pub last_activity_at: Option<DateTime<Utc>>,
    /// Free words to find it by.
    pub tags: Vec<String>,
    /// Who owns it.
    #[sqlx(flatten)]
    #[serde(flatten)]
    pub ownership: Ownership,
}

/// A lead that is to be created.
#[derive(Debug, Clone)]
pub struct NewLead {
    /// The client's own id, or a minted one.
    pub id: LeadId,
    /// What is known of it.
    pub fields: LeadFields,
    /// When it came about, if not now.
    pub created_at: Option<DateTime<Utc>>,
}

impl LeadFields {
    /// Cleans and bounds all fields, and holds them against the status.
    ///
    /// # Errors
    /// `BLANK`, `TOO_LONG`, `INVALID_EMAIL`, `INVALID_AMOUNT`, `INVALID_CURRENCY`, `INVALID_STATUS`,
    /// `OUT_OF_RANGE`, with the field.
    pub fn check(&mut self) -> Result<()> {
        Text::line("firstName").required(&mut self.first_name)?;
        Text::line("lastName").required(&mut self.last_name)?;
        for (field, text) in [
            ("phone", &mut self.phone),
            ("companyName", &mut self.company_name),
            ("title", &mut self.title),
            ("source", &mut self.source),
        ] {
            Text::line(field).optional(text)?;
        }
        for (field, text) in [
            ("email", &mut self.email), // an address may be longer than a line; its own check bounds it
            ("unqualifiedReason", &mut self.unqualified_reason),
            ("notes", &mut self.notes),
            ("nextActionDetails", &mut self.next_action_details),
        ] {
            Text::long(field).optional(text)?;
        }
        if let Some(email) = &self.email {
            text::normalize_email(email, "email")?;
        }
        text::check_tags(&mut self.tags)?;
        self.check_amount()?;
        self.check_status()?;
        self.check_next_action()
    }

    fn check_amount(&self) -> Result<()> {
        match (
            self.estimated_amount_minor,
            self.estimated_amount_currency.as_deref(),
        ) {
            (Some(minor), Some(currency)) => {
                Money::parse(minor, currency, "estimatedAmount").map(|_| ())
            }
            (None, None) => Ok(()),
            _ => Err(Error::invalid(
                "INVALID_AMOUNT",
                "estimatedAmount",
                "expected an amount with its currency",
            )),
        }
    }

    fn check_status(&self) -> Result<()> {
        match (self.status, &self.unqualified_reason) {
            (LeadStatus::Unqualified, None) => Err(Error::invalid(
                "BLANK",
                "unqualifiedReason",
                "say why the lead is not worth pursuing",
            )),
            (LeadStatus::Unqualified, Some(_)) | (_, None) => Ok(()),
            (_, Some(_)) => {
                let message = "only a lead with the status UNQUALIFIED has such a reason";
                Err(Error::invalid(
                    "INVALID_STATUS",
                    "unqualifiedReason",
                    message,
                ))
            }
        }
    }

    fn check_next_action(&self) -> Result<()> {
        match self.next_action_at {
            Some(at) => times::check_time("nextActionAt", at),
            None if self.next_action_details.is_some() => Err(Error::invalid(
                "BLANK",
                "nextActionAt",
                "a next action needs a time",
            )),
            None => Ok(()),
        }
    }

    /// Holds a change against what the lead was: a converted lead stays as it is, only a conversion converts, and
    /// a lead that leaves UNQUALIFIED loses its reason.
    ///
    /// # Errors
    /// `INVALID_STATUS`.
    pub fn follow_from(&mut self, before: &Self) -> Result<()> {
        if before.status == LeadStatus::Converted {
            return Err(Error::invalid(
                "INVALID_STATUS",
                "status",
                "a converted lead can't be changed any more",
            ));
        }
        self.status.refuse_converted()?;
        let left =
            before.status == LeadStatus::Unqualified && self.status != LeadStatus::Unqualified;
        // A reason that was newly given is not dropped in silence: `check` refuses it.
        if left && self.unqualified_reason == before.unqualified_reason {
            self.unqualified_reason = None;
        }
        self.last_activity_at = before.last_activity_at;
        Ok(())
    }

    /// The name as it is read.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{} {}", self.first_name, self.last_name)
    }

    /// The name as it is sorted by, the last name first.
    pub(super) fn sorted_name(&self) -> String {
        format!("{} {}", self.last_name, self.first_name)
    }

    /// The address as it is compared.
    pub(super) fn email_normalized(&self) -> Option<String> {
        text::normalize_email(self.email.as_deref()?, "email").ok()
    }

    /// What a deal with them may be worth.
    #[must_use]
    pub fn estimated_amount(&self) -> Option<Money> {
        Money::from_columns(
            self.estimated_amount_minor,
            self.estimated_amount_currency.as_deref(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ada(status: LeadStatus, reason: Option<&str>) -> LeadFields {
        LeadFields {
            first_name: "Ada".to_owned(),
            last_name: "Lovelace".to_owned(),
            status,
            unqualified_reason: reason.map(str::to_owned),
            ..Default::default()
        }
    }

    /// The code and field of what is wrong with the lead as it is.
    fn wrong(mut lead: LeadFields) -> Option<(&'static str, String)> {
        lead.check()
            .err()
            .map(|error| (error.code(), error.field().unwrap_or_default().to_owned()))
    }

    fn said(code: &'static str, field: &str) -> Option<(&'static str, String)> {
        Some((code, field.to_owned()))
    }

    #[test]
    fn only_an_unqualified_lead_has_a_reason_and_it_must_have_one() {
        assert_eq!(wrong(ada(LeadStatus::Unqualified, Some("no budget"))), None);
        assert_eq!(
            wrong(ada(LeadStatus::Unqualified, None)),
            said("BLANK", "unqualifiedReason")
        );
        assert_eq!(
            wrong(ada(LeadStatus::Unqualified, Some(" \n"))),
            said("BLANK", "unqualifiedReason")
        );
        assert_eq!(wrong(ada(LeadStatus::Qualified, None)), None);
        assert_eq!(
            wrong(ada(LeadStatus::Qualified, Some("no budget"))),
            said("INVALID_STATUS", "unqualifiedReason")
        );
    }

    #[test]
    fn leaving_unqualified_clears_the_reason_but_drops_no_new_one() {
        let before = ada(LeadStatus::Unqualified, Some("no budget"));
        let mut after = ada(LeadStatus::Nurturing, Some("no budget"));
        after.follow_from(&before).expect("an allowed change");
        assert_eq!(
            (after.unqualified_reason.as_deref(), wrong(after.clone())),
            (None, None)
        );

        let mut after = ada(LeadStatus::Nurturing, Some("no time"));
        after.follow_from(&before).expect("an allowed change");
        assert_eq!(wrong(after), said("INVALID_STATUS", "unqualifiedReason"));

        let mut after = ada(LeadStatus::Unqualified, Some("no time"));
        after.follow_from(&before).expect("an allowed change");
        assert_eq!(
            (after.unqualified_reason.as_deref(), wrong(after.clone())),
            (Some("no time"), None)
        );
    }

    #[test]
    fn converted_is_neither_set_by_a_change_nor_left() {
        use LeadStatus::{Contacted, Converted, New, Nurturing, Qualified, Unqualified};
        for from in [New, Contacted, Qualified, Unqualified, Nurturing, Converted] {
            for to in [New, Contacted, Qualified, Unqualified, Nurturing, Converted] {
                let outcome = ada(to, None).follow_from(&ada(from, None));
                if from == Converted || to == Converted {
                    let error = outcome.expect_err("must be refused");
                    assert_eq!(
                        (error.code(), error.field()),
                        ("INVALID_STATUS", Some("status")),
                        "{from:?} {to:?}"
                    );
                } else {
                    assert!(outcome.is_ok(), "{from:?} {to:?}");
                }
            }
        }
        assert!(Converted.refuse_converted().is_err());
    }

    #[test]
    fn a_converted_lead_is_refused_any_change() {
        let before = ada(LeadStatus::Converted, None);
        let mut after = LeadFields {
            title: Some("CTO".to_owned()),
            ..before.clone()
        };
        assert_eq!(
            after
                .follow_from(&before)
                .expect_err("must be refused")
                .code(),
            "INVALID_STATUS"
        );
        assert_eq!(wrong(before), None, "an import brings such leads");
    }

    #[test]
    fn a_next_action_needs_a_time_that_the_database_can_keep() {
        let details = Some("send the offer".to_owned());
        let lead = |at: Option<&str>| LeadFields {
            next_action_at: at.map(|at| at.parse().expect("a time")),
            next_action_details: details.clone(),
            ..ada(LeadStatus::New, None)
        };
        assert_eq!(wrong(lead(None)), said("BLANK", "nextActionAt"));
        assert_eq!(wrong(lead(Some("2026-11-21T09:00:00Z"))), None);
        assert_eq!(
            wrong(lead(Some("-4800-01-01T00:00:00Z"))),
            said("OUT_OF_RANGE", "nextActionAt")
        );
    }

    #[test]
    fn an_address_is_kept_as_written_and_compared_in_lower_case() {
        let mut lead = LeadFields {
            email: Some(" Ada@Example.COM ".to_owned()),
            ..ada(LeadStatus::New, None)
        };
        lead.check().expect("a sound lead");
        assert_eq!(lead.email.as_deref(), Some("Ada@Example.COM"));
        assert_eq!(lead.email_normalized().as_deref(), Some("ada@example.com"));

        let nonsense = LeadFields {
            email: Some("ada".to_owned()),
            ..ada(LeadStatus::New, None)
        };
        assert_eq!(wrong(nonsense), said("INVALID_EMAIL", "email"));
        let blank = LeadFields {
            email: Some(" ".to_owned()),
            ..ada(LeadStatus::New, None)
        };
        assert_eq!(
            (wrong(blank.clone()), blank.email_normalized()),
            (None, None)
        );
    }

    #[test]
    fn an_amount_comes_with_its_currency() {
        let lead = |minor, currency: Option<&str>| LeadFields {
            estimated_amount_minor: minor,
            estimated_amount_currency: currency.map(str::to_owned),
            ..ada(LeadStatus::New, None)
        };
        assert_eq!(wrong(lead(Some(1), Some("EUR"))), None);
        assert_eq!(
            wrong(lead(Some(1), None)),
            said("INVALID_AMOUNT", "estimatedAmount")
        );
        assert_eq!(
            wrong(lead(Some(-1), Some("EUR"))),
            said("INVALID_AMOUNT", "estimatedAmount.amountMinor")
        );
        assert_eq!(
            wrong(lead(Some(1), Some("eur"))),
            said("INVALID_CURRENCY", "estimatedAmount.currency")
        );
    }

    #[test]
    fn activities_alone_move_the_last_activity() {
        let at: DateTime<Utc> = "2026-11-21T09:00:00Z".parse().expect("a time");
        let before = LeadFields {
            last_activity_at: Some(at),
            ..ada(LeadStatus::New, None)
        };
        let mut after = ada(LeadStatus::Contacted, None);
        after.follow_from(&before).expect("an allowed change");
        assert_eq!(after.last_activity_at, Some(at));
    }
}
