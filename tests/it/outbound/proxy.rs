//! A proxy that decides where requests go, as smokescreen does.

use dealgraph::platform::outbound::OutboundSettings;
use tokio::io::{AsyncWriteExt as _, copy_bidirectional};
use tokio::net::TcpStream;
use url::Url;

use super::{
    name_server::{NameServer, addresses},
    of, outcome,
    receiver::{Receiver, head},
    tls::Authority,
};

fn through(proxy: &Receiver, name_server: &NameServer) -> OutboundSettings {
    let address = format!("http://127.0.0.1:{}", proxy.port);
    OutboundSettings {
        proxy: Some(Url::parse(&address).expect("an address")),
        allows_loopback: false,
        name_servers: vec![name_server.address],
    }
}

#[tokio::test]
async fn with_a_proxy_all_is_asked_of_it_and_it_resolves() {
    let names = NameServer::start(|_, _| addresses(&["127.0.0.1"])).await;
    let proxy = Receiver::answering("HTTP/1.1 407 Refused By Policy\r\n\r\n").await;
    let outbound = of(through(&proxy, &names));
    for address in [
        "https://hooks.example.com/a",
        "https://hooks.example.com:8443/",
        "https://1.1.1.1/",
    ] {
        // What the proxy says about it is not the receiver's answer.
        assert_eq!(
            outcome(&outbound, address).await,
            "UNREACHABLE",
            "{address}"
        );
    }
    let asked: Vec<_> = proxy
        .heads()
        .iter()
        .map(|head| head.lines().next().unwrap_or_default().to_owned())
        .collect();
    assert_eq!(
        asked,
        [
            "CONNECT hooks.example.com:443 HTTP/1.1",
            "CONNECT hooks.example.com:8443 HTTP/1.1",
            "CONNECT 1.1.1.1:443 HTTP/1.1"
        ]
    );
    assert!(names.names().is_empty(), "nothing is resolved here");
}

#[tokio::test]
async fn what_is_refused_without_a_proxy_is_not_asked_of_one() {
    let names = NameServer::start(|_, _| addresses(&["127.0.0.1"])).await;
    let proxy = Receiver::counting().await;
    let outbound = of(through(&proxy, &names));
    for address in [
        "https://127.0.0.1/",
        "https://0x7f.1/",
        "https://[::ffff:10.0.0.1]/",
        "https://169.254.169.254/",
        "https://localhost/",
        "https://redis/",
        "https://metadata.google.internal/",
        "https://hooks.example.com:6379/",
    ] {
        assert_eq!(
            outcome(&outbound, address).await,
            "ADDRESS_REFUSED",
            "{address}"
        );
    }
    for address in [
        "http://hooks.example.com/",
        "https://u:p@hooks.example.com/",
    ] {
        assert_eq!(
            outcome(&outbound, address).await,
            "INVALID_URL",
            "{address}"
        );
    }
    assert_eq!(proxy.settled().await, 0);
}

#[tokio::test]
async fn tls_is_with_the_receiver_and_not_with_the_proxy() {
    let names = NameServer::start(|_, _| addresses(&[])).await;
    let receiver = Authority::new().server(&["hooks.example.com"], false).await;
    let port = receiver.port;
    // It leads to the receiver whatever it is asked for.
    let proxy = Receiver::start(move |mut stream| async move {
        head(&mut stream).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
        let mut there = TcpStream::connect(("127.0.0.1", port))
            .await
            .expect("it listens");
        let _ = copy_bidirectional(&mut stream, &mut there).await;
    })
    .await;
    let outbound = of(through(&proxy, &names));
    // The certificate is of an authority that is not known here, which only its receiver could show.
    assert_eq!(
        outcome(&outbound, "https://hooks.example.com/").await,
        "TLS"
    );
    assert_eq!((proxy.connections(), receiver.connections()), (1, 1));
}

#[tokio::test]
async fn a_proxy_that_is_away_is_not_gone_round() {
    let names = NameServer::start(|_, _| addresses(&["127.0.0.1"])).await;
    let settings = {
        let gone = Receiver::counting().await;
        through(&gone, &names)
    };
    tokio::task::yield_now().await;
    let receiver = Receiver::counting().await;
    let address = format!("https://hooks.example.com:{}/", receiver.port);
    assert_eq!(outcome(&of(settings), &address).await, "UNREACHABLE");
    assert_eq!(receiver.settled().await, 0);
}
