//! From sound rows to the records that are to be there. Pure, and the same for the same rows.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Days, NaiveDate, NaiveTime, Utc};

use super::{super::Ids, Account, Deal, DealState, Notes, Rows};
use crate::{
    companies::{CompanyFields, NewCompany},
    ids::{OpportunityId, StageId, Typed as _, UserId},
    opportunities::{ForecastCategory, NewOpportunity, OpportunityFields, StageVisit},
    pipelines::{NewPipeline, NewStage, StageKind},
    records::Ownership,
    text::normalize,
};

const CURRENCY: &str = "USD";
/// Deals in Prospecting have no date; they count as begun within so many days before the data ends.
const PROSPECTING_DAYS: u64 = 30;

/// The records to be created.
#[derive(Debug)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Plan {
    pub pipeline: NewPipeline,
    pub stages: Stages,
    /// Parents before those that belong to them: each layer only refers to earlier ones.
    pub companies: Vec<Vec<NewCompany>>,
    pub deals: Vec<NewOpportunity>,
    /// The last date in the data.
    pub ends_on: NaiveDate,
    pub notes: Notes,
}

/// The stages of the pipeline.
#[derive(Debug, Clone, Copy)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Stages {
    pub prospecting: StageId,
    pub engaging: StageId,
    pub won: StageId,
    pub lost: StageId,
}

impl Plan {
    /// Plans the records. `members` are the people by normalised name; `today` counts when the data has no date.
    #[must_use]
    pub fn new(rows: Rows, ids: Ids, members: &HashMap<String, UserId>, today: NaiveDate) -> Self {
        let Rows { accounts, deals, mut notes, .. } = rows;
        let (pipeline, stages) = pipeline(ids);
        let ends_on = deals.iter().filter_map(|deal| deal.state.last_date()).max().unwrap_or(today);
        let owners = busiest_agents(&deals, members);
        let companies = layers(&accounts, |account| company(account, ids, &owners));
        let road = Road { ids, stages, ends_on };
        let deals = deals.iter().map(|deal| {
            remark(deal, &mut notes);
            road.opportunity(deal, members.get(&normalize(&deal.agent)).copied())
        });
        let deals = deals.collect();
        Self { pipeline, stages, companies, deals, ends_on, notes }
    }
}

impl DealState {
    fn last_date(self) -> Option<NaiveDate> {
        match self {
            Self::Prospecting => None,
            Self::Engaging { engaged } => Some(engaged),
            Self::Won { closed, .. } | Self::Lost { closed, .. } => Some(closed),
        }
    }
}

/// An hour of a day. The data has dates only: a deal begins at 8, is engaged at 9 and closed at 17 o'clock UTC.
#[must_use]
pub fn instant(date: NaiveDate, hour: u32) -> DateTime<Utc> {
    date.and_time(NaiveTime::from_hms_opt(hour, 0, 0).unwrap_or_default()).and_utc()
}

fn pipeline(ids: Ids) -> (NewPipeline, Stages) {
    let stage = |name: &str, kind, probability, rotten_after_days| NewStage {
        id: ids.of(name),
        name: name.to_owned(),
        kind,
        probability,
        rotten_after_days,
    };
    let stages = [
        stage("Prospecting", StageKind::Open, 10, Some(30)),
        stage("Engaging", StageKind::Open, 40, Some(60)),
        stage("Won", StageKind::Won, 100, None),
        stage("Lost", StageKind::Lost, 0, None),
    ];
    let [prospecting, engaging, won, lost] = [0, 1, 2, 3].map(|at: usize| stages[at].id);
    let pipeline =
        NewPipeline { id: ids.of("Sales"), name: "Sales".to_owned(), preferred: false, stages: stages.into() };
    (pipeline, Stages { prospecting, engaging, won, lost })
}

/// By company, the agent with most deals; the first by name among equals.
fn busiest_agents(deals: &[Deal], members: &HashMap<String, UserId>) -> HashMap<String, UserId> {
    let mut counts: HashMap<String, BTreeMap<String, usize>> = HashMap::new();
    for deal in deals {
        if let Some(account) = &deal.account {
            *counts.entry(normalize(account)).or_default().entry(normalize(&deal.agent)).or_default() += 1;
        }
    }
    let busiest = |agents: BTreeMap<String, usize>| agents.into_iter().rev().max_by_key(|(_, count)| *count);
    let owner = |(account, agents)| Some((account, *members.get(&busiest(agents)?.0)?));
    counts.into_iter().filter_map(owner).collect()
}

