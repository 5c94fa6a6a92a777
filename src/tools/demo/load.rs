//! Writing a demo tenant, in the order in which its records refer to each other.

use std::{collections::HashMap, ops::RangeInclusive};

use chrono::{DateTime, Utc};

use super::{contacts, deals, leads, story, world::World};
use crate::{
    base::ids::{CompanyId, StageId, Typed as _},
    crm::{
        activities::{self, Activity, NewActivity, Target},
        companies::NewCompany,
        contacts::{Contact, NewContact},
        leads::NewLead,
        opportunities::NewOpportunity,
        pipelines::{NewPipeline, StageKind},
        products::NewProduct,
    },
    data::import::{
        ImportError, Session, create_missing,
        maven::{put_companies, put_deals, put_pipeline, put_products},
    },
    db::list,
};

/// What a demo tenant is made of before anything is invented around it.
pub(super) struct Ground {
    pub(super) pipelines: Vec<NewPipeline>,
    pub(super) products: Vec<NewProduct>,
    /// Parents before those that belong to them.
    pub(super) companies: Vec<Vec<NewCompany>>,
    pub(super) deals: Vec<NewOpportunity>,
    /// How many people a company has.
    pub(super) staff: RangeInclusive<u32>,
    pub(super) leads: usize,
}

/// Loads a tenant unless it is loaded: `data` writes the ground, `inventions` what is invented around it.
pub(super) async fn load(
    world: &World,
    ground: Ground,
    data: &Session,
    inventions: &Session,
) -> Result<(), ImportError> {
    let Ground {
        pipelines,
        products,
        mut companies,
        mut deals,
        staff,
        leads,
    } = ground;
    let notes: Vec<NewActivity> = companies
        .iter()
        .flatten()
        .flat_map(|company| story::of_company(world, company))
        .collect();
    if any_exists(inventions, &notes).await? {
        return Ok(());
    }
    let kinds: HashMap<StageId, StageKind> = pipelines
        .iter()
        .flat_map(|pipeline| &pipeline.stages)
        .map(|stage| (stage.id, stage.kind))
        .collect();
    let mut people: HashMap<CompanyId, Vec<NewContact>> = HashMap::new();
    for company in companies.iter_mut().flatten() {
        contacts::flesh_out_company(world, company);
        people.insert(company.id, contacts::of_company(world, company, &staff));
    }
    let kind_of = |deal: &NewOpportunity| {
        kinds
            .get(&deal.stage_id)
            .copied()
            .unwrap_or(StageKind::Open)
    };
    for deal in &mut deals {
        let staff = deal
            .fields
            .company_id
            .and_then(|company| people.get(&company));
        let kind = kind_of(deal);
        deals::flesh_out(world, deal, staff.map_or(&[], Vec::as_slice), kind);
    }
    let mut leads: Vec<NewLead> = leads::invent(world, leads);
    let mut done: Vec<NewActivity> = deals
        .iter()
        .flat_map(|deal| story::of_deal(world, deal, kind_of(deal)))
        .collect();
    done.extend(leads.iter().flat_map(|lead| story::of_lead(world, lead)));
    let mut people: Vec<NewContact> = companies
        .iter()
        .flatten()
        .flat_map(|company| people.remove(&company.id).unwrap_or_default())
        .collect();
    date_last(&done, &mut deals, &mut leads, &mut people);

    for pipeline in pipelines {
        put_pipeline(data, pipeline).await?;
    }
    put_products(data, products).await?;
    put_companies(data, companies).await?;
    put_contacts(inventions, people).await?;
    put_deals(data, deals).await?;
    inventions.progress.start("Leads", leads.len());
    create_missing(
        inventions,
        leads,
        |lead| lead.id.uuid(),
        crate::crm::leads::create_many,
    )
    .await?;
    put_activities(inventions, done).await?;
    // The last ones: that they are there says that everything is.
    put_activities(inventions, notes).await
}

/// Dates what was last done about records as the activities themselves would: created with it, they need not be
/// changed once more.
fn date_last(
    done: &[NewActivity],
    deals: &mut [NewOpportunity],
    leads: &mut [NewLead],
    people: &mut [NewContact],
) {
    let mut last: HashMap<Target, DateTime<Utc>> = HashMap::new();
    for activity in done {
        let Some(at) = activity.fields.done_at else {
            continue;
        };
        for target in &activity.targets {
            if !matches!(target, Target::Contact(_)) || activity.fields.kind.reaches_people() {
                let last = last.entry(*target).or_insert(at);
                *last = at.max(*last);
            }
        }
    }
    for deal in deals {
        deal.last_activity_at = last.get(&Target::Opportunity(deal.id)).copied();
    }
    for lead in leads {
        lead.fields.last_activity_at = last.get(&Target::Lead(lead.id)).copied();
    }
    for contact in people {
        contact.fields.last_contacted_at = last.get(&Target::Contact(contact.id)).copied();
    }
}

async fn any_exists(session: &Session, activities: &[NewActivity]) -> Result<bool, ImportError> {
    let ids: Vec<_> = activities
        .iter()
        .map(|activity| activity.id.uuid())
        .collect();
    let found = session.db.read_session(session.actor.clone());
    let found = found
        .run(async |tx| list::find_many::<Activity>(tx, &ids).await)
        .await?;
    Ok(!found.is_empty())
}

async fn put_contacts(session: &Session, contacts: Vec<NewContact>) -> Result<(), ImportError> {
    session.progress.start("Contacts", contacts.len());
    create_missing::<Contact, _>(
        session,
        contacts,
        |contact| contact.id.uuid(),
        crate::crm::contacts::create_many,
    )
    .await?;
    Ok(())
}

async fn put_activities(
    session: &Session,
    activities: Vec<NewActivity>,
) -> Result<(), ImportError> {
    session.progress.start("Activities", activities.len());
    create_missing(
        session,
        activities,
        |activity| activity.id.uuid(),
        activities::create_many,
    )
    .await?;
    Ok(())
}
