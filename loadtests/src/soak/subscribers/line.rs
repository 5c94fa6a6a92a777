//! A connection that subscriptions are delivered over, of either kind.

use std::net::SocketAddr;

use serde_json::Value as Json;

use super::{socket::Socket, stream::Stream};
use crate::Outcome;

/// A subscription that is asked for.
pub(super) struct Wanted {
    /// What it is called on its connection.
    pub(super) operation: u64,
    pub(super) document: String,
    pub(super) variables: Json,
}

/// What comes over a connection.
#[derive(Debug)]
pub(super) enum Frame {
    /// An answer of an operation.
    Next(u64, Json),
    /// An operation ended with an error.
    Failed(u64, Json),
    /// The connection ended.
    Closed(String),
    /// Signs of life.
    Other,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transport {
    Socket,
    /// One with little room, whose client now and then does not read.
    SlowSocket,
    Stream,
}

/// Dropped, it is cut without a word.
pub(super) enum Line {
    Socket(Box<Socket>),
    Stream(Box<Stream>),
}

impl Line {
    /// Connects and subscribes.
    pub(super) async fn open(
        transport: Transport,
        (address, token): (SocketAddr, &str),
        wanted: &[Wanted],
    ) -> Outcome<Self> {
        if transport == Transport::Stream {
            let only = wanted.first().ok_or("a stream is of something")?;
            let stream = Stream::open(address, token, only).await?;
            return Ok(Self::Stream(Box::new(stream)));
        }
        let is_narrow = transport == Transport::SlowSocket;
        let mut socket = Socket::open(address, token, is_narrow).await?;
        for one in wanted {
            socket.subscribe(one).await?;
        }
        Ok(Self::Socket(Box::new(socket)))
    }

    /// Subscribes once more; a stream can't, and is opened anew.
    pub(super) async fn subscribe(&mut self, wanted: &Wanted) -> Outcome<()> {
        match self {
            Self::Socket(socket) => socket.subscribe(wanted).await,
            Self::Stream(_) => Err("a stream has one operation".into()),
        }
    }

    pub(super) async fn hear(&mut self) -> Frame {
        match self {
            Self::Socket(socket) => socket.hear().await,
            Self::Stream(stream) => stream.hear().await,
        }
    }
}
