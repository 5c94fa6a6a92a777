//! The process that holds the sockets of a crowd: opens as many as it is asked for and hands out what they got.

use std::{net::SocketAddr, sync::Arc};

use serde_json::{Value as Json, json};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, stdin, stdout},
    task::JoinSet,
};

use super::{listener::Listener, sample, socket};
use crate::Outcome;

/// Sockets that are opened at the same time.
const OPENING: usize = 48;

/// Does what its input says until that ends.
pub(crate) async fn run() -> Outcome<()> {
    super::limits::raise_open_files()?;
    let mut orders = BufReader::new(stdin()).lines();
    let (mut listener, mut sockets) = (None, 0);
    while let Some(order) = orders.next_line().await? {
        let order: Json = serde_json::from_str(&order)?;
        let (line, bytes) = match (order["open"].as_u64(), &listener) {
            (Some(count), _) => {
                sockets = usize::try_from(count)?;
                let opened = open(&order, sockets).await.and_then(Listener::start);
                let failed = opened.as_ref().err().map(ToString::to_string);
                listener = opened.ok();
                (json!({ "failed": failed }), Vec::new())
            }
            (None, Some(listener)) => take(listener, sockets),
            (None, None) => return Err("no sockets are open".into()),
        };
        let mut out = stdout();
        out.write_all(format!("{line}\n").as_bytes()).await?;
        out.write_all(&bytes).await?;
        out.flush().await?;
    }
    // Nobody waits for farewells of ten thousand sockets.
    std::process::exit(0)
}

async fn open(order: &Json, count: usize) -> Outcome<Vec<std::net::TcpStream>> {
    let text = |value: &Json| value.as_str().unwrap_or_default().to_owned();
    let address: SocketAddr = text(&order["address"]).parse()?;
    let document: Arc<str> = text(&order["document"]).into();
    let tokens: Vec<Arc<str>> = order["tokens"]
        .as_array()
        .map(|tokens| tokens.iter().map(|token| text(token).into()).collect())
        .unwrap_or_default();
    let (mut opening, mut opened) = (JoinSet::new(), Vec::with_capacity(count));
    for n in 0..count {
        if opening.len() >= OPENING {
            opened.push(opening.join_next().await.ok_or("none is opening")???);
        }
        let (token, document) = (Arc::clone(&tokens[n % tokens.len()]), Arc::clone(&document));
        opening.spawn(async move {
            let stream = socket::open(address, &token, &document).await?;
            Outcome::Ok(stream.into_std()?)
        });
    }
    while let Some(stream) = opening.join_next().await {
        opened.push(stream??);
    }
    Ok(opened)
}

/// What all sockets got since the last time.
fn take(listener: &Listener, sockets: usize) -> (Json, Vec<u8>) {
    let heard = listener.take();
    let mut samples = vec![Vec::new(); sockets];
    for (number, sample) in heard.samples {
        samples[number].push(sample);
    }
    let bytes = sample::pack(&samples);
    let line = json!({
        "bytes": bytes.len(), "broken": heard.broken.len(), "why": heard.broken.first(), "message": heard.message,
    });
    (line, bytes)
}
