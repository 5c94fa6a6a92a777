//! Limits by plan: what the operator has agreed with a tenant, where that differs from the default.
//!
//! A request is measured before its actor is known, against the widest limits of all plans. Once the actor is known,
//! the same measures are checked against those of the tenant's plan, before anything is charged or run.

use std::{collections::BTreeMap, path::Path};

use serde::Deserialize;

use super::limits::{Limits, ceiling};
use crate::{access::Actor, organization::tenants, platform::redis::Allowance};

/// A larger file of plans is refused.
const LARGEST: u64 = 1 << 20;

/// The limits of all plans.
#[derive(Debug)]
pub struct Plans {
    usual: Limits,
    by_name: BTreeMap<String, Limits>,
    /// Of each limit the widest.
    widest: Limits,
}

/// The limits of a plan, as the operator's file has them; those that it does not name are the default's.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
#[expect(missing_docs, reason = "they are those of `Limits`")]
pub struct Plan {
    pub body_bytes: Option<u32>,
    pub tokens: Option<u32>,
    pub depth: Option<u32>,
    pub aliases: Option<u32>,
    pub root_fields: Option<u32>,
    pub directives: Option<u32>,
    pub page_rows: Option<u32>,
    pub nodes: Option<u32>,
    pub filter_conditions: Option<u32>,
    pub filter_relations: Option<u32>,
    pub filter_relation_depth: Option<u32>,
    pub filter_depth: Option<u32>,
    pub filter_values: Option<u32>,
    pub person_points: Option<u32>,
    pub person_points_per_second: Option<u32>,
    pub tenant_points: Option<u32>,
    pub tenant_points_per_second: Option<u32>,
}

/// Why a file of plans is refused.
#[derive(Debug, thiserror::Error)]
pub enum PlansError {
    /// It can't be read.
    #[error("the file of plans can't be read: {0}")]
    Unreadable(#[from] std::io::Error),
    /// It is no map of plans.
    #[error("the file of plans is not {{\"<plan>\": {{\"<limit>\": <number>}}}}: {0}")]
    NoPlans(#[from] serde_path_to_error::Error<serde_json::Error>),
    /// It is larger than any list of plans.
    #[error("the file of plans has more than {LARGEST} bytes")]
    TooLarge,
    /// A name in it is none.
    #[error(
        "the plan {0:?} has no name of small letters, digits, `-` and `_` that begins with a letter, 40 at most"
    )]
    Name(String),
    /// A limit in it is none.
    #[error("the plan {plan:?} wants {limit} to be {found}; expected {least} to {most}")]
    OutOfRange {
        /// Which plan.
        plan: String,
        /// Which limit.
        limit: &'static str,
        /// What it says.
        found: u32,
        /// What it could say at least.
        least: u32,
        /// What it could say at most.
        most: u32,
    },
}

impl Plan {
    /// Reads a file of plans.
    ///
    /// # Errors
    /// [`PlansError`].
    pub fn read_all(path: &Path) -> Result<BTreeMap<String, Self>, PlansError> {
        if std::fs::metadata(path)?.len() > LARGEST {
            return Err(PlansError::TooLarge);
        }
        Self::parse_all(&std::fs::read(path)?)
    }

    /// Reads the text of a file of plans.
    ///
    /// # Errors
    /// [`PlansError`].
    pub fn parse_all(text: &[u8]) -> Result<BTreeMap<String, Self>, PlansError> {
        let json = &mut serde_json::Deserializer::from_slice(text);
        let plans: BTreeMap<String, Self> = serde_path_to_error::deserialize(json)?;
        for (name, plan) in &plans {
            if !tenants::is_plan_name(name) {
                return Err(PlansError::Name(name.clone()));
            }
            plan.check(name)?;
        }
        Ok(plans)
    }

    fn check(&self, name: &str) -> Result<(), PlansError> {
        let limits = [
            ("bodyBytes", self.body_bytes, 1..=ceiling::BODY_BYTES),
            ("tokens", self.tokens, 1..=ceiling::TOKENS),
            ("depth", self.depth, 1..=ceiling::DEPTH),
            ("aliases", self.aliases, 1..=ceiling::ALIASES),
            ("rootFields", self.root_fields, 1..=ceiling::ROOT_FIELDS),
            ("directives", self.directives, 1..=ceiling::DIRECTIVES),
            (
                "pageRows",
                self.page_rows,
                ceiling::FEWEST_PAGE_ROWS..=ceiling::PAGE_ROWS,
            ),
            ("nodes", self.nodes, 1..=ceiling::NODES),
            (
                "filterConditions",
                self.filter_conditions,
                1..=ceiling::FILTER_CONDITIONS,
            ),
            (
                "filterRelations",
                self.filter_relations,
                1..=ceiling::FILTER_RELATIONS,
            ),
            (
                "filterRelationDepth",
                self.filter_relation_depth,
                1..=ceiling::FILTER_RELATION_DEPTH,
            ),
            ("filterDepth", self.filter_depth, 1..=ceiling::FILTER_DEPTH),
            (
                "filterValues",
                self.filter_values,
                1..=ceiling::FILTER_VALUES,
            ),
            ("personPoints", self.person_points, 1..=ceiling::POINTS),
            (
                "personPointsPerSecond",
                self.person_points_per_second,
                1..=ceiling::POINTS,
            ),
            ("tenantPoints", self.tenant_points, 1..=ceiling::POINTS),
            (
                "tenantPointsPerSecond",
                self.tenant_points_per_second,
                1..=ceiling::POINTS,
            ),
        ];
        for (limit, wanted, range) in limits {
            if let Some(found) = wanted.filter(|number| !range.contains(number)) {
                let (least, most) = range.into_inner();
                return Err(PlansError::OutOfRange {
                    plan: name.to_owned(),
                    limit,
                    found,
                    least,
                    most,
                });
            }
        }
        Ok(())
    }

