//! Names that lead inside, always, sometimes or among others, told by a name server that is really asked.

use std::time::{Duration, Instant};

use dealgraph::platform::outbound::SendError;

use super::{
    NOWHERE, asking, is_nowhere,
    name_server::{NameServer, Reply, addresses},
    outcome, post,
    receiver::Receiver,
};

const NAME: &str = "hooks.example.com";

#[tokio::test]
async fn a_name_that_leads_inside_is_refused_and_its_addresses_are_not_told() {
    let server = Receiver::counting().await;
    for inside in [
        ["127.0.0.1", "::1"],
        ["127.8.9.10", "::ffff:127.0.0.1"],
        ["0.0.0.0", "::"],
        ["10.0.0.1", "fd00::1"],
        ["172.31.255.255", "fe80::1"],
        ["192.168.0.1", "::127.0.0.1"],
        ["169.254.169.254", "fd00:ec2::254"],
        ["100.64.0.1", "64:ff9b::7f00:1"],
        ["198.18.0.1", "2002:7f00:1::"],
        ["255.255.255.255", "ff02::1"],
    ] {
        let names = NameServer::start(move |_, _| addresses(&inside)).await;
        let address = format!("https://{NAME}:{}/", server.port);
        let outbound = asking(names.address, false);
        assert!(outbound.check(&address).is_ok(), "nothing is resolved yet");
        let sent = outbound.send(post(&address)).await;
        let Err(SendError::Refused(refused)) = sent else {
            panic!("{inside:?}: {sent:?}");
        };
        assert_eq!(refused.code, "ADDRESS_REFUSED");
        assert!(inside.iter().all(|inner| !refused.message.contains(inner)));
        assert!(names.rounds() > 0, "the name server was asked");
    }
    assert_eq!(server.settled().await, 0);
}

#[tokio::test]
async fn a_name_that_leads_inside_reaches_the_server_where_that_is_allowed() {
    let server = Receiver::counting().await;
    let names = NameServer::start(|_, _| addresses(&["127.0.0.1"])).await;
    let address = format!("https://{NAME}:{}/", server.port);
    assert_eq!(outcome(&asking(names.address, true), &address).await, "TLS");
    assert_eq!(server.settled().await, 1);
}

#[tokio::test]
async fn of_mixed_answers_only_public_addresses_are_tried() {
    let server = Receiver::counting().await;
    let mixed = ["127.0.0.1", "10.0.0.1", "::1", NOWHERE];
    let names = NameServer::start(move |_, _| addresses(&mixed)).await;
    let address = format!("https://{NAME}:{}/", server.port);
    for _ in 0..3 {
        let outcome = outcome(&asking(names.address, false), &address).await;
        assert!(is_nowhere(&outcome), "{outcome}");
    }
    assert_eq!(server.settled().await, 0);
    assert_eq!(outcome(&asking(names.address, true), &address).await, "TLS");
}

#[tokio::test]
async fn an_alias_of_an_inner_name_is_judged_by_its_addresses() {
    let server = Receiver::counting().await;
    let names = NameServer::start(|_, _| {
        Reply::Alias("redis.crm.svc.cluster.local", vec![[127, 0, 0, 1].into()])
    })
    .await;
    let address = format!("https://{NAME}:{}/", server.port);
    let refused = outcome(&asking(names.address, false), &address).await;
    assert_eq!(refused, "ADDRESS_REFUSED");
    assert_eq!(server.settled().await, 0);
    assert_eq!(outcome(&asking(names.address, true), &address).await, "TLS");
}

#[tokio::test]
async fn a_name_that_turns_inside_after_it_was_checked_wins_nothing() {
    let server = Receiver::counting().await;
    // Public at first, and this machine whenever it is asked for again, which it may be at once.
    let names = NameServer::start(|_, round| match round {
        0 => addresses(&[NOWHERE]),
        _ => addresses(&["127.0.0.1", "::1"]),
    })
    .await;
    let outbound = asking(names.address, false);
    let address = format!("https://{NAME}:{}/", server.port);
    let first = outcome(&outbound, &address).await;
    assert!(is_nowhere(&first), "{first}");
    assert_eq!(
        names.rounds(),
        1,
        "what was checked is what is connected to"
    );
    for round in 2..6 {
        assert_eq!(outcome(&outbound, &address).await, "ADDRESS_REFUSED");
        assert_eq!(names.rounds(), round);
    }
    assert_eq!(server.settled().await, 0);
    assert_eq!(outcome(&asking(names.address, true), &address).await, "TLS");
}

#[tokio::test]
async fn names_are_asked_for_as_they_are() {
    let names = NameServer::start(|_, _| Reply::Unknown).await;
    let outbound = asking(names.address, false);
    for host in ["hooks.example.com", "HOOKS.example.com."] {
        let address = format!("https://{host}/");
        assert_eq!(outcome(&outbound, &address).await, "UNRESOLVED");
    }
    let asked = names.names();
    assert!(
        !asked.is_empty() && asked.iter().all(|name| name == NAME),
        "{asked:?}"
    );
    let before = asked.len();
    for inner in ["redis", "kubernetes.default.svc.cluster.local", "localhost"] {
        let address = format!("https://{inner}/");
        assert_eq!(outcome(&outbound, &address).await, "ADDRESS_REFUSED");
    }
    assert_eq!(names.names().len(), before, "nobody was asked for these");
}

#[tokio::test]
async fn a_name_server_that_does_not_answer_takes_no_longer_than_the_deadline() {
    let names = NameServer::start(|_, _| Reply::Silence).await;
    let outbound = asking(names.address, false);
    let mut request = post(&format!("https://{NAME}/"));
    request.deadline = Duration::from_millis(500);
    let began = Instant::now();
    let sent = outbound.send(request).await;
    assert_eq!(sent.expect_err("no answer"), SendError::TimedOut);
    assert!(
        began.elapsed() < Duration::from_millis(1_500),
        "{:?}",
        began.elapsed()
    );
}
