//! The limits of GraphQL requests, where a deployment wants others than the built-in ones.

use std::time::Duration;

use super::{reader::Reader, typed::milliseconds};
use crate::{
    api::{
        Spend,
        limits::{Limits, Points, ceiling},
    },
    platform::redis::Allowance,
};

/// Limits of a GraphQL request; `None` leaves the limit as the server has it built in.
#[derive(Debug, Clone)]
pub struct LimitsConfig {
    /// Largest request body, in bytes.
    pub body_bytes: Option<usize>,
    /// Largest document, in bytes.
    pub document_bytes: Option<usize>,
    /// Most tokens in a document.
    pub tokens: Option<usize>,
    /// Deepest selection.
    pub depth: Option<usize>,
    /// Most aliases in an operation.
    pub aliases: Option<usize>,
    /// Most top-level fields in an operation.
    pub root_fields: Option<usize>,
    /// Most directives in an operation.
    pub directives: Option<usize>,
    /// Most rows of a page.
    pub page_rows: Option<usize>,
    /// Most records that one operation may ask for.
    pub nodes: Option<usize>,
    /// Most conditions in a filter.
    pub filter_conditions: Option<usize>,
    /// Most conditions on related records in a filter.
    pub filter_relations: Option<usize>,
    /// Deepest nesting of related records in a filter.
    pub filter_relation_depth: Option<usize>,
    /// Deepest nesting in a filter.
    pub filter_depth: Option<usize>,
    /// Most values in a list of a filter.
    pub filter_values: Option<usize>,
    /// Most connections of a person that stay open.
    pub connections_per_person: Option<usize>,
    /// Most connections of a tenant that stay open.
    pub connections_per_tenant: Option<usize>,
    /// Most subscriptions on a WebSocket.
    pub subscriptions: Option<usize>,
    /// Longest time that a subscription takes for one event.
    pub event_time: Option<Duration>,
    /// Whether requests beyond the points are refused.
    pub spend: Option<Spend>,
    /// The points of a person or key: how many there can be, and how many come back each second.
    pub points_of_person: (Option<usize>, Option<usize>),
    /// The same for a tenant.
    pub points_of_tenant: (Option<usize>, Option<usize>),
    /// Longest run of a request.
    pub timeout: Option<Duration>,
}

impl LimitsConfig {
    pub(super) fn read(reader: &mut Reader) -> Self {
        let mut limit = |name, most| {
            reader
                .optional_number(name, 1..=most)
                .map(|number| number as usize)
        };
        Self {
            body_bytes: limit("DEALGRAPH_LIMIT_BODY_BYTES", ceiling::BODY_BYTES),
            document_bytes: limit("DEALGRAPH_LIMIT_DOCUMENT_BYTES", ceiling::DOCUMENT_BYTES),
            tokens: limit("DEALGRAPH_LIMIT_TOKENS", ceiling::TOKENS),
            depth: limit("DEALGRAPH_LIMIT_DEPTH", ceiling::DEPTH),
            aliases: limit("DEALGRAPH_LIMIT_ALIASES", ceiling::ALIASES),
            root_fields: limit("DEALGRAPH_LIMIT_ROOT_FIELDS", ceiling::ROOT_FIELDS),
            directives: limit("DEALGRAPH_LIMIT_DIRECTIVES", ceiling::DIRECTIVES),
            nodes: limit("DEALGRAPH_LIMIT_NODES", ceiling::NODES),
            filter_conditions: limit(
                "DEALGRAPH_LIMIT_FILTER_CONDITIONS",
                ceiling::FILTER_CONDITIONS,
            ),
            filter_relations: limit(
                "DEALGRAPH_LIMIT_FILTER_RELATIONS",
                ceiling::FILTER_RELATIONS,
            ),
            filter_relation_depth: limit(
                "DEALGRAPH_LIMIT_FILTER_RELATION_DEPTH",
                ceiling::FILTER_RELATION_DEPTH,
            ),
            filter_depth: limit("DEALGRAPH_LIMIT_FILTER_DEPTH", ceiling::FILTER_DEPTH),
            filter_values: limit("DEALGRAPH_LIMIT_FILTER_VALUES", ceiling::FILTER_VALUES),
            connections_per_person: limit(
                "DEALGRAPH_LIMIT_CONNECTIONS_PER_PERSON",
                ceiling::CONNECTIONS,
            ),
            connections_per_tenant: limit(
                "DEALGRAPH_LIMIT_CONNECTIONS_PER_TENANT",
                ceiling::CONNECTIONS,
            ),
            subscriptions: limit("DEALGRAPH_LIMIT_SUBSCRIPTIONS", ceiling::SUBSCRIPTIONS),
            points_of_person: (
                limit("DEALGRAPH_LIMIT_PERSON_POINTS", ceiling::POINTS),
                limit("DEALGRAPH_LIMIT_PERSON_POINTS_PER_SECOND", ceiling::POINTS),
            ),
            points_of_tenant: (
                limit("DEALGRAPH_LIMIT_TENANT_POINTS", ceiling::POINTS),
                limit("DEALGRAPH_LIMIT_TENANT_POINTS_PER_SECOND", ceiling::POINTS),
            ),
            page_rows: reader
                .optional_number(
                    "DEALGRAPH_LIMIT_PAGE_ROWS",
                    ceiling::FEWEST_PAGE_ROWS..=ceiling::PAGE_ROWS,
                )
                .map(|number| number as usize),
            spend: reader.optional(
                "DEALGRAPH_LIMIT_POINTS",
                "enforce or measure",
                |word| match word {
                    "enforce" => Some(Spend::Enforce),
                    "measure" => Some(Spend::Measure),
                    _ => None,
                },
            ),
            event_time: reader
                .optional_number("DEALGRAPH_LIMIT_EVENT_TIME_MS", 1..=60_000)
                .map(milliseconds),
            timeout: reader
                .optional_number("DEALGRAPH_LIMIT_TIMEOUT_MS", 1..=600_000)
                .map(milliseconds),
        }
    }
}

