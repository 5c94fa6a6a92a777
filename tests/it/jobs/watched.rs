//! A job is watched until it has ended, by who may see it and for as long as they may.

use std::{sync::Arc, time::Duration};

use futures_util::StreamExt as _;
use serde_json::{Value, json};

use super::{
    call, jobs,
    probe::{Act, Working, probe, put, put_at, quick},
};
use crate::{
    defaults::served::Served,
    harness::{A, Who, World, test},
    live::{Socket, act},
};
use dealgraph::jobs::When;

const WATCH: &str = "subscription($id: ID!) { jobProgress(id: $id) {
    id kind status attempts progress { done total message } error { code } result endedAt author { user { id } } } }";

/// Listens until the job stands as wanted.
async fn until(socket: &mut Socket<'_>, status: &str, done: Value) -> Value {
    loop {
        let job = socket.event("1").await;
        if job["status"] == status && job["progress"]["done"] == done {
            return job;
        }
        assert!(job["endedAt"].is_null(), "{job}");
    }
}

/// Puts a job of the rep into the queue that goes on when the test lets it, and its id.
async fn held(world: &World) -> Value {
    put(world, A, Who::Rep, &probe(Act::Hold("Watched".to_owned()))).await;
    jobs(world, A, Who::Rep).await[0]["id"].clone()
}

