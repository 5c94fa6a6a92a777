//! Whether what a request costs in points is what it costs: generated queries, asked one after the other on a machine that
//! does nothing else, with their prices beside the time that each takes.

use fastrand::Rng;
use serde_json::{Value as Json, json};
use tokio::time::Instant;

use crate::{
    Options, Outcome,
    client::Question,
    cluster::Cluster,
    data, report, say,
    server::{self, Server},
    workload::{self, WorkloadKind},
};

/// So many queries.
const QUERIES: usize = 600;
/// Each is asked so often; the quickest time counts, since nothing makes a query quicker than it is.
const TIMES: usize = 7;
const SIZES: [usize; 6] = [1, 3, 10, 25, 50, 100];

/// What a query may be refused with, because it asks for too much.
const REFUSALS: [&str; 3] = ["TOO_MANY_NODES", "TOO_MANY_RELATIONS", "TOO_MANY_TOKENS"];

/// A query with what it was said to cost and what it took.
struct Asked {
    query: String,
    requested: f64,
    actual: f64,
    ms: f64,
}

/// Asks them all and prints how prices and times go together.
pub(crate) async fn run(
    options: &Options,
    cluster: &Cluster,
    (seed, each): (u64, bool),
) -> Outcome<()> {
    data::ensure(cluster, data::Set::Usual).await?;
    let mut database = cluster.superuser().await?;
    let all = workload::all(&mut database, cluster).await?;
    let boards = all
        .iter()
        .find(|workload| workload.kind == WorkloadKind::Board);
    let like = boards.ok_or("no boards")?.variants[0].questions[0].clone();
    let server = Server::start(cluster, &server::executable(options)?, 4).await?;
    let mut rng = Rng::with_seed(seed);
    let mut asked = Vec::new();
    say(&format!("asking {QUERIES} queries"));
    while asked.len() < QUERIES {
        let query = document(&mut rng);
        let body = json!({ "query": query }).to_string();
        let found = ask(&server, &like.with_body(body)).await?;
        asked.extend(found.map(|found| Asked { query, ..found }));
    }
    server.stop().await?;
    for Asked {
        query,
        requested,
        actual,
        ms,
    } in asked.iter().filter(|_| each)
    {
        println!("{requested}\t{actual}\t{ms:.3}\t{query}");
    }
    let of = |figure: fn(&Asked) -> f64| asked.iter().map(figure).collect::<Vec<_>>();
    let (requested, actual, ms) = (of(|a| a.requested), of(|a| a.actual), of(|a| a.ms));
    println!(
        "\n{}, PostgreSQL {}; {QUERIES} queries of {:.0} to {:.0} points, {:.2} to {:.1} ms\n\n\
         | points | correlation with the time | of the ranks |\n|---|--:|--:|\n\
         | what is reserved | {:.2} | {:.2} |\n| what it comes to | {:.2} | {:.2} |",
        report::machine(),
        cluster.postgres_version(),
        least(&requested),
        most(&requested),
        least(&ms),
        most(&ms),
        correlation(&requested, &ms),
        correlation(&ranks(&requested), &ranks(&ms)),
        correlation(&actual, &ms),
        correlation(&ranks(&actual), &ranks(&ms)),
    );
    Ok(())
}

/// What a query is said to cost and what it takes; nothing when it is refused.
async fn ask(server: &Server, question: &Question) -> Outcome<Option<Asked>> {
    let mut connection = server.connect().await?;
    let mut asked: Option<Asked> = None;
    for _ in 0..TIMES {
        let began = Instant::now();
        let (_, body) = connection.exchange(question).await?;
        let ms = began.elapsed().as_secs_f64() * 1e3;
        let answer: Json = serde_json::from_slice(&body)?;
        if let Some(error) = answer.get("errors") {
            return match error.pointer("/0/extensions/code").and_then(Json::as_str) {
                Some(refusal) if REFUSALS.contains(&refusal) => Ok(None),
                _ => Err(format!("the server answered {error}").into()),
            };
        }
        let cost = |part: &str| {
            answer
                .pointer(&format!("/extensions/cost/{part}"))?
                .as_f64()
        };
        let (requested, actual) = cost("requested").zip(cost("actual")).ok_or("no cost")?;
        let quickest = asked.map_or(ms, |asked| asked.ms.min(ms));
        asked = Some(Asked {
            query: String::new(),
            requested,
            actual,
            ms: quickest,
        });
    }
    Ok(asked)
}

/// Conditions on the columns of a kind that some of the records meet; `#` is a number up to 5,000.
fn conditions(kind: &str) -> &'static [&'static str] {
    match kind {
        "opportunity" => &[
            "status: { eq: WON }",
            "status: { in: [OPEN, LOST] }",
            "amountMinor: { gte: #000 }",
            "probability: { lt: 50 }",
            "name: { startsWith: \"deal 1\" }",
            "source: { neq: \"web\" }",
        ],
        "contact" => &[
            "name: { startsWith: \"first1\" }",
            "warmnessScore: { gte: 50 }",
            "email: { null: false }",
            "createdAt: { gte: \"2025-06-01T00:00:00Z\" }",
        ],
        "company" => &[
            "employeeCount: { gte: # }",
            "industry: { eq: \"retail\" }",
            "industry: { in: [\"software\", \"finance\"] }",
            "name: { startsWith: \"company 1\" }",
        ],
        _ => &[
            "kind: { eq: CALL }",
            "kind: { in: [EMAIL, MEETING] }",
            "status: { eq: DONE }",
            "occurredAt: { gte: \"2025-06-01T00:00:00Z\" }",
        ],
    }
}

