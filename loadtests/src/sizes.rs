//! Whether pages stay as quick as they are while a tenant grows: the same questions to a tenant of ten thousand deals
//! and to a large one beside it, alternating, by one user, so that nothing waits for anything else.

use std::{sync::Arc, time::Duration};

use serde_json::{Value as Json, json};
use sqlx::PgConnection;

use crate::{
    Options, Outcome, WARM_UP, attack,
    client::Question,
    cluster::Cluster,
    data, report, say,
    server::{self, Server},
    workload::{self, Workload, WorkloadKind},
};

/// How much longer the slowest hundredth may take in the large tenant.
const MOST: f64 = 1.3;
/// The tenants of the data, by their numbers there: the small one and the large one.
const TENANTS: [i32; 2] = [1, 2];
/// So many pages are behind a page that is far down a list.
const FAR: usize = 100;

const NEWEST: &str = "query Newest($after: String) { opportunities(first: 50, after: $after) { nodes { \
        id name status amount { amountMinor currency } owner { id name } company { id name } \
    } pageInfo { hasNextPage endCursor } } }";
const NAMED: &str = "query Named { opportunities(first: 50, filter: { name: { startsWith: \"deal 77\" } }, \
        orderBy: [{ field: NAME }]) { nodes { id name owner { id name } } } }";
const COMPANIES: &str = "query Companies { companies(first: 50, orderBy: [{ field: NAME }]) { nodes { \
        id name owner { id name } opportunities(first: 3) { nodes { id name status } } \
    } } }";

/// A question to both tenants.
struct Pair {
    name: &'static str,
    of: [Arc<Workload>; 2],
    /// Of each tenant what rounds took: half of the answers, and all but a hundredth.
    ms: [Vec<(f64, f64)>; 2],
}

/// Asks them all and prints how the times compare.
pub(crate) async fn run(options: &Options, cluster: &Cluster, deals: u32) -> Outcome<()> {
    data::ensure(cluster, data::Set::Sizes(deals)).await?;
    let mut database = cluster.superuser().await?;
    let server = Server::start(cluster, &server::executable(options)?, 4).await?;
    let mut pairs = pairs(&mut database, cluster, &server).await?;
    let rounds = options.rounds * pairs.len() as u64 * 2;
    let length = Duration::from_secs((options.seconds() / rounds).max(1));
    for round in 1..=options.rounds {
        say(&format!("round {round}"));
        for pair in &mut pairs {
            for (workload, ms) in pair.of.iter().zip(&mut pair.ms) {
                attack::run(&server, workload, 1, WARM_UP).await?;
                let attacked = attack::run(&server, workload, 1, length).await?;
                ms.push((attacked.p50_ms, attacked.p99_ms));
            }
        }
    }
    server.stop().await?;
    println!(
        "\n{}, PostgreSQL {}; one user, {} rounds of {} s each; 10,000 and {deals} deals\n\n\
         | page of 50 | p50 ms, 10,000 | p50 ms, {deals} | p99 ms, 10,000 | p99 ms, {deals} | p99 ratio (goal {MOST}) |\n\
         |---|--:|--:|--:|--:|--:|",
        report::machine(),
        cluster.postgres_version(),
        options.rounds,
        length.as_secs(),
    );
    for pair in &pairs {
        let of = |figure: fn(&(f64, f64)) -> f64| {
            let [small, large] = &pair.ms;
            [small, large].map(|ms| report::median(ms.iter().map(figure).collect()))
        };
        let ([half, half_large], [most, most_large]) = (of(|ms| ms.0), of(|ms| ms.1));
        println!(
            "| {} | {half:.2} | {half_large:.2} | {most:.2} | {most_large:.2} | {:.2} |",
            pair.name,
            most_large / most
        );
    }
    Ok(())
}

async fn pairs(
    database: &mut PgConnection,
    cluster: &Cluster,
    server: &Server,
) -> Outcome<Vec<Pair>> {
    let mut of_tenants = Vec::new();
    for tenant in TENANTS {
        let stage = workload::id(database, (4, tenant, 1)).await?;
        let stage = json!({ "stage": format!("stage:{stage}") });
        let cursor = far_down(database, cluster, (server, tenant)).await?;
        of_tenants.push([
            ("the newest", NEWEST, Json::Null),
            ("5,000 further down", NEWEST, json!({ "after": cursor })),
            ("a stage's cards", workload::BOARD, stage),
            (
                "the largest open ones above an amount",
                workload::LIST,
                json!({ "above": workload::ABOVE }),
            ),
            ("by the begin of the name", NAMED, Json::Null),
            ("25 overdue", workload::DUE, Json::Null),
            ("companies with their latest deals", COMPANIES, Json::Null),
        ]);
    }
    let [small, large] = <[_; 2]>::try_from(of_tenants).map_err(|_| "there are two tenants")?;
    let mut pairs = Vec::new();
    for (small, large) in small.into_iter().zip(large) {
        let mut of = Vec::new();
        for (tenant, (name, document, variables)) in TENANTS.into_iter().zip([small, large]) {
            let asked = (None, document, std::slice::from_ref(&variables));
            let variant = workload::variant(database, cluster, tenant, asked).await?;
            of.push(Arc::new(Workload {
                kind: WorkloadKind::Latency,
                name,
                variants: vec![variant],
            }));
        }
        let of = <[_; 2]>::try_from(of).map_err(|_| "there are two tenants")?;
        pairs.push(Pair {
            name: of[0].name,
            of,
            ms: Default::default(),
        });
    }
    Ok(pairs)
}

/// The cursor of a page far down the list of a tenant.
async fn far_down(
    database: &mut PgConnection,
    cluster: &Cluster,
    (server, tenant): (&Server, i32),
) -> Outcome<String> {
    let asked = (None, NEWEST, std::slice::from_ref(&Json::Null));
    let variant = workload::variant(database, cluster, tenant, asked).await?;
    let question: &Question = &variant.questions[0];
    let mut connection = server.connect().await?;
    let mut cursor = Json::Null;
    for _ in 0..FAR {
        let body = json!({ "query": NEWEST, "variables": { "after": cursor } }).to_string();
        let (_, answer) = connection.exchange(&question.with_body(body)).await?;
        let answer: Json = serde_json::from_slice(&answer)?;
        let end = answer.pointer("/data/opportunities/pageInfo/endCursor");
        cursor = end.cloned().ok_or_else(|| format!("no page: {answer}"))?;
    }
    Ok(cursor.as_str().ok_or("the list ends too early")?.to_owned())
}
