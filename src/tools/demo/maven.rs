//! The tenant `maven`: a real data set, with what it lacks invented around it.

use std::ops::RangeInclusive;

use super::{
    load::{self, Ground},
    names::AMERICAN,
    people,
    world::{World, shifted},
};
use crate::{
    access::Role,
    base::text::normalize,
    data::import::{
        Ids, ImportError, Session,
        maven::{Crew, Files, Plan, Rows, SOURCE, instant, provision},
    },
    db::Db,
    organization::members::provision::NewTenant,
    platform::Progress,
};

const SLUG: &str = "maven";
const LEADS: usize = 600;
const STAFF: RangeInclusive<u32> = 3..=8;

pub(super) async fn load(db: &Db, progress: &Progress) -> Result<(), ImportError> {
    let tenant = NewTenant {
        id: Ids::tenant(SLUG),
        slug: SLUG.to_owned(),
        name: "Maven Sales".to_owned(),
        base_currency: "USD".to_owned(),
        time_zone: "America/New_York".to_owned(),
        locale: "en-US".to_owned(),
    };
    let rows = Rows::read(&Files::embedded())?;
    let ids = Ids::new(tenant.id, SOURCE);
    let crew = Crew::new(&rows, ids, SLUG);
    people::provision(db, &tenant, &crew.teams).await?;
    let data = Session::open(db, SLUG, SOURCE, progress.clone()).await?;
    let inventions = Session::open(db, SLUG, "demo", progress.clone()).await?;
    let (members, _) = provision(&data, &crew).await?;
    let sells = |name: &String| {
        crew.members
            .get(name)
            .is_some_and(|member| member.role == Role::SalesRep)
    };
    let reps = rows
        .agents
        .iter()
        .map(|agent| normalize(&agent.name))
        .filter(sells);
    let world = World {
        reps: reps
            .filter_map(|name| members.get(&name).copied())
            .collect(),
        ids: Ids::new(tenant.id, "demo"),
        now: db.clock().now(),
        names: &AMERICAN,
        currency: "USD",
    };
    let Plan {
        pipeline,
        mut products,
        mut companies,
        deals,
        ..
    } = Plan::new(rows, ids, &members, world.today());
    let first_deal = deals
        .iter()
        .filter_map(|deal| deal.created_at)
        .min()
        .unwrap_or(world.now)
        .date_naive();
    for (number, company) in (0..).zip(companies.iter_mut().flatten()) {
        // Customers one after the other, the last one before the first deal.
        company.created_at = Some(instant(shifted(first_deal, -90 + number % 90), 10));
    }
    for product in &mut products {
        // All of them before the first customer.
        product.created_at = Some(instant(shifted(first_deal, -120), 9));
    }
    let ground = Ground {
        pipelines: vec![pipeline],
        products,
        companies,
        deals,
        staff: STAFF,
        leads: LEADS,
    };
    load::load(&world, ground, &data, &inventions).await
}