/// A filter by chance: conditions on columns, joined, and on related records, at most three deep.
fn filter(rng: &mut Rng, kind: &str, depth: usize) -> String {
    let related: &[(&str, &str)] = match kind {
        "opportunity" => &[("company", "company"), ("primaryContact", "contact")],
        "contact" => &[("company", "company")],
        "company" => &[
            ("contactsSome", "contact"),
            ("contactsNone", "contact"),
            ("opportunitiesSome", "opportunity"),
            ("opportunitiesNone", "opportunity"),
        ],
        _ => &[],
    };
    let arms = (0..rng.usize(1..=4)).map(|_| {
        let is_related = depth > 0 && !related.is_empty() && rng.u8(..5) < 2;
        match is_related {
            true => {
                let (field, kind) = related[rng.usize(..related.len())];
                format!("{{ {field}: {} }}", filter(rng, kind, depth - 1))
            }
            false => {
                let all = conditions(kind);
                let condition = all[rng.usize(..all.len())];
                let number = rng.u32(1..5_000).to_string();
                format!("{{ {} }}", condition.replace('#', &number))
            }
        }
    });
    let arms: Vec<_> = arms.collect();
    let join = if rng.bool() { "and" } else { "or" };
    format!("{{ {join}: [{}] }}", arms.join(" "))
}

/// The arguments of a list: how many rows, and for every other one which.
fn arguments(rng: &mut Rng, kind: &str, size: usize) -> String {
    match rng.bool() {
        true => format!("first: {size}"),
        false => format!("first: {size}, filter: {}", filter(rng, kind, 3)),
    }
}

/// A list with lists and links below it, by chance.
fn document(rng: &mut Rng) -> String {
    let (list, kind) = [
        ("opportunities", "opportunity"),
        ("contacts", "contact"),
        ("companies", "company"),
        ("activities", "activity"),
    ][rng.usize(..4)];
    let size = SIZES[rng.usize(..SIZES.len())];
    format!(
        "{{ {list}({}) {{ nodes {{ {} }} }} }}",
        arguments(rng, kind, size),
        fields(rng, kind, 2)
    )
}

fn fields(rng: &mut Rng, kind: &str, depth: usize) -> String {
    let mut text = "id updatedAt".to_owned();
    let below: &[(&str, &str, bool)] = match kind {
        "opportunity" => &[
            ("owner", "user", false),
            ("company", "company", false),
            ("activities", "activity", true),
        ],
        "contact" => &[
            ("owner", "user", false),
            ("company", "company", false),
            ("opportunities", "opportunity", true),
        ],
        "company" => &[
            ("owner", "user", false),
            ("contacts", "contact", true),
            ("opportunities", "opportunity", true),
        ],
        "activity" => &[("owner", "user", false)],
        _ => return "id name email".to_owned(),
    };
    for (field, kind, is_list) in below {
        if depth == 0 || rng.bool() {
            continue;
        }
        let inner = fields(rng, kind, depth - 1);
        let size = SIZES[rng.usize(..3)];
        text += &match is_list {
            true => format!(
                " {field}({}) {{ nodes {{ {inner} }} }}",
                arguments(rng, kind, size)
            ),
            false => format!(" {field} {{ {inner} }}"),
        };
    }
    text
}

fn least(figures: &[f64]) -> f64 {
    figures.iter().copied().fold(f64::INFINITY, f64::min)
}

fn most(figures: &[f64]) -> f64 {
    figures.iter().copied().fold(0.0, f64::max)
}

/// Pearson's.
fn correlation(a: &[f64], b: &[f64]) -> f64 {
    let mean = |figures: &[f64]| figures.iter().sum::<f64>() / figures.len() as f64;
    let (of_a, of_b) = (mean(a), mean(b));
    let pairs = || a.iter().zip(b).map(|(a, b)| (a - of_a, b - of_b));
    let both: f64 = pairs().map(|(a, b)| a * b).sum();
    let each: (f64, f64) = pairs().fold((0.0, 0.0), |(x, y), (a, b)| (x + a * a, y + b * b));
    both / (each.0 * each.1).sqrt()
}

/// The place of each among all; equal ones share theirs, which makes the correlation of ranks Spearman's.
fn ranks(figures: &[f64]) -> Vec<f64> {
    let rank = |figure: &f64| {
        let below = figures.iter().filter(|other| *other < figure).count();
        let equal = figures.iter().filter(|other| *other == figure).count();
        below as f64 + (equal as f64 - 1.0) / 2.0
    };
    figures.iter().map(rank).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_together_correlates() {
        let (a, b) = ([1.0, 2.0, 3.0, 4.0], [1.0, 4.0, 9.0, 16.0]);
        assert!(correlation(&a, &b) > 0.98 && correlation(&a, &b) < 1.0);
        assert_eq!(correlation(&ranks(&a), &ranks(&b)), 1.0);
        assert_eq!(ranks(&[5.0, 1.0, 5.0]), [1.5, 0.0, 1.5]);
    }
}
