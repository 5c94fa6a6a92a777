//! A TCP proxy that spoils the wire between a server and what it stands on.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpListener, TcpStream, UnixStream},
    sync::watch,
    task::JoinHandle,
    time::sleep,
};

use crate::Outcome;

/// How much is passed on at a time.
const CHUNK: usize = 16 << 10;

/// What the wire does with bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Passage {
    /// They go through.
    Through,
    /// They take so long, each way.
    Delayed(Duration),
    /// They arrive in pieces of so many.
    Sliced(usize),
    /// They go nowhere, and nobody is told: they arrive when the wire is whole again, as TCP sends them once more.
    BlackHole,
}

#[derive(Debug, Clone, Copy)]
struct State {
    passage: Passage,
    /// How often all connections were cut.
    cuts: u64,
}

/// A proxy that listens until it is dropped.
pub(crate) struct Proxy {
    address: SocketAddr,
    state: watch::Sender<State>,
    listening: JoinHandle<()>,
}

impl Proxy {
    /// Listens in front of a socket.
    pub(crate) async fn start(upstream: PathBuf) -> Outcome<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let (state, seen) = watch::channel(State {
            passage: Passage::Through,
            cuts: 0,
        });
        let listening = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(join(client, upstream.clone(), seen.clone()));
            }
        });
        Ok(Self {
            address,
            state,
            listening,
        })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Has all bytes pass in another way from now on.
    pub(crate) fn set(&self, passage: Passage) {
        self.state.send_modify(|state| state.passage = passage);
    }

    /// Cuts all connections that there are, in the middle of what they are saying.
    pub(crate) fn cut(&self) {
        self.state.send_modify(|state| state.cuts += 1);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.listening.abort();
        self.cut();
    }
}

/// Passes a connection on until one side ends it, or it is cut.
async fn join(client: TcpStream, upstream: PathBuf, state: watch::Receiver<State>) {
    let mut until_cut = state.clone();
    let cuts = until_cut.borrow().cuts;
    let passing = async {
        // As a service that is gone: the connection is taken and closed.
        let server = UnixStream::connect(upstream).await?;
        client.set_nodelay(true)?;
        let (from_client, to_client) = client.into_split();
        let (from_server, to_server) = server.into_split();
        tokio::try_join!(
            pass(from_client, to_server, state.clone()),
            pass(from_server, to_client, state),
        )
    };
    tokio::select! {
        _ = passing => {}
        _ = until_cut.wait_for(|state| state.cuts > cuts) => {}
    }
}

async fn pass(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut state: watch::Receiver<State>,
) -> std::io::Result<()> {
    let mut chunk = vec![0; CHUNK];
    loop {
        let count = from.read(&mut chunk).await?;
        if count == 0 {
            return to.shutdown().await;
        }
        let is_open = |state: &State| state.passage != Passage::BlackHole;
        let Ok(passage) = state.wait_for(is_open).await.map(|state| state.passage) else {
            return Ok(());
        };
        let bytes = &chunk[..count];
        match passage {
            Passage::Delayed(time) => {
                sleep(time).await;
                to.write_all(bytes).await?;
            }
            Passage::Sliced(size) => {
                for piece in bytes.chunks(size) {
                    to.write_all(piece).await?;
                    // The other side has read it before the next comes.
                    tokio::task::yield_now().await;
                }
            }
            Passage::Through | Passage::BlackHole => to.write_all(bytes).await?,
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::{net::UnixListener, time::timeout};

    use super::*;

    const MOMENT: Duration = Duration::from_millis(200);

    /// A proxy in front of a server that says what it hears.
    async fn echo(name: &str) -> Proxy {
        let socket = std::env::temp_dir().join(format!("wire-{}-{name}", std::process::id()));
        _ = std::fs::remove_file(&socket);
        let listener = UnixListener::bind(&socket).unwrap();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let (mut from, mut to) = stream.into_split();
                    tokio::io::copy(&mut from, &mut to).await
                });
            }
        });
        Proxy::start(socket).await.unwrap()
    }

    async fn say(stream: &mut TcpStream) -> std::io::Result<usize> {
        stream.write_all(b"hello").await?;
        stream.read_exact(&mut [0; 5]).await
    }

    #[tokio::test]
    async fn bytes_pass_whole_in_every_way() {
        let proxy = echo("whole").await;
        let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
        for passage in [
            Passage::Through,
            Passage::Sliced(2),
            Passage::Delayed(Duration::from_millis(5)),
        ] {
            proxy.set(passage);
            assert_eq!(say(&mut stream).await.unwrap(), 5, "{passage:?}");
        }
    }

    #[tokio::test]
    async fn a_black_hole_says_nothing_and_loses_nothing() {
        let proxy = echo("hole").await;
        let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
        proxy.set(Passage::BlackHole);
        stream.write_all(b"hello").await.unwrap();
        let mut heard = [0; 5];
        let waited = timeout(MOMENT, stream.read_exact(&mut heard)).await;
        waited.expect_err("nothing comes through");
        proxy.set(Passage::Through);
        let waited = timeout(MOMENT * 10, stream.read_exact(&mut heard)).await;
        waited.expect("it comes now").unwrap();
        assert_eq!(&heard, b"hello");
    }

    #[tokio::test]
    async fn a_cut_ends_those_that_are_there_and_none_that_come() {
        let proxy = echo("cut").await;
        let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
        say(&mut stream).await.unwrap();
        proxy.cut();
        let heard = timeout(MOMENT * 10, stream.read(&mut [0; 5])).await;
        assert!(matches!(heard.unwrap(), Ok(0) | Err(_)), "it is cut");
        let mut next = TcpStream::connect(proxy.address()).await.unwrap();
        say(&mut next).await.unwrap();
    }
}
