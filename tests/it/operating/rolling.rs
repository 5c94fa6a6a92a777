//! A rolling restart of two servers behind a real balancer, HAProxy, while clients are at work: no request fails, and no
//! event is lost or doubled.

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use dealgraph::{
    api::limits::Limits,
    platform::server::ServerLimits,
    tools::{
        app::{Drain, Serving},
        dev::redis::Redis,
    },
};
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinSet};
use tokio_util::sync::CancellationToken;

use crate::{
    defaults::served::Served,
    events::open_data,
    harness::{A, Who, World, test},
    live::{deal, document},
};

/// Clients that write, and clients that follow the board.
const WRITERS: u32 = 4;
const SUBSCRIBERS: usize = 60;
/// How often each server is restarted.
const ROUNDS: usize = 2;

/// A running HAProxy. Dropping it ends it.
struct Balancer {
    process: Child,
    configuration: PathBuf,
    url: String,
    /// Where it tells how the servers are.
    state: String,
}

impl Balancer {
    /// In front of two servers, which it asks five times a second whether they are ready.
    async fn start(servers: &[SocketAddr; 2]) -> Self {
        let (address, state) = (free_address().await, free_address().await);
        let [one, two] = servers;
        let text = format!(
            "defaults\n  mode http\n  timeout connect 1s\n  timeout client 60s\n  timeout server 60s\n  timeout check 3s\n  retries 3\n  \
             option redispatch\n  option httpchk GET /health/ready\n\
             frontend clients\n  bind {address}\n  default_backend servers\n\
             backend servers\n  balance roundrobin\n  default-server check inter 200ms fall 2 rise 1\n  \
             server one {one}\n  server two {two}\n\
             frontend state\n  bind {state}\n  stats enable\n  stats uri /\n"
        );
        let name = format!("haproxy-{:032x}.cfg", fastrand::u128(..));
        let configuration = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::write(&configuration, text).expect("the folder is there");
        // Where Debian puts it, which is not on everybody's path.
        let installed = PathBuf::from("/usr/sbin/haproxy");
        let program = match installed.exists() {
            true => installed,
            false => PathBuf::from("haproxy"),
        };
        let mut command = Command::new(program);
        command
            .arg("-db")
            .arg("-f")
            .arg(&configuration)
            .stdin(Stdio::null());
        let command = command.stdout(Stdio::null()).stderr(Stdio::null());
        let process = command
            .spawn()
            .expect("HAProxy is installed: `.ci/bootstrap test` does it");
        let url = format!("http://{address}/graphql");
        let balancer = Self {
            process,
            configuration,
            url,
            state: format!("http://{state}/;csv"),
        };
        balancer.has_both().await;
        balancer
    }

