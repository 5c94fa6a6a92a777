//! Connections that say nothing, or say it slowly, are closed. The stock server keeps them for ever.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc, time::Duration};

use dealgraph::{
    api::{
        Api, ApiParts, CacheSettings, Outward, Plans, Spending, http::Origins, limits::Limits,
        live::Sources, router,
    },
    db::journal::Recorder,
    events::Hub,
    integrations::{accounts::Connector, provider::Providers},
    organization::webhooks::RendererHandle,
    platform::{
        redis::{DocumentStore, RedisAddress},
        server::{ServerLimits, serve},
        telemetry::metrics::{ConnectionMetrics, Metrics},
    },
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use tokio_util::sync::CancellationToken;

use super::child::PATIENCE;
use crate::harness::{World, outbound_here, test};

#[test]
fn a_connection_that_does_not_get_to_the_point_is_closed() {
    test(async |world: &World| {
        let brief = Duration::from_millis(50);
        let limits = ServerLimits {
            header_timeout: brief,
            idle_timeout: brief,
            write_timeout: brief,
            ..ServerLimits::default()
        };
        let stop = CancellationToken::new();
        let plans = Plans::new(
            Limits {
                timeout: brief,
                ..Limits::default()
            },
            &BTreeMap::new(),
        );
        let api = Arc::new(Api::new(parts(world, Arc::new(plans))));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let server = tokio::spawn(serve(
            listener,
            router(api),
            limits,
            ConnectionMetrics::default(),
            stop.clone().into(),
        ));

        let head = "POST /graphql HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n";
        assert_eq!(said_before_closing(address, "").await, "", "silence");
        assert_eq!(said_before_closing(address, "P").await, "", "a letter");
        assert_eq!(said_before_closing(address, head).await, "", "half a head");
        let slow_body =
            said_before_closing(address, &format!("{head}content-length: 10\r\n\r\n{{")).await;
        assert!(slow_body.starts_with("HTTP/1.1 408 "), "{slow_body}");
        let idle = said_before_closing(
            address,
            &format!("{head}content-length: 24\r\n\r\n{{\"query\":\"{{__typename}}\"}}"),
        )
        .await;
        assert!(idle.starts_with("HTTP/1.1 200 "), "{idle}");

        stop.cancel();
        server.await.expect("no panic").expect("it ends well");
    });
}

/// All that the server says until it closes the connection.
async fn said_before_closing(address: SocketAddr, sent: &str) -> String {
    let mut stream = TcpStream::connect(address)
        .await
        .expect("the server listens");
    stream
        .write_all(sent.as_bytes())
        .await
        .expect("the server takes it");
    let mut said = Vec::new();
    let ended = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut said)).await;
    _ = ended.expect("the server closes it");
    String::from_utf8_lossy(&said).into_owned()
}

/// An API without Redis and without a cache.
fn parts(world: &World, plans: Arc<Plans>) -> ApiParts {
    let connector = Connector::new(
        world.db.clone(),
        Providers::default(),
        outbound_here(),
        world.accounts.throttle.clone(),
        Arc::clone(&world.accounts.vault),
    );
    let metrics = Arc::<Metrics>::default();
    let hub = Hub::new(
        world.db.clone(),
        RedisAddress::none(),
        Arc::clone(&metrics),
        7,
    );
    let sources = Sources {
        hub: Arc::new(hub),
        presences: Arc::default(),
        metrics,
        heartbeat: Duration::from_secs(25),
    };
    ApiParts {
        db: world.db.clone(),
        tokens: Arc::clone(&world.tokens),
        recorder: Recorder::start(world.db.clone()).0,
        accounts: Arc::clone(&world.accounts),
        sources,
        spending: Spending::new(Arc::clone(&plans), &RedisAddress::none()),
        plans,
        cache: CacheSettings {
            entries: None,
            from_points: 1,
        },
        registered: DocumentStore::new(&RedisAddress::none()),
        trusted: Arc::default(),
        origins: Origins::default(),
        outward: Outward {
            outbound: outbound_here(),
            renderer: RendererHandle::default(),
            connector: Arc::new(connector),
        },
    }
}
