//! Tries are counted by all servers together, in Redis, and by each alone when Redis is away.

use std::{path::Path, time::Duration};

use dealgraph::{
    base::error::Error,
    platform::redis::{Counter, RedisAddress, Throttle},
    tools::dev::{
        DevError,
        datadir::{Contents, DataDir},
        redis::Redis,
    },
};
use futures_util::future::join_all;
use sha2::{Digest as _, Sha256};

use crate::harness::test;

async fn open_data() -> DataDir {
    for run in 0..16 {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("throttle-{run}"));
        match DataDir::open(&path, Contents::Fresh, &|_| {}).await {
            Err(DevError::InUse { .. }) => {}
            opened => return opened.expect("a data folder for RedisAddress"),
        }
    }
    panic!("too many test runs at the same time");
}

/// Waits until a server has found its Redis, which it does at its first use.
async fn warm(throttle: &Throttle, redis: &redis::Client) {
    let mut connection = redis
        .get_multiplexed_async_connection()
        .await
        .expect("Redis answers");
    for n in 0..200 {
        let counter = Counter::account("warm", &n.to_string());
        throttle.begin(&counter).await.expect("a first try");
        let keys: i64 = redis::cmd("DBSIZE")
            .query_async(&mut connection)
            .await
            .expect("a number");
        if keys > 0 {
            let _: () = redis::cmd("FLUSHALL")
                .query_async(&mut connection)
                .await
                .expect("emptied");
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("Redis is not used");
}

#[test]
fn servers_count_together_and_go_on_alone_from_what_they_know() {
    test(async |_| {
        let data = open_data().await;
        let redis = Redis::start(&data, &|_| {})
            .await
            .expect("a private Redis starts");
        let client = redis::Client::open(redis.url()).expect("an address");
        let servers = [
            Throttle::new(&RedisAddress::at(&redis.url())),
            Throttle::new(&RedisAddress::at(&redis.url())),
        ];
        for server in &servers {
            warm(server, &client).await;
        }
        let counter = Counter::account("sign-in", "ada@example.com");
        let tries = (0..40).map(|n: usize| servers[n % 2].begin(&counter));
        let begun = join_all(tries).await;
        assert_eq!(begun.iter().filter(|begun| begun.is_ok()).count(), 5);
        assert!(matches!(
            servers[0].begin(&counter).await,
            Err(Error::TooManyAttempts { retry_after_s: 1 })
        ));

        // The keys end by themselves, and hold no address.
        let mut connection = client
            .get_multiplexed_async_connection()
            .await
            .expect("Redis answers");
        let keys: Vec<String> = redis::cmd("KEYS")
            .arg("*")
            .query_async(&mut connection)
            .await
            .expect("keys");
        assert_eq!(keys.len(), 1);
        assert!(!keys[0].contains("ada") && keys[0].contains(":account:"));
        let left: i64 = redis::cmd("PTTL")
            .arg(&keys[0])
            .query_async(&mut connection)
            .await
            .expect("a time");
        assert!((3_500_000..3_700_000).contains(&left), "{left}");

        // Success on one server is success on all.
        servers[1].clear(&counter).await;
        for _ in 0..4 {
            servers[0].begin(&counter).await.expect("it begins anew");
        }
        let network = Counter::network("sign-in", [192, 0, 2, 1].into());
        for _ in 0..50 {
            servers[0].begin(&network).await.expect("no guess");
            servers[1].give_back(&network).await;
        }

        // At a steady pace: a burst for all servers together, and then one at a time.
        let everywhere = Counter::everywhere("sign-in", "ada@example.com");
        let tries = (0..40).map(|n: usize| servers[n % 2].begin(&everywhere));
        let begun = join_all(tries).await;
        assert_eq!(begun.iter().filter(|begun| begun.is_ok()).count(), 30);
        let Err(Error::TooManyAttempts { retry_after_s }) = servers[0].begin(&everywhere).await
        else {
            panic!("the burst is over")
        };
        assert!((300..=360).contains(&retry_after_s), "{retry_after_s}");
        assert!(servers[0].check(&everywhere).is_err(), "it is known here");
        servers[1].give_back(&everywhere).await;
        servers[0].begin(&everywhere).await.expect("one came back");
        assert!(servers[0].begin(&everywhere).await.is_err());
        let left: i64 = redis::cmd("PTTL")
            .arg(format!(
                "dealgraph:throttle:{{sign-in:everywhere:{:x}}}",
                Sha256::digest("ada@example.com")
            ))
            .query_async(&mut connection)
            .await
            .expect("a time");
        assert!((10_000_000..=10_800_000).contains(&left), "{left}");

        // A service that wants a pause from one server gets it from all, and the longer one counts.
        let service = Counter::steady("integration", "account", 10, Duration::from_secs(1));
        servers[1].begin(&service).await.expect("the first request");
        servers[0].hold(&service, Duration::from_secs(60)).await;
        servers[1].hold(&service, Duration::from_secs(5)).await;
        for server in &servers {
            let Err(Error::TooManyAttempts { retry_after_s }) = server.begin(&service).await else {
                panic!("it was to be left alone")
            };
            assert!((50..=60).contains(&retry_after_s), "{retry_after_s}");
        }

        redis.stop().await;
        assert!(
            servers[0].begin(&everywhere).await.is_err(),
            "the burst is not given anew by each server"
        );
        // The fifth try of all servers, and the wait after it.
        servers[0].begin(&counter).await.expect("the last free one");
        assert!(
            servers[0].begin(&counter).await.is_err(),
            "without Redis nobody gets in unasked"
        );
    });
}
