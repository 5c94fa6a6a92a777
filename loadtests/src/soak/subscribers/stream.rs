//! Subscribing over server-sent events: one operation per connection, resumed by the id of the last event.

use std::{collections::VecDeque, net::SocketAddr, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{Request, StatusCode, body::Incoming, client::conn::http1::handshake};
use hyper_util::rt::TokioIo;
use serde_json::{Value as Json, json};
use tokio::{net::TcpStream, task::AbortHandle, time::timeout};

use super::line::{Frame, Wanted};
use crate::Outcome;

const PATIENCE: Duration = Duration::from_secs(8);

pub(super) struct Stream {
    body: Incoming,
    connection: AbortHandle,
    operation: u64,
    buffer: Vec<u8>,
    ready: VecDeque<Frame>,
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

impl Stream {
    pub(super) async fn open(address: SocketAddr, token: &str, wanted: &Wanted) -> Outcome<Self> {
        let opened = timeout(PATIENCE, Self::ask(address, token, wanted));
        opened
            .await
            .map_err(|_| "the stream did not begin in time")?
    }

    async fn ask(address: SocketAddr, token: &str, wanted: &Wanted) -> Outcome<Self> {
        let stream = TcpStream::connect(address).await?;
        let (mut sender, connection) = handshake::<_, Full<Bytes>>(TokioIo::new(stream)).await?;
        let connection = tokio::spawn(connection).abort_handle();
        let mut variables = wanted.variables.clone();
        // A browser resumes by the header; the argument stays what it was at first.
        let resumed = variables["after"].take();
        let body = json!({ "query": wanted.document, "variables": variables }).to_string();
        let mut request = Request::post("/graphql")
            .header("host", address.to_string())
            .header("content-type", "application/json")
            .header("accept", "text/event-stream")
            .header("authorization", format!("Bearer {token}"));
        if let Some(id) = resumed.as_str() {
            request = request.header("last-event-id", id);
        }
        let response = sender
            .send_request(request.body(Full::new(body.into()))?)
            .await?;
        let status = response.status();
        let stream = Self {
            body: response.into_body(),
            connection,
            operation: wanted.operation,
            buffer: Vec::new(),
            ready: VecDeque::new(),
        };
        match status {
            StatusCode::OK => Ok(stream),
            _ => Err(format!("the stream was refused with {status}").into()),
        }
    }

    pub(super) async fn hear(&mut self) -> Frame {
        loop {
            if let Some(heard) = self.ready.pop_front() {
                return heard;
            }
            match self.body.frame().await {
                Some(Ok(frame)) => self.take(&frame.into_data().unwrap_or_default()),
                Some(Err(_)) | None => return Frame::Closed("cut".to_owned()),
            }
        }
    }

    fn take(&mut self, data: &[u8]) {
        self.buffer.extend_from_slice(data);
        while let Some(end) = memchr::memmem::find(&self.buffer, b"\n\n") {
            let event: Vec<u8> = self.buffer.drain(..end + 2).collect();
            let event = String::from_utf8_lossy(&event);
            self.ready.push_back(read(&event, self.operation));
        }
    }
}

fn read(event: &str, operation: u64) -> Frame {
    let field = |name: &str| {
        event
            .lines()
            .find_map(|line| line.strip_prefix(name))
            .map(str::trim)
    };
    match (
        field("event:"),
        field("data:").map(serde_json::from_str::<Json>),
    ) {
        (Some("next"), Some(Ok(mut answer))) => {
            // How it ends is an answer of errors alone.
            if answer.get("data").is_none() {
                return Frame::Failed(operation, answer["errors"][0].take());
            }
            let cursor = json_cursor(&answer);
            match field("id:") == cursor.as_deref() {
                true => Frame::Next(operation, answer),
                false => Frame::Closed(format!("the id is not the cursor of {answer}")),
            }
        }
        (Some("complete"), _) => Frame::Closed("completed".to_owned()),
        _ => Frame::Other,
    }
}

fn json_cursor(answer: &Json) -> Option<String> {
    let message = answer["data"].as_object()?.values().next()?;
    message["cursor"].as_str().map(str::to_owned)
}
