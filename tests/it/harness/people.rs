//! Who is in the world: two tenants of the same shape, each with the same people.
//!
//! Ids show at a glance what they are: the fourth group is the side, the fifth the kind and a number. All of them begin
//! alike, as the ids of tenants do that sign up in the same minute.

use std::sync::Arc;

use chrono::DateTime;
use dealgraph::{
    access::{Actor, Membership, Rights, Role, Sensitive, Subject},
    base::ids::{
        ApiKeyId, AuditEntryId, InvitationId, RoleId, SessionId, TeamId, TenantId, Typed, UserId,
    },
    organization::members::provision,
};
use uuid::Uuid;

/// Kinds of ids; the place in the list is the kind's number.
pub(super) const KINDS: [&str; 27] = [
    TenantId::PREFIX,
    UserId::PREFIX,
    TeamId::PREFIX,
    "company",
    "contact",
    "contactMethod",
    "lead",
    "pipeline",
    "stage",
    "opportunity",
    "stageChange",
    "activity",
    RoleId::PREFIX,
    InvitationId::PREFIX,
    ApiKeyId::PREFIX,
    SessionId::PREFIX,
    AuditEntryId::PREFIX,
    "product",
    "job",
    "inboundEndpoint",
    "inboundMessage",
    "leadForm",
    "leadFormSubmission",
    "webhookEndpoint",
    "webhookDelivery",
    "integration",
    "syncRun",
];

/// What all ids of the world begin with.
const ID_START: &str = "01980000-0000-7000";

/// One of the two tenants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// The one that the tests act for.
    A,
    /// The other one: nothing of it may ever reach A.
    B,
}

/// A member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Who {
    /// ADMIN without a team.
    Admin,
    /// MANAGER of the team West.
    Manager,
    /// SALES_REP in the team North below West.
    Rep,
    /// SALES_REP in the team East.
    OtherRep,
    /// ANALYST without a team.
    Analyst,
    /// VIEWER without a team.
    Viewer,
    /// SALES_REP in the team East who is kept out.
    Suspended,
    /// One person who is MANAGER of West in A and VIEWER in B.
    Both,
    /// In the team West with a role of the tenant's own: sells, and is shown neither addresses nor numbers.
    Closer,
    /// Without a team, with a role of the tenant's own: reads the audit log and runs integrations, is shown no amounts.
    Auditor,
}

/// The permissions of the two roles that each tenant made, as world.sql has them.
const MADE: [(&[&str], &[Sensitive]); 2] = [
    (
        &[
            "companies:read:all",
            "contacts:read:all",
            "contacts:write:own",
            "opportunities:read:team",
            "opportunities:write:own",
            "opportunities:delete:own",
            "activities:read:team",
            "activities:write:own",
            "users:read",
        ],
        &[Sensitive::Emails, Sensitive::Phones],
    ),
    (
        &[
            "companies:read:all",
            "opportunities:read:all",
            "users:read",
            "audit:read",
            "integrations:write",
        ],
        &[Sensitive::Amounts],
    ),
];

impl Side {
    /// What the ids of the side contain.
    pub(super) const fn marker(self) -> &'static str {
        match self {
            Self::A => "a0a0",
            Self::B => "b0b0",
        }
    }

    /// What the ids of the side begin with.
    pub(super) fn id_start(self) -> String {
        format!("{ID_START}-{}-", self.marker())
    }

    /// The `n`th id of a type.
    pub(crate) fn id<T: Typed>(self, n: u32) -> T {
        T::from_uuid(self.uuid(T::PREFIX, n))
    }

    /// The `n`th id of a kind.
    pub(crate) fn uuid(self, kind: &str, n: u32) -> Uuid {
        uuid(self.marker(), kind, n)
    }

    pub(crate) fn tenant(self) -> TenantId {
        self.id(1)
    }

    pub(crate) fn user(self, who: Who) -> UserId {
        match who {
            Who::Both => UserId::from_uuid(uuid("abab", UserId::PREFIX, who.number())),
            _ => self.id(who.number()),
        }
    }

    /// The member as an actor.
    pub(crate) fn actor(self, who: Who) -> Arc<Actor> {
        let ends = DateTime::from_timestamp(4_000_000_000, 0).expect("a year before 2100");
        let mut membership = Membership::of(self.tenant(), who.role(self), self.team_path(who));
        if let Some(n) = who.made_role() {
            let (permissions, masks) = MADE[n as usize - 1];
            let permissions: Vec<_> = permissions.iter().map(|&text| text.to_owned()).collect();
            let rights = Rights::parse(&permissions, masks).expect("the role of world.sql");
            membership.rights = Arc::new(rights);
            membership.custom_role = Some(self.id(n));
        }
        Arc::new(Actor::new(
            Subject::Person(self.user(who), None),
            membership,
            ends,
        ))
    }

    fn team_path(self, who: Who) -> Option<String> {
        let segment = |n| provision::segment(self.id::<TeamId>(n));
        match who {
            Who::Manager | Who::Closer => Some(segment(1)),
            Who::Both if self == Self::A => Some(segment(1)),
            Who::Rep => Some(segment(1) + &segment(2)),
            Who::OtherRep | Who::Suspended => Some(segment(3)),
            _ => None,
        }
    }
}

impl Who {
    /// One member of each role, those that the tenant made last.
    pub(crate) const ROLES: [Self; 7] = [
        Self::Admin,
        Self::Manager,
        Self::Rep,
        Self::Analyst,
        Self::Viewer,
        Self::Closer,
        Self::Auditor,
    ];

    /// The place among the members, which is the number in the id.
    pub(super) const fn number(self) -> u32 {
        self as u32 + 1
    }

    pub(crate) fn role(self, side: Side) -> Role {
        match self {
            Self::Admin => Role::Admin,
            Self::Manager => Role::Manager,
            Self::Both if side == Side::A => Role::Manager,
            Self::Rep | Self::OtherRep | Self::Suspended => Role::SalesRep,
            Self::Analyst => Role::Analyst,
            Self::Viewer | Self::Both => Role::Viewer,
            Self::Closer | Self::Auditor => Role::Custom,
        }
    }

    /// The number of the role that the tenant made, for who has one.
    const fn made_role(self) -> Option<u32> {
        match self {
            Self::Closer => Some(1),
            Self::Auditor => Some(2),
            _ => None,
        }
    }
}

fn uuid(marker: &str, kind: &str, n: u32) -> Uuid {
    let place = KINDS.iter().position(|known| *known == kind);
    let place = place.unwrap_or_else(|| panic!("the world has no kind {kind}")) + 1;
    format!("{ID_START}-{marker}-{place:04x}{n:08x}")
        .parse()
        .expect("it has the form of a uuid")
}
