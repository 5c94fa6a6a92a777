//! What requests cost: each reserves the points that it may cost before it runs, and is refunded what it did not come
//! to. One point is one object of the response, so the price follows from the page sizes, as at Shopify and GitHub; a
//! text that may be long costs more, and a mutation ten more for each of its fields. Each list and link to records
//! costs forty beside its objects, and a filter by what it asks for, both whatever they find.

use std::sync::Arc;

use async_graphql::{Name, Value, indexmap::IndexMap};

use super::{limits::Points, plans::Plans, shape::Measure};
use crate::{
    access::Actor,
    graphql::{Balances, RateLimit},
    platform::{
        redis::{Allowance, Balance, Bucket, Budget, Overdrawn, RedisAddress},
        telemetry::OperationKind,
    },
};

/// What a list or a link to records costs beside its objects: a statement takes as long as some forty objects do.
const READ: u64 = 40;
/// What a field of a mutation costs beside its objects.
const WRITE: u64 = 10;

/// A subscription with more objects than this per event is heavy.
const HEAVY_FROM: usize = 250;

/// Whether requests beyond the budget are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spend {
    /// Counted, reported, and refused when there is nothing left.
    Enforce,
    /// Counted and reported; nothing is refused.
    Measure,
}

/// The points of all actors and tenants.
pub struct Spending {
    plans: Arc<Plans>,
    budget: Budget,
}

/// What a request has reserved.
pub(super) struct Reserved<'a> {
    spending: &'a Spending,
    buckets: [Bucket; 2],
    price: u64,
    /// What was taken: the price, or nothing when there was not enough and nothing is refused.
    taken: u64,
}

/// What a request costs before it runs.
pub(super) fn price(kind: OperationKind, measure: &Measure) -> u64 {
    let writes = match kind {
        OperationKind::Mutation => measure.root_fields as u64 * WRITE,
        OperationKind::Query | OperationKind::Subscription => 0,
    };
    1 + spent(measure, measure.nodes as u64) + measure.texts as u64 + writes
}

/// What one event costs in a replay: the events of a page share their statements.
pub(super) fn of_event(measure: &Measure) -> u64 {
    1 + measure.nodes as u64 + measure.texts as u64
}

/// What a request came to that answered so many objects.
pub(super) fn spent(measure: &Measure, objects: u64) -> u64 {
    let whatever = measure.reads as u64 * READ + measure.filters.cost() as u64;
    objects.saturating_add(whatever)
}

/// Whether a subscription is dispatched in a lane of its own, so that it delays no other: it filters through related
/// records, or selects more of an event than a page of records.
pub(super) fn is_heavy(measure: &Measure) -> bool {
    measure.filters.relations > 0 || measure.nodes > HEAVY_FROM
}

impl Spending {
    /// Buckets of the sizes that plans have, in Redis if there is one.
    #[must_use]
    pub fn new(plans: Arc<Plans>, redis: &RedisAddress) -> Self {
        Self {
            plans,
            budget: Budget::new(redis),
        }
    }

    /// Reserves the price of a request, of the person's or key's points and of the tenant's.
    ///
    /// # Errors
    /// When one of both has not enough left.
    pub(super) async fn reserve(
        &self,
        actor: &Actor,
        price: u64,
    ) -> Result<Reserved<'_>, Overdrawn> {
        let buckets = self.buckets(actor);
        let [own, tenant] = &buckets;
        let taken = match self.budget.take(own, price).await {
            Ok(_) => self.budget.take(tenant, price).await.inspect_err(|_| {
                self.budget.refund(own, price.min(own.allowance.burst));
            }),
            overdrawn => overdrawn,
        };
        let taken = match (taken, self.points(actor).spend) {
            (Err(overdrawn), Spend::Enforce) => return Err(overdrawn),
            (Err(_), Spend::Measure) => 0,
            (Ok(_), _) => price,
        };
        Ok(Reserved {
            spending: self,
            buckets,
            price,
            taken,
        })
    }

    /// The most points that the actor can ever have at once.
    pub(super) fn most(&self, actor: &Actor) -> u64 {
        let points = self.points(actor);
        points.of_person.burst.min(points.of_tenant.burst)
    }

    fn buckets(&self, actor: &Actor) -> [Bucket; 2] {
        let bucket = |name, allowance: Allowance| Bucket { name, allowance };
        let points = self.points(actor);
        [
            bucket(
                format!("{}:{}", actor.tenant, actor.author),
                points.of_person,
            ),
            bucket(actor.tenant.to_string(), points.of_tenant),
        ]
    }

    fn points(&self, actor: &Actor) -> Points {
        self.plans.of(Some(actor)).points
    }
}

impl Balances for Spending {
    fn balances(&self, actor: &Actor) -> [RateLimit; 2] {
        let buckets = self.buckets(actor);
        buckets.map(|bucket| self.budget.balance(&bucket).into())
    }
}

/// What a request came to, for its response.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spent {
    price: u64,
    actual: u64,
    /// Of both buckets the one that is emptier.
    pub(super) balance: Balance,
}

impl Reserved<'_> {
    /// Refunds what the response did not come to.
    pub(super) fn settle(self, points: u64) -> Spent {
        let actual = points.saturating_add(1).min(self.price);
        let budget = &self.spending.budget;
        let balances = self.buckets.map(|bucket| {
            // What no bucket could hold was not taken either.
            let taken = self.taken.min(bucket.allowance.burst);
            budget.refund(&bucket, taken.saturating_sub(actual))
        });
        Spent {
            price: self.price,
            actual,
            balance: emptier(balances),
        }
    }
}

fn emptier([own, tenant]: [Balance; 2]) -> Balance {
    let part = |balance: &Balance| balance.available as f64 / balance.allowance.burst.max(1) as f64;
    match part(&own) <= part(&tenant) {
        true => own,
        false => tenant,
    }
}

impl Spent {
    /// The value of `extensions.cost`.
    pub(super) fn to_extension(self) -> Value {
        let Allowance { burst, per_second } = self.balance.allowance;
        let parts = [
            ("requested", self.price),
            ("actual", self.actual),
            ("limit", burst),
            ("remaining", self.balance.available),
            ("restoreRate", per_second),
        ];
        let entries = parts.map(|(name, points)| (Name::new(name), Value::from(points)));
        Value::Object(IndexMap::from_iter(entries))
    }
}

/// The objects in a response, except those that the projection executor has written and counted itself.
pub(super) fn objects(data: &Value) -> u64 {
    match data {
        Value::Object(fields) => 1 + fields.values().map(objects).sum::<u64>(),
        Value::List(items) => items.iter().map(objects).sum(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::value;

    use super::*;

    #[test]
    fn objects_are_counted_wherever_they_are() {
        let answer = value!({ "a": [{ "b": {} }, null, { "c": [1, { "d": "x" }] }], "e": 1 });
        assert_eq!(objects(&answer), 5);
    }
}
