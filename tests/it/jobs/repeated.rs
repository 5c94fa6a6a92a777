//! Jobs of which there is one of a key: what is put into the queue beside it is not lost.

use std::time::Duration;

use dealgraph::jobs::When;

use super::{
    probe::{Act, Probe, Working, ended, probe, put, put_at, quick, until},
    products,
};
use crate::harness::{A, Who, test};

fn keyed(act: Act) -> Probe {
    Probe {
        key: Some("the one".to_owned()),
        ..probe(act)
    }
}

#[test]
fn one_that_waits_runs_sooner_and_one_that_runs_runs_once_more() {
    test(async |world| {
        let later = When::After(Duration::from_secs(3_600));
        put_at(world, (A, Who::Admin), &keyed(Act::Nothing(1)), later).await;
        let work = Working::begin(world, quick()).await;
        put(world, A, Who::Admin, &keyed(Act::Nothing(2))).await;
        let done = ended(world, A, Who::Admin).await;
        assert_eq!(done.len(), 1, "{done:#?}");

        put(world, A, Who::Admin, &keyed(Act::Hold("Held".to_owned()))).await;
        until(world, (A, Who::Admin), |jobs| {
            jobs.iter().any(|job| !job["progress"].is_null())
        })
        .await;
        // It may have looked already.
        put(world, A, Who::Admin, &keyed(Act::Nothing(3))).await;
        put(world, A, Who::Admin, &keyed(Act::Nothing(4))).await;
        work.seen.go_on.notify_one();
        until(world, (A, Who::Admin), |_| work.seen.begun().len() == 3).await;
        work.seen.go_on.notify_one();
        let done = ended(world, A, Who::Admin).await;
        assert_eq!((done.len(), work.seen.begun().len()), (2, 3), "{done:#?}");
        assert_eq!(
            products(world, "Held").await,
            2,
            "once more, and not twice more"
        );
        work.end().await;
    });
}

#[test]
fn one_that_failed_keeps_its_pause_whatever_is_put_beside_it() {
    test(async |world| {
        let work = Working::begin(world, quick()).await;
        put(world, A, Who::Admin, &keyed(Act::Fail(1))).await;
        until(world, (A, Who::Admin), |jobs| {
            jobs.iter().any(|job| !job["error"].is_null())
        })
        .await;
        put(world, A, Who::Admin, &keyed(Act::Nothing(1))).await;
        let done = ended(world, A, Who::Admin).await;
        assert_eq!((done.len(), work.seen.begun().len()), (1, 2), "{done:#?}");
        work.end().await;
    });
}