    fn over(&self, usual: &Limits) -> Limits {
        let or = |wanted: Option<u32>, usual| wanted.map_or(usual, |number| number as usize);
        let allowance = |burst: Option<u32>, per_second: Option<u32>, usual: Allowance| Allowance {
            burst: burst.map_or(usual.burst, u64::from),
            per_second: per_second.map_or(usual.per_second, u64::from),
        };
        let mut limits = Limits {
            body_bytes: or(self.body_bytes, usual.body_bytes),
            tokens: or(self.tokens, usual.tokens),
            depth: or(self.depth, usual.depth),
            aliases: or(self.aliases, usual.aliases),
            root_fields: or(self.root_fields, usual.root_fields),
            directives: or(self.directives, usual.directives),
            page_rows: or(self.page_rows, usual.page_rows),
            nodes: or(self.nodes, usual.nodes),
            filter_conditions: or(self.filter_conditions, usual.filter_conditions),
            filter_relations: or(self.filter_relations, usual.filter_relations),
            filter_relation_depth: or(self.filter_relation_depth, usual.filter_relation_depth),
            filter_depth: or(self.filter_depth, usual.filter_depth),
            filter_values: or(self.filter_values, usual.filter_values),
            ..usual.clone()
        };
        let points = &mut limits.points;
        points.of_person = allowance(
            self.person_points,
            self.person_points_per_second,
            points.of_person,
        );
        points.of_tenant = allowance(
            self.tenant_points,
            self.tenant_points_per_second,
            points.of_tenant,
        );
        limits
    }
}

impl Plans {
    /// The default limits, and those of plans.
    #[must_use]
    pub fn new(usual: Limits, plans: &BTreeMap<String, Plan>) -> Self {
        let limits = plans.iter();
        let by_name: BTreeMap<String, Limits> = limits
            .map(|(name, plan)| (name.clone(), plan.over(&usual)))
            .collect();
        let widest = by_name.values().fold(usual.clone(), Limits::wider);
        Self {
            usual,
            by_name,
            widest,
        }
    }

    /// Of each limit the widest of all plans.
    pub(super) fn widest(&self) -> &Limits {
        &self.widest
    }

    /// Those of an actor's tenant; a plan that the file does not name has the default ones.
    pub(super) fn of(&self, actor: Option<&Actor>) -> &Limits {
        let plan = actor.and_then(|actor| actor.plan.as_ref());
        plan.and_then(|plan| self.by_name.get(&**plan))
            .unwrap_or(&self.usual)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> String {
        Plan::parse_all(text.as_bytes())
            .expect_err("it is wrong")
            .to_string()
    }

    #[test]
    fn a_plan_changes_what_it_names_and_nothing_else() {
        let plans = Plan::parse_all(
            br#"{ "free": { "depth": 5, "pageRows": 30, "personPoints": 100 }, "large": { "nodes": 50000 } }"#,
        );
        let plans = Plans::new(Limits::default(), &plans.expect("plans"));
        let (free, usual) = (&plans.by_name["free"], Limits::default());
        assert_eq!((free.depth, free.page_rows), (5, 30));
        assert_eq!(free.points.of_person.burst, 100);
        assert_eq!(
            free.points.of_person.per_second,
            usual.points.of_person.per_second
        );
        assert_eq!(
            (free.aliases, free.nodes, free.timeout),
            (usual.aliases, usual.nodes, usual.timeout)
        );
        assert_eq!(plans.widest().nodes, 50_000);
        assert_eq!(plans.widest().depth, usual.depth);
        assert_eq!(plans.of(None).depth, usual.depth);
    }

    #[test]
    fn the_example_in_the_docs_is_one() {
        let page = include_str!("../../docs/limits.md");
        let (_, plans) = page.split_once("## Plans").expect("they are described");
        let (_, example) = plans.split_once("```json").expect("there is an example");
        let (_, example) = example.split_once('\n').expect("the mark of who tests it");
        let (example, _) = example.split_once("```").expect("it ends");
        let plans = Plan::parse_all(example.as_bytes()).expect("it can be taken as it is");
        assert!(plans.len() == 2 && plans.values().all(|plan| *plan != Plan::default()));
    }

    #[test]
    fn a_file_that_is_wrong_says_where() {
        assert!(refusal("[]").contains("the file of plans is not"));
        assert!(refusal(r#"{ "free": { "dept": 5 } }"#).contains("free"));
        assert!(refusal(r#"{ "free": { "depth": -1 } }"#).contains("free.depth"));
        assert!(
            refusal(r#"{ "free": { "depth": 65 } }"#)
                .contains("wants depth to be 65; expected 1 to 64")
        );
        assert!(refusal(r#"{ "free": { "depth": 0 } }"#).contains("expected 1 to 64"));
        assert!(refusal(r#"{ "Free": {} }"#).contains("\"Free\""));
    }
}
