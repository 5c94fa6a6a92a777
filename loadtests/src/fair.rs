//! Whether a tenant that asks for as much as it can makes another one wait: two people of a small tenant read deals at
//! an even pace, alone and while many of the large tenant ask for boards as fast as they are answered, or for all that a
//! server should refuse.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval},
};

use crate::{
    Options, Outcome,
    attack::Target as _,
    client::{Connection, Question},
    cluster::Cluster,
    data, report, say,
    server::{self, Server},
    workload::{self, WorkloadKind},
};

/// Of the large tenant, at the same time.
const FLOOD: usize = 48;
/// Attackers at the same time.
const ATTACKERS: usize = 8;
/// People of the small tenant.
const PEOPLE: usize = 2;
/// Each of them asks so often.
const EVERY: Duration = Duration::from_millis(20);

/// Measures with a share for each tenant, as it is built in, and without any.
pub(crate) async fn run(options: &Options, cluster: &Cluster) -> Outcome<()> {
    data::ensure(cluster, data::Set::Usual).await?;
    let mut database = cluster.superuser().await?;
    let all = workload::all(&mut database, cluster).await?;
    let of = |kind| all.iter().find(|workload| workload.kind == kind);
    let (boards, lists) = (of(WorkloadKind::Board), of(WorkloadKind::List));
    let (boards, lists) = (boards.ok_or("no boards")?, lists.ok_or("no lists")?);
    let board = boards.variants[0].questions[0].clone();
    let read = lists.variants.last().ok_or("nothing to read")?.questions[0].clone();

    let executable = server::executable(options)?;
    let length = Duration::from_secs(options.seconds.unwrap_or(150) / (6 * options.rounds).max(1));
    println!(
        "\n{}, PostgreSQL {}; two people of a small tenant, a list of 50 deals each 50 times a second; medians of {} rounds\n\n\
         | connections of a tenant at a time | p50 / p99 alone, ms | beside another tenant | p99 times | requests/s of that one |\n\
         |---|--:|--:|--:|--:|",
        report::machine(),
        cluster.postgres_version(),
        options.rounds
    );
    let boards = (FLOOD, vec![board.clone()]);
    let attacks = (ATTACKERS, attacks(&board));
    let floods = [
        ("2, boards", 2, &boards),
        ("all 16, boards", 16, &boards),
        ("2, attacks", 2, &attacks),
    ];
    for (name, share, flood) in floods {
        let share = ("DEALGRAPH_TENANT_CONNECTIONS", share.to_string());
        let server = Server::start_with(cluster, &executable, 16, &[share]).await?;
        let mut rounds = Vec::new();
        _ = paced(&server, &read, Duration::from_secs(1)).await?;
        for round in 1..=options.rounds {
            let alone = paced(&server, &read, length).await?;
            let (beside, boards) = flooded(&server, (flood, &read), length).await?;
            say(&format!(
                "round {round}, {name}: {:.1} ms alone, {:.1} ms beside",
                alone.1, beside.1
            ));
            rounds.push((alone, beside, boards));
        }
        server.stop().await?;
        let middle =
            |of: &dyn Fn(&FairRound) -> f64| report::median(rounds.iter().map(of).collect());
        println!(
            "| {name} | {:.1} / {:.1} | {:.1} / {:.1} | {:.2} | {:.0} |",
            middle(&|round| round.0.0),
            middle(&|round| round.0.1),
            middle(&|round| round.1.0),
            middle(&|round| round.1.1),
            middle(&|round| round.1.1 / round.0.1),
            middle(&|round| round.2),
        );
    }
    Ok(())
}