/// Lets the job go on, which waits for it from some time on.
async fn go_on(work: &Working, ended: impl Future<Output = ()>) {
    let again = async {
        loop {
            work.seen.go_on.notify_waiters();
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::select! {
        () = ended => {}
        () = again => {}
    }
}

#[test]
fn a_job_is_watched_on_every_server_to_its_end_and_by_nobody_who_may_not_see_it() {
    test(async |world| {
        let watched = json!({ "id": held(world).await });
        let served = Served::over(&world.database, Arc::clone(&world.tokens), None).await;
        let rep = world.a(Who::Rep);
        let token = rep.token().expect("a token").to_owned();
        let mut sockets = [
            Socket::open(&rep).await,
            Socket::open(&world.a(Who::Admin)).await,
            Socket::at(&served.socket_url(), &token).await,
        ];
        for socket in &mut sockets {
            socket.ask("1", WATCH, watched.clone()).await;
            let now = socket.event("1").await;
            assert_eq!(
                (&now["status"], &now["id"]),
                (&json!("QUEUED"), &watched["id"])
            );
            assert_eq!(now["author"]["user"]["id"], json!(A.user(Who::Rep)));
        }
        let document = format!(
            "subscription {{ jobProgress(id: {}) {{ status }} }}",
            watched["id"]
        );
        let mut stream = served.events(&token, &document).await;
        let first = stream.next().await.expect("it begins");
        assert_eq!(first["jobProgress"]["status"], "QUEUED");
        for client in [
            world.a(Who::Manager),
            world.a(Who::OtherRep),
            world.b(Who::Admin),
        ] {
            let mut other = Socket::open(&client).await;
            other.ask("1", WATCH, watched.clone()).await;
            assert_eq!(other.failure("1").await.0, "NOT_FOUND");
        }
        assert!(sockets[0].is_silent().await, "nothing changes");

        // Done by a worker with connections of its own, which tells none of both servers.
        let work = Working::begin(world, quick()).await;
        for socket in &mut sockets {
            let half = until(socket, "RUNNING", json!(1)).await;
            assert_eq!(
                half["progress"],
                json!({ "done": 1, "total": 2, "message": "half of it" })
            );
        }
        let mut late = Socket::open(&rep).await;
        late.ask("1", WATCH, watched.clone()).await;
        assert_eq!(late.event("1").await["progress"]["done"], 1, "at once");
        go_on(&work, async {
            for socket in sockets.iter_mut().chain([&mut late]) {
                // The rep may create no products.
                let done = until(socket, "FAILED", json!(1)).await;
                assert_eq!(done["error"]["code"], "FORBIDDEN");
                assert_eq!(socket.message("1").await["type"], "complete");
            }
        })
        .await;
        let mut seen = Vec::new();
        while let Some(event) = stream.next().await {
            seen.push(event["jobProgress"]["status"].clone());
        }
        assert_eq!(
            seen.last(),
            Some(&json!("FAILED")),
            "and the stream is over"
        );

        // One that has ended says so, and that is all.
        for socket in &mut sockets {
            socket.ask("1", WATCH, watched.clone()).await;
            assert_eq!(socket.event("1").await["status"], "FAILED");
            assert_eq!(socket.message("1").await["type"], "complete");
            assert!(socket.is_silent().await);
        }
        work.end().await;
        served.stop().await;
    });
}

#[test]
fn however_a_job_ends_it_is_watched_to_that_end() {
    test(async |world| {
        let hour = When::After(Duration::from_secs(3_600));
        put_at(world, (A, Who::Rep), &probe(Act::Nothing(1)), hour).await;
        put(world, A, Who::Rep, &probe(Act::Refuse)).await;
        put(world, A, Who::Rep, &probe(Act::Fail(2))).await;
        let waiting = jobs(world, A, Who::Rep).await;
        let mut sockets = Vec::new();
        for job in &waiting {
            let mut socket = Socket::open(&world.a(Who::Rep)).await;
            socket.ask("1", WATCH, json!({ "id": job["id"] })).await;
            assert_eq!(socket.event("1").await["status"], "QUEUED");
            sockets.push(socket);
        }
        let work = Working::begin(world, quick()).await;
        call(world, (A, Who::Rep), "jobCancel", &waiting[0]["id"]).await;
        for (socket, status) in sockets.iter_mut().zip(["CANCELLED", "FAILED", "SUCCEEDED"]) {
            let ended = until(socket, status, Value::Null).await;
            assert_eq!(ended["error"]["code"] == "NEVER", status == "FAILED");
            assert_eq!(ended["attempts"] == 3, status == "SUCCEEDED");
            assert_eq!(socket.message("1").await["type"], "complete");
        }
        work.end().await;
    });
}

#[test]
fn who_is_kept_out_hears_no_more_of_a_job_and_who_is_only_asked_again_goes_on() {
    test(async |world| {
        let watched = json!({ "id": held(world).await });
        let mut rep = Socket::open(&world.a(Who::Rep)).await;
        let mut admin = Socket::open(&world.a(Who::Admin)).await;
        for socket in [&mut rep, &mut admin] {
            socket.ask("1", WATCH, watched.clone()).await;
            assert_eq!(socket.event("1").await["status"], "QUEUED");
        }
        let changes = world.a(Who::Admin);
        let title = json!({ "userId": A.user(Who::Admin), "title": "Asked again" });
        act(&changes, "membershipUpdate", title).await;
        let suspended = json!({ "userId": A.user(Who::Rep) });
        act(&changes, "membershipSuspend", suspended).await;
        let (code, reason) = rep.closed().await;
        assert_eq!(code, 4403, "{reason}");
        let work = Working::begin(world, quick()).await;
        let ended = until(&mut admin, "FAILED", Value::Null).await;
        assert_eq!(ended["error"]["code"], "ACTOR_GONE");
        assert_eq!(admin.message("1").await["type"], "complete");
        work.end().await;
    });
}

#[test]
fn however_many_watch_a_job_it_is_looked_at_once_a_second() {
    test(async |world| {
        let watched = json!({ "id": held(world).await });
        let mut sockets = Vec::new();
        for _ in 0..6 {
            let mut socket = Socket::open(&world.a(Who::Rep)).await;
            socket.ask("1", WATCH, watched.clone()).await;
            assert_eq!(socket.event("1").await["status"], "QUEUED");
            sockets.push(socket);
        }
        let idle = tokio::time::sleep(Duration::from_millis(3_500));
        let (_, statements) = world.statements.during(idle).await;
        let looks = statements.iter().filter(|sql| sql.contains("FROM jobs t"));
        let looks = looks.count();
        assert!((2..=4).contains(&looks), "{looks} looks in three seconds");
        drop(sockets);
        // What nobody watches is not looked at.
        tokio::time::sleep(Duration::from_secs(2)).await;
        let idle = tokio::time::sleep(Duration::from_millis(2_500));
        let (_, statements) = world.statements.during(idle).await;
        let looks = statements.iter().filter(|sql| sql.contains("FROM jobs t"));
        assert_eq!(looks.count(), 0);
    });
}