    /// Waits until both servers get requests.
    async fn has_both(&self) {
        loop {
            if let Ok(state) = reqwest::get(&self.state).await {
                let state = state.text().await.expect("it is text");
                let is_up = |line: &&str| line.starts_with("servers,") && line.contains(",UP,");
                // The servers, and the two of them together.
                if state.lines().filter(is_up).count() == 3 {
                    return;
                }
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        _ = self.process.kill();
        _ = self.process.wait();
        _ = std::fs::remove_file(&self.configuration);
    }
}

async fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    listener.local_addr().expect("an address")
}

/// Renames a deal again and again; how often.
async fn write(url: String, token: String, n: u32, stop: CancellationToken) -> u32 {
    let http = reqwest::Client::new();
    let rename = document("opportunityUpdate");
    let mut done = 0;
    while !stop.is_cancelled() {
        let input = json!({ "id": deal(n), "name": format!("Deal {n}, change {done}") });
        let body = json!({ "query": rename, "variables": { "input": input } });
        let answer = http.post(&url).bearer_auth(&token).json(&body).send().await;
        let answer = answer.expect("every request is answered");
        assert_eq!(answer.status(), 200);
        let answer: Value = answer.json().await.expect("an answer is JSON");
        assert_eq!(
            answer["data"]["opportunityUpdate"]["userErrors"],
            json!([]),
            "{answer}"
        );
        done += 1;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    done
}

/// Follows the board by server-sent events, as a browser does: it comes back with the id of the last event. What it got:
/// records and their versions.
async fn follow(
    url: String,
    token: String,
    last: Arc<tokio::sync::Notify>,
    stop: CancellationToken,
) -> Vec<(String, i64)> {
    let http = reqwest::Client::new();
    let query = "subscription { opportunityEvents { cursor recordId version } }";
    let (mut got, mut id) = (Vec::new(), String::new());
    while !stop.is_cancelled() {
        let mut request = http
            .post(&url)
            .bearer_auth(&token)
            .header("accept", "text/event-stream");
        if !id.is_empty() {
            request = request.header("last-event-id", &id);
        }
        let Ok(mut stream) = request.json(&json!({ "query": query })).send().await else {
            continue;
        };
        assert_eq!(stream.status(), 200);
        let mut text = String::new();
        while let Some(Ok(Some(part))) = stop.run_until_cancelled(stream.chunk()).await {
            text += std::str::from_utf8(&part).expect("text in whole letters");
            while let Some(end) = text.find("\n\n") {
                let event: String = text.drain(..end + 2).collect();
                let line = |start: &str| event.lines().find_map(|line| line.strip_prefix(start));
                if let Some(new) = line("id: ") {
                    id = new.to_owned();
                    last.notify_one();
                }
                let Some(data) = line("data: ") else { continue };
                let data: Value = serde_json::from_str(data).expect("JSON");
                let event = &data["data"]["opportunityEvents"];
                if let (Some(record), Some(version)) =
                    (event["recordId"].as_str(), event["version"].as_i64())
                {
                    got.push((record.to_owned(), version));
                }
            }
        }
    }
    got
}

#[test]
fn no_request_fails_and_no_event_is_lost_or_doubled() {
    test(async |world: &World| {
        let data = open_data().await;
        let redis = Redis::start(&data, &|_| {})
            .await
            .expect("a private Redis starts");
        let addresses = [free_address().await, free_address().await];
        let start = async |address: SocketAddr| {
            let serving = Serving {
                server: ServerLimits::default(),
                drain: Drain {
                    wait: Duration::from_millis(2_000),
                },
                ..Serving::default()
            };
            let limits = Limits {
                connections_per_person: 1_000,
                ..Limits::default()
            };
            let tokens = Arc::clone(&world.tokens);
            let redis = Some(redis.url());
            Served::at(address, &world.database, tokens, redis, (limits, serving)).await
        };
        let mut servers = [
            Some(start(addresses[0]).await),
            Some(start(addresses[1]).await),
        ];
        let balancer = Balancer::start(&addresses).await;
        let issued = world.tokens.issue(A.user(Who::Admin), A.tenant());
        let token = issued.expect("the key signs").token;

        let (stop_writing, stop_following) = (CancellationToken::new(), CancellationToken::new());
        let mut following = JoinSet::new();
        for _ in 0..SUBSCRIBERS {
            let begun = Arc::<tokio::sync::Notify>::default();
            let (url, token) = (balancer.url.clone(), token.clone());
            following.spawn(follow(
                url,
                token,
                Arc::clone(&begun),
                stop_following.clone(),
            ));
            // Each is told once where it begins; from then on it misses nothing.
            begun.notified().await;
        }
        let mut writing = JoinSet::new();
        for n in 1..=WRITERS {
            let (url, token) = (balancer.url.clone(), token.clone());
            writing.spawn(write(url, token, n, stop_writing.clone()));
        }
        for _ in 0..ROUNDS {
            for (place, address) in addresses.into_iter().enumerate() {
                tokio::time::sleep(Duration::from_millis(500)).await;
                servers[place].take().expect("it runs").stop().await;
                servers[place] = Some(start(address).await);
                balancer.has_both().await;
            }
        }
        stop_writing.cancel();
        let mut written = 0;
        while let Some(done) = writing.join_next().await {
            written += done.expect("no request fails");
        }
        assert!(written > WRITERS * 20, "{written} writes");
        tokio::time::sleep(Duration::from_secs(3)).await;
        stop_following.cancel();
        let mut superuser = world.database.superuser().await;
        let sql = "SELECT count(*) FROM events WHERE entity = 'opportunity' AND kind = 'UPDATED' AND tenant_id = $1";
        let logged: i64 = sqlx::query_scalar(sql)
            .bind(A.tenant())
            .fetch_one(&mut superuser)
            .await
            .expect("a count");
        assert_eq!(
            logged,
            i64::from(written),
            "every answered write was done once"
        );
        while let Some(got) = following.join_next().await {
            let got = got.expect("a subscriber");
            let distinct: BTreeSet<_> = got.iter().cloned().collect();
            assert_eq!(distinct.len(), got.len(), "none is doubled");
            assert_eq!(got.len() as i64, logged, "none is lost");
        }
        drop(balancer);
        for server in servers.into_iter().flatten() {
            server.stop().await;
        }
        redis.stop().await;
    });
}
