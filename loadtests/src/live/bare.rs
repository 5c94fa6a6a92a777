//! The physical limit of sending to many: a server that knows its sockets and nothing else. It writes what it is given
//! to each of them, with one task per processor, and looks at nothing that they say.

use std::{
    net::{Ipv4Addr, SocketAddr},
    thread::available_parallelism,
};

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader, stdin},
    net::{TcpListener, TcpStream},
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
};
use tokio_tungstenite::{
    accept_hdr_async_with_config,
    tungstenite::{
        Message, Utf8Bytes,
        handshake::server::{Request, Response},
        http::HeaderValue,
    },
};

use super::{
    helper::Helper,
    socket::{Frames, PROTOCOL, small_buffers},
};
use crate::Outcome;

static ACK: Utf8Bytes = Utf8Bytes::from_static(r#"{"type":"connection_ack"}"#);
static SYNCED: Utf8Bytes =
    Utf8Bytes::from_static(r#"{"id":"1","type":"next","payload":{"data":{"kind":"SYNCED"}}}"#);

/// The server as those who measure it see it.
pub(super) struct Bare {
    helper: Helper,
    pub(super) address: SocketAddr,
}

impl Bare {
    pub(super) async fn start() -> Outcome<Self> {
        let mut helper = Helper::start("bare-broadcast")?;
        let address = helper.line().await?.parse()?;
        Ok(Self { helper, address })
    }

    pub(super) fn pid(&self) -> u32 {
        self.helper.pid()
    }

    /// Has it send a message to all.
    pub(super) async fn broadcast(&mut self, message: &str) -> Outcome<()> {
        self.helper.say(message).await
    }

    pub(super) async fn end(self) -> Outcome<()> {
        self.helper.end().await
    }
}

/// Something for one of the tasks that write.
enum Work {
    Join(Box<Frames>),
    Broadcast(Utf8Bytes),
}

/// The process itself: prints its address, and sends each line that it reads to all sockets.
pub(crate) async fn run() -> Outcome<()> {
    super::limits::raise_open_files()?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    println!("{}", listener.local_addr()?);
    let writers: Vec<UnboundedSender<Work>> = (0..available_parallelism()?.get())
        .map(|_| {
            let (work, todo) = unbounded_channel();
            tokio::spawn(write(todo));
            work
        })
        .collect();
    let joining = writers.clone();
    tokio::spawn(async move {
        for writer in joining.iter().cycle() {
            let Ok((stream, _)) = listener.accept().await else {
                return;
            };
            let writer = writer.clone();
            tokio::spawn(async move {
                if let Ok(frames) = greet(stream).await {
                    _ = writer.send(Work::Join(Box::new(frames)));
                }
            });
        }
    });
    let mut orders = BufReader::new(stdin()).lines();
    while let Some(message) = orders.next_line().await? {
        let message = Utf8Bytes::from(message);
        for writer in &writers {
            _ = writer.send(Work::Broadcast(message.clone()));
        }
    }
    std::process::exit(0)
}

/// Takes whatever a client says first and second for the right thing.
#[expect(
    clippy::result_large_err,
    reason = "the library says what a refusal is"
)]
async fn greet(stream: TcpStream) -> Outcome<Frames> {
    stream.set_nodelay(true)?;
    let choose = |_: &Request, mut response: Response| {
        let headers = response.headers_mut();
        headers.insert("sec-websocket-protocol", HeaderValue::from_static(PROTOCOL));
        Ok(response)
    };
    let mut frames = accept_hdr_async_with_config(stream, choose, Some(small_buffers())).await?;
    frames.next().await.ok_or("gone")??;
    frames.send(Message::Text(ACK.clone())).await?;
    frames.next().await.ok_or("gone")??;
    Ok(frames)
}

async fn write(mut todo: UnboundedReceiver<Work>) {
    let mut sockets: Vec<Frames> = Vec::new();
    while let Some(work) = todo.recv().await {
        match work {
            Work::Join(mut frames) => {
                _ = frames.send(Message::Text(SYNCED.clone())).await;
                sockets.push(*frames);
            }
            Work::Broadcast(message) => {
                for frames in &mut sockets {
                    _ = frames.send(Message::Text(message.clone())).await;
                }
            }
        }
    }
}
