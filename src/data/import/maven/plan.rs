//! From sound rows to the records that are to be there. Pure, and the same for the same rows.

use std::collections::{BTreeMap, HashMap};

use chrono::NaiveDate;

use super::{
    super::Ids,
    Account, Deal, DealState, Notes, Product, Rows,
    deals::{Road, remark},
};
use crate::{
    base::{
        ids::{StageId, UserId},
        text::normalize,
    },
    crm::{
        companies::{CompanyFields, NewCompany},
        opportunities::NewOpportunity,
        pipelines::{NewPipeline, NewStage, StageKind},
        products::{NewProduct, ProductFields},
    },
    entity::Ownership,
};

/// The currency of all amounts in the data.
pub(super) const CURRENCY: &str = "USD";

/// The records to be created.
#[derive(Debug)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Plan {
    pub pipeline: NewPipeline,
    pub stages: Stages,
    pub products: Vec<NewProduct>,
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
        let Rows {
            accounts,
            agents: _,
            products,
            deals,
            mut notes,
        } = rows;
        let (pipeline, stages) = pipeline(ids);
        let products = products.iter().map(|row| product(row, ids)).collect();
        let ends_on = deals
            .iter()
            .filter_map(|deal| deal.state.last_date())
            .max()
            .unwrap_or(today);
        let owners = busiest_agents(&deals, members);
        let companies = layers(&accounts, |account| company(account, ids, &owners));
        let road = Road {
            ids,
            stages,
            ends_on,
        };
        let deals = deals.iter().map(|deal| {
            remark(deal, &mut notes);
            road.opportunity(deal, members.get(&normalize(&deal.agent)).copied())
        });
        let deals = deals.collect();
        Self {
            pipeline,
            stages,
            products,
            companies,
            deals,
            ends_on,
            notes,
        }
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
    let pipeline = NewPipeline {
        id: ids.of("Sales"),
        name: "Sales".to_owned(),
        preferred: false,
        stages: stages.into(),
    };
    (
        pipeline,
        Stages {
            prospecting,
            engaging,
            won,
            lost,
        },
    )
}

/// The file has no codes: a name that comes once in it does for one.
fn product(row: &Product, ids: Ids) -> NewProduct {
    let fields = ProductFields {
        unit_price_minor: Some(row.price_minor),
        unit_price_currency: Some(CURRENCY.to_owned()),
        ..ProductFields::new(row.name.clone(), row.name.clone())
    };
    NewProduct {
        id: ids.of(&row.name),
        fields,
        created_at: None,
    }
}

/// By company, the agent with most deals; the first by name among equals.
fn busiest_agents(deals: &[Deal], members: &HashMap<String, UserId>) -> HashMap<String, UserId> {
    let mut counts: HashMap<String, BTreeMap<String, usize>> = HashMap::new();
    for deal in deals {
        if let Some(account) = &deal.account {
            *counts
                .entry(normalize(account))
                .or_default()
                .entry(normalize(&deal.agent))
                .or_default() += 1;
        }
    }
    let busiest =
        |agents: BTreeMap<String, usize>| agents.into_iter().rev().max_by_key(|(_, count)| *count);
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
        ownership: Ownership {
            owner_id: owners.get(&normalize(&account.name)).copied(),
            team_path: None,
        },
        ..Default::default()
    };
    NewCompany {
        id: ids.of(&account.name),
        fields,
        created_at: None,
    }
}

fn layers(accounts: &[Account], company: impl Fn(&Account) -> NewCompany) -> Vec<Vec<NewCompany>> {
    let parents: HashMap<String, Option<String>> = accounts
        .iter()
        .map(|account| {
            (
                normalize(&account.name),
                account.parent.as_deref().map(normalize),
            )
        })
        .collect();
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
            at = parent
                .as_ref()
                .and_then(|parent| parents.get_key_value(parent));
        }
        let first = at.map_or(0, |(name, _)| depths[name.as_str()] + 1);
        depths.extend(way.into_iter().rev().zip(first..));
        let depth = depths[name.as_str()];
        layers.resize_with(layers.len().max(depth + 1), Vec::new);
        layers[depth].push(company(account));
    }
    layers
}

#[cfg(test)]
mod tests {
    use super::{
        super::{Crew, Files, instant},
        *,
    };

    fn plan() -> Plan {
        let rows = Rows::read(&Files::embedded()).expect("the data set");
        let ids = Ids::new(Ids::tenant("maven"), "maven");
        let members = Crew::new(&rows, ids, "maven")
            .members
            .into_iter()
            .map(|(name, member)| (name, member.user));
        let members = members.collect();
        Plan::new(rows, ids, &members, NaiveDate::default())
    }

    #[test]
    fn the_data_set_becomes_the_deals_it_tells_of() {
        let plan = plan();
        let standing = |stage: StageId| {
            plan.deals
                .iter()
                .filter(|deal| deal.stage_id == stage)
                .count()
        };
        let Stages {
            prospecting,
            engaging,
            won,
            lost,
        } = plan.stages;
        assert_eq!(
            [won, lost, engaging, prospecting].map(standing),
            [4_238, 2_473, 1_589, 500]
        );
        assert_eq!(
            plan.deals
                .iter()
                .filter(|deal| deal.fields.company_id.is_none())
                .count(),
            1_425
        );
        assert!(
            plan.deals
                .iter()
                .all(|deal| deal.fields.ownership.owner_id.is_some())
        );
        let revenue = plan
            .deals
            .iter()
            .filter(|deal| deal.stage_id == won)
            .filter_map(|deal| deal.fields.amount_minor);
        assert_eq!(revenue.sum::<i64>(), 1_000_553_400);
    }

    #[test]
    fn products_cost_what_their_list_says() {
        let products = plan().products;
        let price = |name: &str| {
            let of_name = |product: &&NewProduct| product.fields.name == name;
            let product = products.iter().find(of_name)?;
            let price = product.fields.unit_price()?;
            Some((price.amount_minor, price.currency.as_str().to_owned()))
        };
        assert_eq!(products.len(), 7);
        assert_eq!(price("GTK 500"), Some((2_676_800, "USD".to_owned())));
        assert_eq!(price("MG Special"), Some((5_500, "USD".to_owned())));
    }

    #[test]
    fn a_won_deal_went_through_all_stages_on_its_real_dates() {
        let plan = plan();
        let deal = plan
            .deals
            .iter()
            .find(|deal| deal.fields.name == "Cancity: GTX Plus Basic")
            .expect("the first row");
        let day = |text: &str| text.parse::<NaiveDate>().expect("a date");
        let path: Vec<_> = deal
            .path
            .iter()
            .map(|visit| (visit.stage_id, visit.entered_at.date_naive()))
            .collect();
        let (begun, closed) = (day("2016-10-20"), day("2017-03-01"));
        assert_eq!(
            path,
            [
                (plan.stages.prospecting, begun),
                (plan.stages.engaging, begun),
                (plan.stages.won, closed)
            ]
        );
        assert_eq!(
            (deal.fields.amount_minor, &deal.fields.tags[..]),
            (Some(105_400), &["GTX Plus Basic".to_owned()][..])
        );
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
            assert!(layer.iter().all(|company| {
                company
                    .fields
                    .parent_company_id
                    .is_none_or(|id| seen.contains(&id))
            }));
            seen.extend(layer.iter().map(|company| company.id));
        }
        assert_eq!(seen.len(), 85);
    }
}