/// What a server should refuse, of whom `like` is: what graphql-cop and GraphQL Armor look for.
fn attacks(like: &Question) -> Vec<Question> {
    let repeated =
        |count: usize, part: &dyn Fn(usize) -> String| (0..count).map(part).collect::<String>();
    let bomb = repeated(24, &|n| {
        format!(
            "fragment f{n} on Query{{...f{next} ...f{next}}}",
            next = n + 1
        )
    });
    let circle = "fields{type{".repeat(8) + "name" + &"}}".repeat(8);
    let documents = [
        format!("{{{}}}", repeated(1_000, &|n| format!("a{n}:__typename "))),
        format!("{{{}}}", "__typename ".repeat(1_000)),
        format!("{{__typename {}}}", "@skip(if:false)".repeat(500)),
        format!("{{...f0}}{bomb}fragment f24 on Query{{__typename}}"),
        "{...a} fragment a on Query{...b} fragment b on Query{...a}".to_owned(),
        format!("{{__schema{{types{{{circle}}}}}}}"),
        format!("{{a(b:{}{})}}", "[".repeat(2_000), "]".repeat(2_000)),
        "{companies(first:100){nodes{contacts(first:100){nodes{opportunities(first:100){nodes{id}}}}}}}".to_owned(),
        format!("{{company(id:\"{}\"){{id}}}}", "x".repeat(15_000)),
        "{companis{nods{nam}}}".to_owned(),
    ];
    let bodies = documents.map(|document| serde_json::json!({ "query": document }).to_string());
    let deep = format!(
        "{{\"query\":\"{{a}}\",\"variables\":{}{}}}",
        "{\"a\":".repeat(100),
        "1".to_owned() + &"}".repeat(100)
    );
    let batch = format!("[{}]", vec!["{\"query\":\"{__typename}\"}"; 200].join(","));
    let huge = format!(
        "{{\"query\":\"{{a}}\",\"variables\":{{\"a\":\"{}\"}}}}",
        "x".repeat(200_000)
    );
    let all = bodies.into_iter().chain([deep, batch, huge]);
    all.map(|body| like.with_body(body)).collect()
}

/// p50 and p99 in milliseconds.
pub(crate) type Times = (f64, f64);
type FairRound = (Times, Times, f64);

/// What the even pace is answered in while others flood, and how many of their boards are answered each second.
async fn flooded(
    server: &Server,
    ((connections, questions), read): (&(usize, Vec<Question>), &Question),
    length: Duration,
) -> Outcome<(Times, f64)> {
    let (stop, answered) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
    let mut flood = JoinSet::new();
    for _ in 0..*connections {
        let address = server.address();
        let mut connection = Connection::open(address).await?;
        let (stop, answered) = (Arc::clone(&stop), Arc::clone(&answered));
        let questions = questions.clone();
        flood.spawn(async move {
            for question in questions.iter().cycle() {
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                // Callers who hear that their tenant is busy ask again, and those who are cut off come back.
                if connection.exchange(question).await.is_err() {
                    match Connection::open(address).await {
                        Ok(again) => connection = again,
                        Err(_) => break,
                    }
                }
                answered.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    let (began, before) = (Instant::now(), answered.load(Ordering::Relaxed));
    let times = paced(server, read, length).await?;
    let made = answered.load(Ordering::Relaxed) - before;
    let per_second = made as f64 / began.elapsed().as_secs_f64();
    stop.store(true, Ordering::Relaxed);
    flood.join_all().await;
    Ok((times, per_second))
}

/// Two people ask at an even pace; what is late is asked at once, and timed from when it was due.
pub(crate) async fn paced(server: &Server, read: &Question, length: Duration) -> Outcome<Times> {
    let mut people = JoinSet::new();
    for _ in 0..PEOPLE {
        let mut connection = Connection::open(server.address()).await?;
        let read = read.clone();
        people.spawn(async move {
            let mut times = Vec::new();
            let mut due = interval(EVERY);
            due.set_missed_tick_behavior(MissedTickBehavior::Burst);
            let end = Instant::now() + length;
            while Instant::now() < end {
                let at = due.tick().await;
                connection.ask(&read).await?;
                times.push(at.elapsed().as_secs_f64() * 1e3);
            }
            Outcome::Ok(times)
        });
    }
    let mut times = Vec::new();
    while let Some(of_one) = people.join_next().await {
        times.extend(of_one??);
    }
    times.sort_by(f64::total_cmp);
    let at = |part: f64| times[((times.len() - 1) as f64 * part) as usize];
    Ok((at(0.5), at(0.99)))
}
