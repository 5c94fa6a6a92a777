//! The process that holds the sockets of a crowd: opens as many as it is told and hands out what they got.

use std::{net::SocketAddr, sync::Arc};

use serde_json::{Value as Json, json};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, stdin, stdout},
    task::JoinSet,
};

use super::{
    sample,
    socket::{self, Log},
};
use crate::Outcome;

/// Sockets that are opened at the same time.
const OPENING: usize = 48;

/// Does what it is told until nothing more comes.
pub(crate) async fn run() -> Outcome<()> {
    super::limits::raise_open_files()?;
    let mut orders = BufReader::new(stdin()).lines();
    let mut logs: Vec<Arc<Log>> = Vec::new();
    while let Some(order) = orders.next_line().await? {
        let order: Json = serde_json::from_str(&order)?;
        let (line, bytes) = match order["open"].as_u64() {
            Some(count) => {
                let failed = match open(&order, usize::try_from(count)?).await {
                    Ok(opened) => {
                        logs.extend(opened);
                        None
                    }
                    Err(error) => Some(error.to_string()),
                };
                (json!({ "failed": failed }), Vec::new())
            }
            None => take(&logs),
        };
        let mut out = stdout();
        out.write_all(format!("{line}\n").as_bytes()).await?;
        out.write_all(&bytes).await?;
        out.flush().await?;
    }
    // Nobody waits for farewells of ten thousand sockets.
    std::process::exit(0)
}

async fn open(order: &Json, count: usize) -> Outcome<Vec<Arc<Log>>> {
    let text = |value: &Json| value.as_str().unwrap_or_default().to_owned();
    let address: SocketAddr = text(&order["address"]).parse()?;
    let document: Arc<str> = text(&order["document"]).into();
    let tokens: Vec<Arc<str>> = order["tokens"]
        .as_array()
        .map(|tokens| tokens.iter().map(|token| text(token).into()).collect())
        .unwrap_or_default();
    let (mut opening, mut logs) = (JoinSet::new(), Vec::with_capacity(count));
    for n in 0..count {
        if opening.len() >= OPENING {
            opening.join_next().await.ok_or("none is opening")???;
        }
        let (token, document) = (Arc::clone(&tokens[n % tokens.len()]), Arc::clone(&document));
        let log = Arc::new(Log::default());
        logs.push(Arc::clone(&log));
        opening.spawn(async move {
            let frames = socket::open(address, &token, &document).await?;
            tokio::spawn(socket::listen(frames, log));
            Outcome::Ok(())
        });
    }
    while let Some(opened) = opening.join_next().await {
        opened??;
    }
    Ok(logs)
}

/// What all sockets got since the last time.
fn take(logs: &[Arc<Log>]) -> (Json, Vec<u8>) {
    let samples: Vec<_> = logs
        .iter()
        .map(|log| std::mem::take(&mut *log.samples()))
        .collect();
    let broken: Vec<&String> = logs.iter().filter_map(|log| log.broken.get()).collect();
    let message = logs.first().and_then(|log| log.message.get());
    let bytes = sample::pack(&samples);
    let line = json!({
        "bytes": bytes.len(), "broken": broken.len(), "why": broken.first(), "message": message,
    });
    (line, bytes)
}
