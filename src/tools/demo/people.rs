//! The people of the demo, to sign in as.

use crate::{
    access::Role,
    base::error::Result,
    data::import::Ids,
    db::{Db, Sql, SystemReason},
    organization::{
        accounts::Accounts,
        members::provision::{self, KnownPerson, NewMember, NewTeam, NewTenant},
    },
};

/// A person to sign in as.
#[derive(Debug, Clone, Copy)]
pub struct Person {
    /// The address, which names the person.
    pub email: &'static str,
    /// The name.
    pub name: &'static str,
    /// The slug of the tenant; a person may be in both.
    pub tenant: &'static str,
    /// What they may do there.
    pub role: Role,
    /// What there is to see as them.
    pub about: &'static str,
    /// The team, for those who are in one and do not come with the data.
    team: Option<&'static str>,
    /// Whether the sales data brings them along.
    in_data: bool,
}

const fn person(
    tenant: &'static str,
    role: Role,
    email: &'static str,
    name: &'static str,
    about: &'static str,
) -> Person {
    Person {
        email,
        name,
        tenant,
        role,
        about,
        team: None,
        in_data: false,
    }
}

/// The people that a start of the demo names, with their tenants.
pub const PEOPLE: &[Person] = &[
    person(
        "maven",
        Role::Admin,
        "admin@maven.example",
        "Alma Reyes",
        "everything in Maven Sales",
    ),
    Person {
        in_data: true,
        ..person(
            "maven",
            Role::Manager,
            "melvin.marxen@maven.example",
            "Melvin Marxen",
            "the deals of his team",
        )
    },
    Person {
        in_data: true,
        ..person(
            "maven",
            Role::SalesRep,
            "darcel.schlecht@maven.example",
            "Darcel Schlecht",
            "his own deals",
        )
    },
    Person {
        team: Some("Central"),
        ..person(
            "maven",
            Role::Manager,
            "both@dealgraph.example",
            "Robin Both",
            "the deals of the Central office",
        )
    },
    person(
        "maven",
        Role::Analyst,
        "analyst@maven.example",
        "Ana Lytton",
        "all deals, changes nothing",
    ),
    person(
        "maven",
        Role::Viewer,
        "viewer@maven.example",
        "Vic Watts",
        "all deals, changes nothing",
    ),
    person(
        "globex",
        Role::Admin,
        "admin@globex.example",
        "Greta Holm",
        "everything in Globex",
    ),
    Person {
        in_data: true,
        ..person(
            "globex",
            Role::Manager,
            "henrike.falk@globex.example",
            "Henrike Falk",
            "the deals of her team",
        )
    },
    Person {
        in_data: true,
        ..person(
            "globex",
            Role::SalesRep,
            "matteo.conti@globex.example",
            "Matteo Conti",
            "his own deals",
        )
    },
    person(
        "globex",
        Role::Analyst,
        "analyst@globex.example",
        "Anouk Simon",
        "all deals, changes nothing",
    ),
    person(
        "globex",
        Role::Viewer,
        "viewer@globex.example",
        "Viggo Lund",
        "all deals, changes nothing",
    ),
    person(
        "globex",
        Role::Viewer,
        "both@dealgraph.example",
        "Robin Both",
        "all deals of Globex",
    ),
];

/// [`PEOPLE`] as they are known once the demo is loaded into an empty cluster.
#[must_use]
pub fn people() -> Vec<KnownPerson> {
    let known = |person: &Person| KnownPerson {
        user_id: Ids::person(person.email),
        email: person.email.to_owned(),
        name: person.name.to_owned(),
        role: person.role,
        tenant_id: Ids::tenant(person.tenant),
        slug: person.tenant.to_owned(),
        tenant_name: if person.tenant == "maven" {
            "Maven Sales"
        } else {
            "Globex"
        }
        .to_owned(),
    };
    PEOPLE.iter().map(known).collect()
}

/// Sets up a demo tenant with its teams and those of [`PEOPLE`] that do not come with the data.
pub(super) async fn provision(db: &Db, tenant: &NewTenant, teams: &[NewTeam]) -> Result<()> {
    let team = |name: Option<&str>| {
        teams
            .iter()
            .find(|team| Some(team.name.as_str()) == name)
            .cloned()
    };
    let invented = PEOPLE
        .iter()
        .filter(|person| person.tenant == tenant.slug && !person.in_data);
    let members: Vec<NewMember> = invented
        .map(|person| NewMember {
            user: Ids::person(person.email),
            email: person.email.to_owned(),
            name: person.name.to_owned(),
            role: person.role,
            team: team(person.team),
        })
        .collect();
    let mut tx = db.system(SystemReason::Provisioning).await?;
    provision::tenant(&mut tx, tenant).await?;
    provision::teams(&mut tx, tenant.id, teams).await?;
    provision::members(&mut tx, tenant.id, &members).await?;
    tx.commit().await
}

/// The password of everyone in the demo. Long enough, and known to all: there is nothing to protect.
pub const PASSWORD: &str = "dealgraph-demo";

/// Gives the password to those of [`PEOPLE`] who have none.
///
/// # Errors
/// The database.
pub async fn set_passwords(accounts: &Accounts) -> Result<()> {
    let hash = accounts.hasher.hash(PASSWORD).await?;
    let mut addresses: Vec<String> = PEOPLE
        .iter()
        .map(|person| person.email.to_owned())
        .collect();
    addresses.sort();
    let mut tx = accounts.db.system(SystemReason::Provisioning).await?;
    let now = tx.now();
    let sql = Sql::new("UPDATE users SET password_hash = ")
        .bind(hash)
        .push(", password_changed_at = ")
        .bind(now)
        .push(", email_verified_at = coalesce(email_verified_at, ")
        .bind(now)
        .push(") WHERE password_hash IS NULL AND email_normalized = ANY(")
        .bind(addresses)
        .push(")");
    tx.execute(sql).await?;
    tx.commit().await
}
