//! The verdict on a tenant: its log, its records, what its subscribers and its receivers of webhooks received, and the boards
//! that subscribers show.

use sqlx::PgConnection;
use uuid::Uuid;

use super::{
    Scene, Tenant, Track,
    board::Board,
    history::{Deliveries, Ending, Followed, History, Violation},
    log,
    receivers::Hook,
    stats::Stats,
    writers::Desk,
};
use crate::{
    Outcome,
    cluster::{Cluster, DATABASE},
};

pub(super) async fn scene(
    scene: Scene,
    tracks: Vec<Track>,
    cluster: &Cluster,
    stats: &Stats,
    dice: &mut fastrand::Rng,
) -> Outcome<Vec<Violation>> {
    let mut database = cluster.superuser_of(DATABASE).await?;
    let tenant = scene.tenant.id;
    let mut violations = boards(&scene.tenant, &scene.desk, &tracks, (stats, dice)).await?;
    let segments: usize = tracks.iter().map(|track| track.segments.len()).sum();
    stats.count_many("subscriptions", tracks.len() as u64);
    stats.count_many("resyncs", (segments - tracks.len()) as u64);
    note_slowest(&scene, stats);
    let followed = tracks
        .into_iter()
        .map(|track| Followed::new(track.watch, track.segments));
    let mut deliveries = Vec::new();
    for hook in &scene.hooks {
        deliveries.push(of_hook(hook, tenant, &mut database, stats).await?);
    }
    let mut history = History::new(scene.writes, followed.collect());
    log::events(&mut database, tenant, 0, |event| {
        stats.count("events");
        stats.count(&format!(
            "event {} {}",
            event.kind.map_or("other", |kind| kind.word()),
            event.word
        ));
        history.take(event);
        for one in &mut deliveries {
            one.take(event);
        }
    })
    .await?;
    let counter = log::counter(&mut database, tenant).await?;
    violations.extend(history.finish(counter, log::stored(&mut database, tenant).await?));
    violations.extend(deliveries.into_iter().flat_map(Deliveries::finish));
    Ok(violations)
}

/// What an endpoint was sent, with what is noted of it.
async fn of_hook(
    hook: &Hook,
    tenant: Uuid,
    database: &mut PgConnection,
    stats: &Stats,
) -> Outcome<Deliveries> {
    let name = &hook.inbox.name;
    if let Some(why) = log::disabled(database, tenant, hook.id).await? {
        stats.complain(format!("{name} was disabled: {why}"));
    }
    let ledger = log::ledger(database, tenant, hook.id).await?;
    let arrivals = hook.inbox.empty();
    let refused = arrivals.iter().filter(|arrival| !arrival.is_taken).count();
    let attempts: i64 = ledger.iter().map(|entry| entry.attempts).sum();
    stats.count_many("webhooks to be delivered", ledger.len() as u64);
    stats.count_many("webhooks that arrived", arrivals.len() as u64);
    stats.count_many("webhooks refused by their receiver", refused as u64);
    stats.count_many("webhooks attempted", attempts.unsigned_abs());
    let deliveries = Deliveries::new(hook.watches.clone(), tenant, arrivals, ledger);
    stats.count_many("webhooks that arrived again", deliveries.repeated() as u64);
    Ok(deliveries)
}

fn note_slowest(scene: &Scene, stats: &Stats) {
    let answered = scene
        .writes
        .iter()
        .filter(|write| matches!(write.ending, Ending::Done(_)));
    let slowest = answered
        .map(|write| write.at.1 - write.at.0)
        .max()
        .unwrap_or_default();
    let what = format!(
        "ms the slowest acknowledged write of {} took",
        scene.tenant.slug
    );
    stats.count_many(
        &what,
        u64::try_from(slowest.as_millis()).unwrap_or(u64::MAX),
    );
}

/// What clients show that followed events from a snapshot on is what a query shows now.
async fn boards(
    tenant: &Tenant,
    desk: &Desk,
    tracks: &[Track],
    (stats, dice): (&Stats, &mut fastrand::Rng),
) -> Outcome<Vec<Violation>> {
    let mut violations = Vec::new();
    for (number, person) in tenant.people.iter().enumerate() {
        let mut asker = tenant.asker(number, &desk.addresses, dice.fork());
        let theirs = tracks
            .iter()
            .filter(|track| track.watch.sight.user == person.sight.user);
        for track in theirs {
            let Some(board) = &track.board else { continue };
            let (now, _) = Board::read(board.pipeline, &mut asker).await?;
            stats.count_many("cards compared", now.len() as u64);
            let name = &track.watch.name;
            violations.extend(
                board
                    .differs(&now)
                    .map(|how| format!("the board of {name}: {how}")),
            );
        }
    }
    Ok(violations)
}