fn company(account: &Account, ids: Ids, owners: &HashMap<String, UserId>) -> NewCompany {
    let some = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
    let fields = CompanyFields {
        name: account.name.clone(),
        industry: some(&account.sector),
        employee_count: account.employees,
        annual_revenue_minor: account.revenue_minor,
        annual_revenue_currency: account.revenue_minor.map(|_| CURRENCY.to_owned()),
        founded_year: account.founded,
        country: some(&account.country),
        parent_company_id: account.parent.as_deref().map(|parent| ids.of(parent)),
        ownership: Ownership { owner_id: owners.get(&normalize(&account.name)).copied(), team_path: None },
        ..Default::default()
    };
    NewCompany { id: ids.of(&account.name), fields, created_at: None }
}

fn layers(accounts: &[Account], company: impl Fn(&Account) -> NewCompany) -> Vec<Vec<NewCompany>> {
    let parents: HashMap<String, Option<String>> =
        accounts.iter().map(|account| (normalize(&account.name), account.parent.as_deref().map(normalize))).collect();
    let mut depths: HashMap<&str, usize> = HashMap::with_capacity(accounts.len());
    let mut layers: Vec<Vec<NewCompany>> = Vec::new();
    for account in accounts {
        let name = normalize(&account.name);
        let mut way: Vec<&str> = Vec::new();
        let mut at = parents.get_key_value(&name);
        // Up to an account whose depth is known; there are no loops (see rows.rs).
        while let Some((name, parent)) = at
            && !depths.contains_key(name.as_str())
        {
            way.push(name);
            at = parent.as_ref().and_then(|parent| parents.get_key_value(parent));
        }
        let first = at.map_or(0, |(name, _)| depths[name.as_str()] + 1);
        depths.extend(way.into_iter().rev().zip(first..));
        let depth = depths[name.as_str()];
        layers.resize_with(layers.len().max(depth + 1), Vec::new);
        layers[depth].push(company(account));
    }
    layers
}

/// What is worth knowing about a deal that is kept.
fn remark(deal: &Deal, notes: &mut Notes) {
    if deal.account.is_none() {
        notes.remark("opportunities without an account, kept without a company");
    }
    match deal.state {
        DealState::Won { .. } => {}
        DealState::Lost { .. } => notes.remark("lost opportunities, which have no close value: their amount is the list price"),
        DealState::Engaging { .. } => notes.remark("open opportunities: their amount is the product's list price"),
        DealState::Prospecting => {
            notes.remark("open opportunities: their amount is the product's list price");
            notes.remark("opportunities in Prospecting, which have no date: dated within the last 30 days of the data");
        }
    }
}

/// What all deals have in common: where they go, and when the data ends.
struct Road {
    ids: Ids,
    stages: Stages,
    ends_on: NaiveDate,
}

impl Road {
    fn opportunity(&self, deal: &Deal, owner_id: Option<UserId>) -> NewOpportunity {
        let id: OpportunityId = self.ids.of(&deal.key);
        let path = self.path(id, deal.state);
        let (amount, closed) = match deal.state {
            DealState::Won { value_minor, closed, .. } => (value_minor, Some(closed)),
            DealState::Lost { closed, .. } => (deal.product.price_minor, Some(closed)),
            DealState::Engaging { .. } | DealState::Prospecting => (deal.product.price_minor, None),
        };
        let product = &deal.product.name;
        let fields = OpportunityFields {
            name: deal.account.as_ref().map_or_else(|| product.clone(), |account| format!("{account}: {product}")),
            amount_minor: Some(amount),
            amount_currency: Some(CURRENCY.to_owned()),
            forecast_category: match deal.state {
                DealState::Won { .. } => ForecastCategory::Closed,
                DealState::Lost { .. } => ForecastCategory::Omitted,
                DealState::Engaging { .. } | DealState::Prospecting => ForecastCategory::Pipeline,
            },
            expected_close_on: closed,
            company_id: deal.account.as_deref().map(|account| self.ids.of(account)),
            tags: vec![product.clone()],
            ownership: Ownership { owner_id, team_path: None },
            ..Default::default()
        };
        NewOpportunity {
            id,
            fields,
            stage_id: path.last().map_or(self.stages.prospecting, |visit| visit.stage_id),
            probability: None,
            created_at: path.first().map(|visit| visit.entered_at),
            path,
            contacts: Vec::new(),
            users: Vec::new(),
            lost_reason: None,
            next_action: None,
            last_activity_at: None,
        }
    }

