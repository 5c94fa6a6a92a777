//! The rule that decides in memory who is notified of an event is the rule of the policies: held against what Postgres
//! shows to the same people, over roles, teams, owners and changes of all kinds.

use std::{collections::BTreeSet, fmt::Write as _, sync::Arc};

use chrono::DateTime;
use dealgraph::{
    access::{Actor, Membership, RecordKind, Rights, Role, Subject},
    base::ids::{TeamId, Typed as _},
    db::{Db, Sql},
    organization::members::provision,
};
use fastrand::Rng;
use sqlx::{AssertSqlSafe, PgConnection, raw_sql};
use uuid::Uuid;

use crate::harness::{A, Who, World, test};

/// The kinds of records with the columns of their ids; their words are the tables.
pub(crate) const TABLES: [(RecordKind, &str); RecordKind::COUNT] = [
    (RecordKind::Companies, "company_id"),
    (RecordKind::Contacts, "contact_id"),
    (RecordKind::Leads, "lead_id"),
    (RecordKind::Opportunities, "opportunity_id"),
    (RecordKind::Activities, "activity_id"),
];
const ROUNDS: usize = 25;
const ACTORS: usize = 8;

pub(crate) const MEMBERS: [Who; 6] = [
    Who::Admin,
    Who::Manager,
    Who::Rep,
    Who::OtherRep,
    Who::Analyst,
    Who::Viewer,
];

/// A place in the tree of teams: none, West, North below West, East.
pub(crate) fn team(rng: &mut Rng) -> Option<String> {
    let segment = |n| provision::segment(A.id::<TeamId>(n));
    match rng.u8(..4) {
        0 => None,
        1 => Some(segment(1)),
        2 => Some(segment(1) + &segment(2)),
        _ => Some(segment(3)),
    }
}

fn scope(rng: &mut Rng) -> Option<&'static str> {
    [None, Some("own"), Some("team"), Some("all")][rng.usize(..4)]
}

/// An actor with rights of any kind, anywhere in the team tree.
fn an_actor(rng: &mut Rng) -> Arc<Actor> {
    let permissions: Vec<String> = TABLES
        .iter()
        .filter_map(|(kind, _)| Some(format!("{}:read:{}", kind.word(), scope(rng)?)))
        .collect();
    let membership = Membership {
        rights: Arc::new(Rights::parse(&permissions, &[]).expect("permissions to read")),
        ..Membership::of(A.tenant(), Role::Custom, team(rng))
    };
    let user = A.user(MEMBERS[rng.usize(..MEMBERS.len())]);
    let ends = DateTime::from_timestamp(4_000_000_000, 0).expect("a year before 2100");
    Arc::new(Actor::new(Subject::Person(user, None), membership, ends))
}

fn literal(text: Option<String>) -> String {
    text.map_or("NULL".to_owned(), |text| format!("'{text}'"))
}

/// Gives every row another owner, team and company of people, by chance.
pub(crate) async fn shuffle(rng: &mut Rng, superuser: &mut PgConnection) {
    let mut sql = String::new();
    let tenant = A.tenant().uuid();
    let member = |rng: &mut Rng| A.user(MEMBERS[rng.usize(..MEMBERS.len())]).uuid();
    for (table, id) in TABLES.map(|(kind, id)| (kind.word(), id)) {
        for n in 1..=4 {
            let owner = rng.bool().then(|| member(rng).to_string());
            let path = team(rng);
            let kind = match table {
                "companies" => "company",
                "opportunities" => "opportunity",
                "activities" => "activity",
                other => other.trim_end_matches('s'),
            };
            _ = write!(
                sql,
                "UPDATE {table} SET owner_id = {}, team_path = {} WHERE tenant_id = '{tenant}' AND {id} = '{}';",
                literal(owner),
                literal(path),
                A.uuid(kind, n)
            );
        }
    }
    let shared = match rng.bool() {
        true => format!("u:{}|", member(rng)),
        false => String::new(),
    };
    _ = write!(
        sql,
        "UPDATE opportunities SET shared_with = '{shared}' WHERE tenant_id = '{tenant}';"
    );
    let seen = rng
        .bool()
        .then(|| format!("{}|u:{}|", team(rng).unwrap_or_default(), member(rng)));
    _ = write!(
        sql,
        "UPDATE activities SET targets_visible_to = '{}' WHERE tenant_id = '{tenant}';",
        seen.unwrap_or_default()
    );
    raw_sql(AssertSqlSafe(sql))
        .execute(superuser)
        .await
        .expect("rows can be given away");
}

pub(crate) async fn shown(
    db: &Db,
    actor: &Arc<Actor>,
    (table, id): (&'static str, &'static str),
) -> BTreeSet<Uuid> {
    let rows = db.read_session(Arc::clone(actor));
    let sql = Sql::new("SELECT t.")
        .push(id)
        .push(" FROM ")
        .push(table)
        .push(" t WHERE t.tenant_id = ");
    let shown = rows
        .run(async |tx| tx.column::<Uuid>(sql.bind(A.tenant())).await)
        .await;
    shown.expect("they may ask").into_iter().collect()
}

#[test]
fn who_is_notified_of_an_event_is_whom_postgres_shows_the_record() {
    test(async |world: &World| {
        let seed = super::seed();
        let mut rng = Rng::with_seed(seed);
        let mut superuser = world.database.superuser().await;
        let (mut some, mut none) = (0, 0);
        for round in 0..ROUNDS {
            shuffle(&mut rng, &mut superuser).await;
            let actors: Vec<_> = (0..ACTORS).map(|_| an_actor(&mut rng)).collect();
            for (kind, id) in TABLES {
                let table = kind.word();
                let sql = format!("SELECT {id}, visible_to FROM {table} WHERE tenant_id = $1");
                let rows: Vec<(Uuid, String)> = sqlx::query_as(AssertSqlSafe(sql))
                    .bind(A.tenant().uuid())
                    .fetch_all(&mut superuser)
                    .await
                    .expect("the superuser sees all");
                for actor in &actors {
                    let notified: BTreeSet<Uuid> = rows
                        .iter()
                        .filter(|(_, visible_to)| actor.sees_row(kind, visible_to))
                        .map(|(id, _)| *id)
                        .collect();
                    let shown = shown(&world.db, actor, (table, id)).await;
                    assert_eq!(
                        notified,
                        shown,
                        "SEED={seed} round {round} {table} {:?} {:?}",
                        actor.rights.sees(kind),
                        actor.team_path
                    );
                    some += notified.len();
                    none += rows.len() - notified.len();
                }
            }
        }
        assert!(some > 100 && none > 100, "both happen: {some} and {none}");
    });
}
