//! A server that counts who connects and says what the test wants.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// The server. It ends with the value.
pub(super) struct Receiver {
    pub(super) port: u16,
    /// Whether it is reached by IPv6 too.
    pub(super) is_dual: bool,
    connections: Arc<AtomicUsize>,
    own: AtomicUsize,
    heads: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

impl Receiver {
    /// Has each connection in a conversation of its own, on all addresses of this machine.
    pub(super) async fn start<F>(converse: impl Fn(TcpStream) -> F + Send + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let dual = TcpListener::bind("[::]:0").await;
        let is_dual = dual.is_ok();
        let listener = match dual {
            Ok(listener) => listener,
            Err(_) => TcpListener::bind("0.0.0.0:0").await.expect("a free port"),
        };
        let port = listener.local_addr().expect("an address").port();
        let connections = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&connections);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(converse(stream));
            }
        });
        Self {
            port,
            is_dual,
            connections,
            own: AtomicUsize::new(0),
            heads: Arc::default(),
            task,
        }
    }

    /// Answers each request with these bytes, and hangs up.
    pub(super) async fn answering(bytes: impl Into<Vec<u8>>) -> Self {
        let bytes: Arc<[u8]> = bytes.into().into();
        let heads = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&heads);
        let mut receiver = Self::start(move |mut stream| {
            let (bytes, seen) = (Arc::clone(&bytes), Arc::clone(&seen));
            async move {
                let head = head(&mut stream).await;
                seen.lock().unwrap().push(head);
                let _ = stream.write_all(&bytes).await;
                let _ = stream.shutdown().await;
            }
        })
        .await;
        receiver.heads = heads;
        receiver
    }

    /// One that only has to be reached to be wrong.
    pub(super) async fn counting() -> Self {
        Self::answering("HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n").await
    }

    /// How many have connected.
    pub(super) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// How many have connected, beside this itself. Connections are accepted in their order, so all that were made before are
    /// counted when it has its answer, which only servers have that answer.
    pub(super) async fn settled(&self) -> usize {
        let address = SocketAddr::from(([127, 0, 0, 1], self.port));
        let mut last = TcpStream::connect(address).await.expect("it listens");
        last.write_all(b"GET / HTTP/1.1\r\n\r\n")
            .await
            .expect("it listens");
        last.read_to_end(&mut Vec::new()).await.expect("an answer");
        let own = self.own.fetch_add(1, Ordering::SeqCst) + 1;
        self.connections() - own
    }

    /// The heads of the requests that [`Self::answering`] has read.
    pub(super) fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Reads the head of a request, or the first byte of what is none, such as a beginning of TLS.
pub(super) async fn head(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => break,
        }
        if !head[0].is_ascii_alphabetic() {
            break;
        }
    }
    String::from_utf8_lossy(&head).into_owned()
}
