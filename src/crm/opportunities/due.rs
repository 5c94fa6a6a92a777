//! The due list: deals whose next action is overdue, due today or later, for one person, a team or all.

use async_graphql::{Context, Enum, Object};
use chrono::{DateTime, Utc};
use dealgraph_derive::connection_args;

use super::{Opportunity, projection::SHAPE, record::OpportunitySort};
use crate::{
    access::Actor,
    base::error::{Error, Result},
    db::{
        Comparison, Direction, OrderTerm, Predicate, ReadTx, Sql, Value,
        list::{ListQuery, PageRequest},
    },
    graphql::{Connection, ContextExt as _, Ends, page_request, projection},
};

/// Whose next actions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum DueScope {
    /// Those that you are to do.
    Mine,
    /// Those on deals of your team and its sub-teams.
    Team,
    /// Those on all deals you see.
    All,
}

/// Which part of the due list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bucket {
    /// Due before now.
    Overdue,
    /// Due from now to the end of the day.
    Today,
    /// Due after today.
    Upcoming,
}

/// The instants that part the buckets.
#[derive(Debug, Clone, Copy)]
struct Days {
    now: DateTime<Utc>,
    today_ends: DateTime<Utc>,
}

/// Where today ends in the tenant's time zone.
async fn days(tx: &mut ReadTx) -> Result<Days> {
    let now = tx.now();
    let sql = Sql::new("SELECT (date_trunc('day', ")
        .bind(now)
        .push(" AT TIME ZONE time_zone) + interval '1 day') AT TIME ZONE time_zone FROM tenants WHERE tenant_id = ")
        .bind(tx.tenant());
    let today_ends = tx.column::<DateTime<Utc>>(sql).await?.first().copied();
    Ok(Days {
        now,
        today_ends: today_ends.ok_or(Error::NotFound {
            kind: "tenant",
            field: "id",
        })?,
    })
}

/// The order of the due list: what has waited longest first.
fn order() -> Vec<OrderTerm<OpportunitySort>> {
    vec![OrderTerm {
        field: OpportunitySort::DueAt,
        direction: Direction::Asc,
    }]
}

/// Deals whose next action waits, by when it is due.
pub(super) struct DueActions {
    scope: DueScope,
    days: Days,
}

impl DueActions {
    /// Those of a scope, by the days as they are now.
    pub(super) async fn of(ctx: &Context<'_>, scope: DueScope) -> Result<Self> {
        let days = ctx.request().read(async |tx| days(tx).await).await?;
        Ok(Self { scope, days })
    }

    /// The query of a bucket.
    fn query(&self, bucket: Bucket, actor: &Actor, page: PageRequest) -> ListQuery<Opportunity> {
        let at = |comparison, instant| {
            Predicate::Compare("next_action_at".into(), comparison, Value::Time(instant))
        };
        let mut all = match bucket {
            Bucket::Overdue => vec![at(Comparison::Lt, self.days.now)],
            Bucket::Today => vec![
                at(Comparison::Gte, self.days.now),
                at(Comparison::Lt, self.days.today_ends),
            ],
            Bucket::Upcoming => vec![at(Comparison::Gte, self.days.today_ends)],
        };
        let mine = |column: &'static str| {
            Predicate::Compare(column.into(), Comparison::Eq, Value::Uuid(actor.row_id()))
        };
        match (self.scope, &actor.team_path) {
            (DueScope::All, _) => {}
            (DueScope::Mine, _) => all.push(mine("next_action_owner_id")),
            (DueScope::Team, Some(path)) => {
                all.push(Predicate::Compare(
                    "team_path".into(),
                    Comparison::StartsWith,
                    Value::Text(path.clone()),
                ));
            }
            (DueScope::Team, None) => all.push(mine("owner_id")),
        }
        ListQuery {
            filter: Predicate::All(all),
            order: order(),
            page,
            include_archived: false,
        }
    }

    async fn bucket(
        &self,
        ctx: &Context<'_>,
        bucket: Bucket,
        (front, back): Ends,
    ) -> Result<Connection<Opportunity>> {
        let actor = ctx.request().actor();
        let page = page_request(front, back, actor.tenant, &order())?;
        let query = self.query(bucket, actor, page);
        projection::list(ctx, &SHAPE, query).await
    }
}

/// Deals whose next action waits, by when it is due. Days end in the tenant's time zone.
#[connection_args]
#[Object]
impl DueActions {
    /// Due before now, the longest waiting first.
    async fn overdue(&self, ctx: &Context<'_>, ends: Ends) -> Result<Connection<Opportunity>> {
        self.bucket(ctx, Bucket::Overdue, ends).await
    }

    /// Due from now to the end of the day.
    async fn today(&self, ctx: &Context<'_>, ends: Ends) -> Result<Connection<Opportunity>> {
        self.bucket(ctx, Bucket::Today, ends).await
    }

    /// Due after today.
    async fn upcoming(&self, ctx: &Context<'_>, ends: Ends) -> Result<Connection<Opportunity>> {
        self.bucket(ctx, Bucket::Upcoming, ends).await
    }
}
