//! The kinds of records that people own, each with how the next ones are found and how one is placed.

use uuid::Uuid;

use crate::{
    base::{
        error::Result,
        ids::{ActivityId, CompanyId, ContactId, LeadId, OpportunityId, Typed as _, UserId},
    },
    crm::{
        activities::{self, Activity},
        companies::{self, Company},
        contacts::{self, Contact},
        leads::{self, Lead},
        opportunities::{self, Opportunity},
    },
    db::Tx,
    entity::records::{self, Ownership},
    organization::members::{Member, MembershipStatus},
};

#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    Company,
    Contact,
    Lead,
    Opportunity,
    Activity,
}

/// What activities are about comes before them.
pub(super) const KINDS: [Kind; 5] = [
    Kind::Company,
    Kind::Contact,
    Kind::Lead,
    Kind::Opportunity,
    Kind::Activity,
];

impl Kind {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Company => "company",
            Self::Contact => "contact",
            Self::Lead => "lead",
            Self::Opportunity => "opportunity",
            Self::Activity => "activity",
        }
    }

    /// The next records that do not stand where they belong.
    pub(super) async fn next(
        self,
        tx: &mut Tx,
        member: &Member,
        page: (Uuid, i64),
    ) -> Result<Vec<Uuid>> {
        let (owner, leaves) = (member.user_id, successor(member).is_some());
        let place = (!leaves).then_some(member.team_path.as_deref());
        match self {
            Self::Company => records::owned_by::<Company>(tx, owner, place, page).await,
            Self::Contact => records::owned_by::<Contact>(tx, owner, place, page).await,
            Self::Lead => records::owned_by::<Lead>(tx, owner, place, page).await,
            Self::Opportunity if leaves => opportunities::of_person(tx, owner, page).await,
            Self::Opportunity => records::owned_by::<Opportunity>(tx, owner, place, page).await,
            Self::Activity => records::owned_by::<Activity>(tx, owner, place, page).await,
        }
    }

    /// Places a record; one that stands right already is left alone.
    pub(super) async fn place(self, tx: &mut Tx, id: Uuid, member: &Member) -> Result<()> {
        let (from, to) = (member.user_id, successor(member).unwrap_or(member.user_id));
        let hand = |ownership: &mut Ownership| {
            if ownership.owner_id == Some(from) {
                ownership.place_with(to);
            }
            Ok(())
        };
        match self {
            Self::Company => {
                let id = (CompanyId::from_uuid(id), None);
                companies::update(tx, id, |fields| hand(&mut fields.ownership)).await?;
            }
            Self::Contact => {
                let id = (ContactId::from_uuid(id), None);
                contacts::update(tx, id, None, |fields| hand(&mut fields.ownership)).await?;
            }
            Self::Lead => {
                leads::pass_on(tx, LeadId::from_uuid(id), (from, to)).await?;
            }
            Self::Opportunity => {
                opportunities::pass_on(tx, OpportunityId::from_uuid(id), (from, to)).await?;
            }
            Self::Activity => {
                let id = (ActivityId::from_uuid(id), None);
                activities::update(tx, id, None, |fields| hand(&mut fields.ownership)).await?;
            }
        }
        Ok(())
    }
}

/// Who takes over; nobody for somebody who stays.
fn successor(member: &Member) -> Option<UserId> {
    match member.status {
        MembershipStatus::Leaving => member.successor_id,
        MembershipStatus::Active | MembershipStatus::Suspended => None,
    }
}