impl From<&LimitsConfig> for Limits {
    fn from(set: &LimitsConfig) -> Self {
        let built_in = Self::default();
        Self {
            body_bytes: set.body_bytes.unwrap_or(built_in.body_bytes),
            document_bytes: set.document_bytes.unwrap_or(built_in.document_bytes),
            tokens: set.tokens.unwrap_or(built_in.tokens),
            depth: set.depth.unwrap_or(built_in.depth),
            aliases: set.aliases.unwrap_or(built_in.aliases),
            root_fields: set.root_fields.unwrap_or(built_in.root_fields),
            directives: set.directives.unwrap_or(built_in.directives),
            page_rows: set.page_rows.unwrap_or(built_in.page_rows),
            nodes: set.nodes.unwrap_or(built_in.nodes),
            filter_conditions: set.filter_conditions.unwrap_or(built_in.filter_conditions),
            filter_relations: set.filter_relations.unwrap_or(built_in.filter_relations),
            filter_relation_depth: set
                .filter_relation_depth
                .unwrap_or(built_in.filter_relation_depth),
            filter_depth: set.filter_depth.unwrap_or(built_in.filter_depth),
            filter_values: set.filter_values.unwrap_or(built_in.filter_values),
            connections_per_person: set
                .connections_per_person
                .unwrap_or(built_in.connections_per_person),
            connections_per_tenant: set
                .connections_per_tenant
                .unwrap_or(built_in.connections_per_tenant),
            subscriptions: set.subscriptions.unwrap_or(built_in.subscriptions),
            points: Points {
                spend: set.spend.unwrap_or(built_in.points.spend),
                of_person: allowance(set.points_of_person, built_in.points.of_person),
                of_tenant: allowance(set.points_of_tenant, built_in.points.of_tenant),
            },
            event_time: set.event_time.unwrap_or(built_in.event_time),
            timeout: set.timeout.unwrap_or(built_in.timeout),
            ..built_in
        }
    }
}

fn allowance(
    (burst, per_second): (Option<usize>, Option<usize>),
    built_in: Allowance,
) -> Allowance {
    Allowance {
        burst: burst.map_or(built_in.burst, |points| points as u64),
        per_second: per_second.map_or(built_in.per_second, |points| points as u64),
    }
}

#[cfg(test)]
mod tests {
    use crate::tools::config::{Config, Purpose, VARIABLES};

    use super::*;

    #[test]
    fn the_defaults_in_the_table_are_the_built_in_limits() {
        let listed = VARIABLES
            .iter()
            .filter(|variable| variable.name.starts_with("DEALGRAPH_LIMIT_"))
            .map(|variable| (variable.name.to_owned(), variable.default.to_owned()));
        let config = Config::from_vars(listed, Purpose::Develop).unwrap();
        assert!(config.limits.body_bytes.is_some() && config.limits.timeout.is_some());
        let (as_listed, built_in) = (Limits::from(&config.limits), Limits::default());
        assert_eq!(format!("{as_listed:?}"), format!("{built_in:?}"));
    }

    #[test]
    fn a_limit_that_is_set_replaces_the_built_in_one() {
        let set = [("DEALGRAPH_LIMIT_DEPTH".to_owned(), "5".to_owned())];
        let config = Config::from_vars(set.into_iter(), Purpose::Develop).unwrap();
        let limits = Limits::from(&config.limits);
        assert_eq!(
            (limits.depth, limits.aliases),
            (5, Limits::default().aliases)
        );
    }
}
