//! What it costs to know who is asking: from a bearer token to an actor, in this process, one after the other.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use chrono::TimeDelta;
use dealgraph::{
    access::Role,
    base::ids::{TenantId, UserId},
    db::{
        Db, SystemReason,
        journal::{Origin, Recorder},
    },
    organization::{
        auth::{Access, TokenOptions, Tokens},
        identities::Identities,
        members::provision::{self, NewMember, NewTenant},
    },
    platform::redis::{RedisAddress, Throttle},
};
use tokio_util::sync::CancellationToken;

use crate::{Outcome, cluster::Cluster, say};

/// A database of its own, made anew each time.
const DATABASE: &str = "dealgraph_verify";
/// People who ask one after another.
const PEOPLE: usize = 2_000;
/// Requests with tokens that were seen before.
const SEEN: usize = 100_000;

/// What is promised, for the median.
const SEEN_PROMISED: Duration = Duration::from_micros(20);
const UNSEEN_PROMISED: Duration = Duration::from_micros(150);

/// Measures, and prints the figures.
pub(crate) async fn run(cluster: &Cluster) -> Outcome<()> {
    cluster.migrate_anew(DATABASE).await?;
    let db = cluster.db(DATABASE);
    say(&format!("making a tenant of {PEOPLE} people"));
    let (tenant, people) = people(&db).await?;
    let tokens = cluster.tokens(&db).await?;
    // Signing the same claims twice gives the same token, so the second ones end at another second.
    let later = Tokens::new(
        Arc::clone(tokens.ring()),
        TokenOptions {
            issuer: tokens.issuer().to_owned(),
            audience: tokens.issuer().to_owned(),
            lifetime: TimeDelta::hours(1),
        },
        db.clock().clone(),
    )?;
    let sign = |tokens: &Tokens| -> Outcome<Vec<String>> {
        let issued = people.iter().map(|user| tokens.issue(*user, tenant));
        Ok(issued
            .map(|issued| issued.map(|issued| issued.token))
            .collect::<Result<_, _>>()?)
    };
    let (first, second) = (sign(&tokens)?, sign(&later)?);

    let (recorder, recording) = Recorder::start(db.clone());
    let access = Arc::new(Access::new(
        db.clone(),
        recorder,
        tokens,
        Arc::new(Identities::none()),
        Throttle::new(&RedisAddress::none()),
    ));
    let stop = CancellationToken::new();
    let running = {
        let (access, stop) = (Arc::clone(&access), stop.clone());
        tokio::spawn(async move { access.run(stop).await })
    };
    // The first reading of changes makes everything before it doubtful.
    tokio::time::sleep(Duration::from_millis(500)).await;
    let unread = measure(&access, &first, PEOPLE).await?;
    let seen = measure(&access, &first, SEEN).await?;
    let unseen = measure(&access, &second, PEOPLE).await?;
    println!("| bearer token to actor | median µs | p99 µs | promised |");
    println!("|---|--:|--:|--:|");
    line("token seen before", seen, Some(SEEN_PROMISED));
    line(
        "token not seen, person known",
        unseen,
        Some(UNSEEN_PROMISED),
    );
    line("token not seen, person read from Postgres", unread, None);

    stop.cancel();
    running.await?;
    drop(access);
    recording.finish().await;
    db.close().await;
    Ok(())
}

/// The median and the 99th percentile of so many requests.
async fn measure(
    access: &Access,
    tokens: &[String],
    count: usize,
) -> Outcome<(Duration, Duration)> {
    let origin = Origin::process("verify");
    let mut times = Vec::with_capacity(count);
    for token in tokens.iter().cycle().take(count) {
        let began = Instant::now();
        access.actor(token, &origin).await?;
        times.push(began.elapsed());
    }
    times.sort_unstable();
    Ok((times[count / 2], times[count * 99 / 100]))
}

fn line(what: &str, (median, p99): (Duration, Duration), promised: Option<Duration>) {
    let us = |time: Duration| time.as_secs_f64() * 1e6;
    let promised = promised.map_or_else(
        || "-".to_owned(),
        |promised| {
            let kept = if median < promised { "kept" } else { "broken" };
            format!("< {:.0}, {kept}", us(promised))
        },
    );
    println!(
        "| {what} | {:.1} | {:.1} | {promised} |",
        us(median),
        us(p99)
    );
}

async fn people(db: &Db) -> Outcome<(TenantId, Vec<UserId>)> {
    let tenant = NewTenant {
        id: TenantId::new(),
        slug: "verify".to_owned(),
        name: "Verify".to_owned(),
        base_currency: "EUR".to_owned(),
        time_zone: "UTC".to_owned(),
        locale: "en".to_owned(),
    };
    let members: Vec<NewMember> = (0..PEOPLE)
        .map(|n| NewMember {
            user: UserId::new(),
            email: format!("person{n}@verify.example"),
            name: format!("Person {n}"),
            role: Role::ALL[n % Role::ALL.len()],
            team: None,
        })
        .collect();
    let mut tx = db.system(SystemReason::Provisioning).await?;
    provision::tenant(&mut tx, &tenant).await?;
    provision::members(&mut tx, tenant.id, &members).await?;
    tx.commit().await?;
    Ok((
        tenant.id,
        members.iter().map(|member| member.user).collect(),
    ))
}