    /// The stages that the deal went through.
    fn path(&self, id: OpportunityId, state: DealState) -> Vec<StageVisit> {
        let began = match state {
            DealState::Prospecting => {
                let days = Days::new(id.uuid().as_u64_pair().1 % PROSPECTING_DAYS);
                self.ends_on.checked_sub_days(days).unwrap_or(self.ends_on)
            }
            DealState::Engaging { engaged } | DealState::Won { engaged, .. } | DealState::Lost { engaged, .. } => engaged,
        };
        let engaged = (self.stages.engaging, instant(began, 9));
        let visits = [Some((self.stages.prospecting, instant(began, 8))), match state {
            DealState::Prospecting => None,
            _ => Some(engaged),
        }, match state {
            DealState::Won { closed, .. } => Some((self.stages.won, instant(closed, 17))),
            DealState::Lost { closed, .. } => Some((self.stages.lost, instant(closed, 17))),
            _ => None,
        }];
        visits.into_iter().flatten().map(|(stage_id, entered_at)| StageVisit { stage_id, entered_at }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{super::{Crew, Files}, *};

    fn plan() -> Plan {
        let rows = Rows::read(&Files::embedded()).expect("the data set");
        let ids = Ids::new(Ids::tenant("maven"), "maven");
        let members = Crew::new(&rows, ids, "maven").members.into_iter().map(|(name, member)| (name, member.user));
        let members = members.collect();
        Plan::new(rows, ids, &members, NaiveDate::default())
    }

    #[test]
    fn the_data_set_becomes_the_deals_it_tells_of() {
        let plan = plan();
        let standing = |stage: StageId| plan.deals.iter().filter(|deal| deal.stage_id == stage).count();
        let Stages { prospecting, engaging, won, lost } = plan.stages;
        assert_eq!([won, lost, engaging, prospecting].map(standing), [4_238, 2_473, 1_589, 500]);
        assert_eq!(plan.deals.iter().filter(|deal| deal.fields.company_id.is_none()).count(), 1_425);
        assert!(plan.deals.iter().all(|deal| deal.fields.ownership.owner_id.is_some()));
        let revenue = plan.deals.iter().filter(|deal| deal.stage_id == won).filter_map(|deal| deal.fields.amount_minor);
        assert_eq!(revenue.sum::<i64>(), 1_000_553_400);
    }

    #[test]
    fn a_won_deal_went_through_all_stages_on_its_real_dates() {
        let plan = plan();
        let deal = plan.deals.iter().find(|deal| deal.fields.name == "Cancity: GTX Plus Basic").expect("the first row");
        let day = |text: &str| text.parse::<NaiveDate>().expect("a date");
        let path: Vec<_> = deal.path.iter().map(|visit| (visit.stage_id, visit.entered_at.date_naive())).collect();
        let (begun, closed) = (day("2016-10-20"), day("2017-03-01"));
        assert_eq!(path, [(plan.stages.prospecting, begun), (plan.stages.engaging, begun), (plan.stages.won, closed)]);
        assert_eq!((deal.fields.amount_minor, &deal.fields.tags[..]), (Some(105_400), &["GTX Plus Basic".to_owned()][..]));
        assert_eq!(deal.created_at, Some(instant(begun, 8)));
    }

    #[test]
    fn prospecting_deals_are_dated_before_the_data_ends_and_always_alike() {
        let (plan, again) = (plan(), plan());
        assert_eq!(plan.ends_on.to_string(), "2017-12-31");
        for (deal, same) in plan.deals.iter().zip(&again.deals) {
            assert_eq!((deal.id, deal.created_at), (same.id, same.created_at));
            assert!(deal.path.is_sorted_by_key(|visit| visit.entered_at));
            if deal.stage_id == plan.stages.prospecting {
                let age = plan.ends_on - deal.created_at.expect("dated").date_naive();
                assert!((0..30).contains(&age.num_days()), "{age}");
            }
        }
    }

    #[test]
    fn companies_come_after_those_they_belong_to() {
        let mut seen = std::collections::HashSet::new();
        for layer in plan().companies {
            assert!(layer.iter().all(|company| company.fields.parent_company_id.is_none_or(|id| seen.contains(&id))));
            seen.extend(layer.iter().map(|company| company.id));
        }
        assert_eq!(seen.len(), 85);
    }
}
