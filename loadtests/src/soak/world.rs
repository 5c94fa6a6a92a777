//! The tenants of the soak: their people with tokens, two pipelines, and a role that masks amounts.

use std::sync::Arc;

use dealgraph::{
    access::Role,
    base::ids::{TeamId, TenantId, Typed as _, UserId},
    db::SystemReason,
    organization::members::provision::{self, NewMember, NewTeam, NewTenant, segment},
};
use serde_json::{Value as Json, json};
use uuid::Uuid;

use super::{
    ask::{Addresses, Asker},
    kind::mint,
    sight::{Scope, Sight},
};
use crate::{
    Outcome,
    cluster::{Cluster, DATABASE},
};

pub(crate) struct Person {
    pub(crate) name: &'static str,
    pub(crate) sight: Sight,
    pub(crate) token: String,
    /// Whether amounts are kept from them.
    pub(crate) is_masked: bool,
}

pub(crate) struct Pipeline {
    pub(crate) id: Uuid,
    pub(crate) stages: Vec<Uuid>,
}

pub(crate) struct Tenant {
    pub(crate) slug: &'static str,
    pub(crate) id: Uuid,
    /// Those who watch and write.
    pub(crate) people: Vec<Arc<Person>>,
    /// Who connects other systems, with a role that shows them a team's rows without amounts.
    pub(crate) integrator: Arc<Person>,
    pub(crate) pipelines: Vec<Pipeline>,
    pub(crate) masking_role: Uuid,
    pub(crate) integrating_role: Uuid,
}

/// The people by their place in a tenant's list.
pub(crate) const ADMIN: usize = 0;
pub(crate) const MANAGER: usize = 1;
pub(crate) const NORTHERNER: usize = 2;
pub(crate) const SOUTHERNER: usize = 3;
const MASKED: usize = 6;
const INTEGRATOR: usize = 7;

/// Their names and roles; who is in a team is in the one of that number.
const PEOPLE: [(&str, Role, Option<usize>); 8] = [
    ("admin", Role::Admin, None),
    ("manager", Role::Manager, Some(0)),
    ("northerner", Role::SalesRep, Some(0)),
    ("southerner", Role::SalesRep, Some(1)),
    ("analyst", Role::Analyst, None),
    ("viewer", Role::Viewer, None),
    // These get roles of the tenant's own when there are some.
    ("masked", Role::Viewer, None),
    ("integrator", Role::Viewer, Some(0)),
];

const STAGES: [(&str, &str, i32); 5] = [
    ("Lead in", "OPEN", 10),
    ("Offer", "OPEN", 40),
    ("Talks", "OPEN", 70),
    ("Won", "WON", 100),
    ("Lost", "LOST", 0),
];

impl Tenant {
    /// Makes a tenant with its people, as the system.
    pub(crate) async fn provision(
        cluster: &Cluster,
        slug: &'static str,
        dice: &mut fastrand::Rng,
    ) -> Outcome<Self> {
        let id = mint(dice);
        let tenant = TenantId::from_uuid(id);
        let mut team = |name: &str| {
            let id = TeamId::from_uuid(mint(dice));
            NewTeam {
                id,
                name: name.to_owned(),
                parent: None,
                path: segment(id),
            }
        };
        let teams = [team("North"), team("South")];
        let users: Vec<Uuid> = PEOPLE.iter().map(|_| mint(dice)).collect();
        let member =
            |(&user, (name, role, team)): (&Uuid, (&str, Role, Option<usize>))| NewMember {
                user: UserId::from_uuid(user),
                email: format!("{name}@{slug}.example"),
                name: format!("{name} of {slug}"),
                role,
                team: team.map(|team| teams[team].clone()),
            };
        let members: Vec<NewMember> = users.iter().zip(PEOPLE).map(member).collect();
        let new = NewTenant {
            id: tenant,
            slug: slug.to_owned(),
            name: slug.to_owned(),
            base_currency: "USD".to_owned(),
            time_zone: "UTC".to_owned(),
            locale: "en-US".to_owned(),
        };
        let db = cluster.db(DATABASE);
        let mut tx = db.system(SystemReason::Provisioning).await?;
        provision::tenant(&mut tx, &new).await?;
        provision::teams(&mut tx, tenant, &teams).await?;
        provision::members(&mut tx, tenant, &members).await?;
        tx.commit().await?;
        let tokens = cluster.tokens(&db).await?;
        let mut people = Vec::new();
        for (user, (name, role, team)) in users.into_iter().zip(PEOPLE) {
            let scope = match (role, team) {
                (Role::SalesRep, _) => Scope::Own,
                (_, Some(team)) => Scope::Team(teams[team].path.clone()),
                _ => Scope::All,
            };
            people.push(Arc::new(Person {
                name,
                sight: Sight { user, scope },
                token: tokens.issue(UserId::from_uuid(user), tenant)?.token,
                is_masked: [MASKED, INTEGRATOR].contains(&people.len()),
            }));
        }
        db.close().await;
        let mut pipeline = || Pipeline {
            id: mint(dice),
            stages: STAGES.iter().map(|_| mint(dice)).collect(),
        };
        Ok(Self {
            slug,
            id,
            integrator: people.remove(INTEGRATOR),
            people,
            pipelines: vec![pipeline(), pipeline()],
            masking_role: mint(dice),
            integrating_role: mint(dice),
        })
    }

    /// What its admin sets up, as mutations with their inputs.
    pub(crate) fn set_up(&self) -> Vec<(&'static str, Json)> {
        let mut acts = Vec::new();
        for (number, pipeline) in self.pipelines.iter().enumerate() {
            let stages = pipeline.stages.iter().zip(STAGES);
            let stages: Vec<Json> = stages
                .map(|(id, (name, kind, probability))| {
                    json!({ "id": format!("stage:{id}"), "name": name, "kind": kind, "probability": probability })
                })
                .collect();
            let name = format!("Pipeline {number}");
            let id = format!("pipeline:{}", pipeline.id);
            let input =
                json!({ "id": id, "name": name, "preferred": number == 0, "stages": stages });
            acts.push(("pipelineCreate", input));
        }
        let kinds = [
            "companies",
            "contacts",
            "leads",
            "opportunities",
            "activities",
        ];
        let mut give = |(id, name, permissions): (Uuid, &str, Vec<String>), to: &Person| {
            let role = format!("role:{id}");
            let input = json!({ "id": role, "name": name, "permissions": permissions, "masks": ["AMOUNTS"] });
            acts.push(("roleCreate", input));
            let user = format!("user:{}", to.sight.user);
            let input = json!({ "userId": user, "role": "CUSTOM", "customRoleId": role });
            acts.push(("membershipUpdate", input));
        };
        let all = kinds.map(|kind| format!("{kind}:read:all"));
        let masked = &self.people[MASKED];
        give((self.masking_role, "No amounts", all.to_vec()), masked);
        let mut some: Vec<_> = all[..2].to_vec();
        some.extend(kinds[2..].iter().map(|kind| format!("{kind}:read:team")));
        some.push("integrations:write".to_owned());
        give((self.integrating_role, "Connects", some), &self.integrator);
        acts
    }

    pub(crate) fn asker(&self, person: usize, addresses: &Addresses, dice: fastrand::Rng) -> Asker {
        Asker::new(self.people[person].token.clone(), addresses.clone(), dice)
    }
}
