//! A thread that reads thousands of sockets as cheaply as the system lets it.
//!
//! The sockets of a crowd share the machine with the server that is measured, and whatever time they take it does not have.
//! A task with buffers of its own for each of them, as a library gives, took as long as the server did; in a company they are
//! on ten thousand other machines.

use std::{
    io::{Cursor, ErrorKind, Read as _, Write as _},
    ops::Range,
    sync::{Arc, Mutex, PoisonError},
    thread,
};

use mio::{Events, Interest, Poll, Token, net::TcpStream};
use tokio_tungstenite::tungstenite::protocol::frame::{
    Frame, FrameHeader,
    coding::{Control, Data, OpCode},
};

use super::{
    sample::{Sample, now},
    socket::event,
};
use crate::Outcome;

/// Sockets that are looked at between two questions for more.
const AT_ONCE: usize = 256;
/// Bytes that are read at a time.
const BUFFER: usize = 64 * 1024;

/// What came out of sockets.
#[derive(Debug, Default)]
pub(super) struct Collected {
    /// Which socket received what.
    pub(super) samples: Vec<(usize, Sample)>,
    /// Why nothing comes, of each that is broken.
    pub(super) broken: Vec<String>,
    /// A message as it came.
    pub(super) message: Option<String>,
}

/// The thread. It ends with the process.
pub(super) struct Listener {
    heard: Arc<Mutex<Collected>>,
}

impl Listener {
    /// Reads sockets that have subscribed.
    ///
    /// # Errors
    /// When the system can't watch so many.
    pub(super) fn start(streams: Vec<std::net::TcpStream>) -> Outcome<Self> {
        let poll = Poll::new()?;
        let mut sockets = Vec::with_capacity(streams.len());
        for stream in streams {
            let mut stream = TcpStream::from_std(stream);
            let token = Token(sockets.len());
            poll.registry()
                .register(&mut stream, token, Interest::READABLE)?;
            let begun = Vec::new();
            sockets.push(Some(Socket { stream, begun }));
        }
        let heard = Arc::default();
        let noted = Arc::clone(&heard);
        thread::spawn(move || listen(poll, sockets, &noted));
        Ok(Self { heard })
    }

    /// What came since the last time; what broke, since the beginning.
    pub(super) fn take(&self) -> Collected {
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        Collected {
            samples: std::mem::take(&mut heard.samples),
            broken: heard.broken.clone(),
            message: heard.message.clone(),
        }
    }
}

fn listen(mut poll: Poll, mut sockets: Vec<Option<Socket>>, heard: &Mutex<Collected>) {
    let (mut events, mut buffer) = (Events::with_capacity(AT_ONCE), vec![0; BUFFER]);
    loop {
        let mut news = Collected::default();
        let polled = poll.poll(&mut events, None);
        let failed = polled
            .err()
            .filter(|error| error.kind() != ErrorKind::Interrupted);
        news.broken.extend(failed.map(|error| error.to_string()));
        for event in &events {
            let Token(number) = event.token();
            let Some(socket) = &mut sockets[number] else {
                continue;
            };
            let mut note = |sample, text: &str| {
                news.samples.push((number, sample));
                news.message.get_or_insert_with(|| text.to_owned());
            };
            if let Err(why) = socket.hear(event.is_read_closed(), &mut buffer, &mut note) {
                news.broken.push(why.to_string());
                sockets[number] = None;
            }
        }
        let mut heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.samples.append(&mut news.samples);
        heard.broken.append(&mut news.broken);
        heard.message = heard.message.take().or(news.message);
    }
}

struct Socket {
    stream: TcpStream,
    /// A frame of which the end has not come yet.
    begun: Vec<u8>,
}

impl Socket {
    /// Reads all that has come, to the end if there is one: the system does not signal that again.
    fn hear(
        &mut self,
        has_ended: bool,
        buffer: &mut [u8],
        note: &mut impl FnMut(Sample, &str),
    ) -> Outcome<()> {
        loop {
            let read = match self.stream.read(buffer) {
                Ok(0) => return Err("it ended".into()),
                Ok(read) => read,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error.into()),
            };
            let at = now();
            // Nearly always a whole frame, which is understood where it lies.
            if self.begun.is_empty() {
                let used = self.understand(&buffer[..read], at, note)?;
                self.begun.extend(&buffer[used..read]);
            } else {
                let mut begun = std::mem::take(&mut self.begun);
                begun.extend(&buffer[..read]);
                let used = self.understand(&begun, at, note)?;
                self.begun = begun.split_off(used);
            }
            // Less than there was room for is all there was, and the system signals what comes next.
            if read < buffer.len() && !has_ended {
                return Ok(());
            }
        }
    }

    /// Notes what whole frames say; answers how many bytes they were.
    fn understand(
        &mut self,
        bytes: &[u8],
        at: i64,
        note: &mut impl FnMut(Sample, &str),
    ) -> Outcome<usize> {
        let mut used = 0;
        while let Some((opcode, payload)) = frame(&bytes[used..])? {
            let payload = used + payload.start..used + payload.end;
            used = payload.end;
            match opcode {
                OpCode::Data(Data::Text) => {
                    let text = str::from_utf8(&bytes[payload])?;
                    if let Some(seq) = event(text)? {
                        note(Sample { seq, at }, text);
                    }
                }
                OpCode::Control(Control::Ping) => self.pong(&bytes[payload])?,
                OpCode::Control(Control::Pong) => {}
                other => return Err(format!("{other} came").into()),
            }
        }
        Ok(used)
    }

    fn pong(&mut self, payload: &[u8]) -> Outcome<()> {
        let mut pong = Frame::pong(payload.to_vec());
        pong.header_mut().mask = Some([0; 4]);
        let mut bytes = Vec::new();
        pong.format(&mut bytes)?;
        Ok(self.stream.write_all(&bytes)?)
    }
}

/// What the first frame is, and where its payload lies; `None` while part of it has not come.
fn frame(bytes: &[u8]) -> Outcome<Option<(OpCode, Range<usize>)>> {
    let mut cursor = Cursor::new(bytes);
    let Some((header, length)) = FrameHeader::parse(&mut cursor)? else {
        return Ok(None);
    };
    let start = usize::try_from(cursor.position())?;
    let end = start + usize::try_from(length)?;
    let is_plain = header.is_final && header.mask.is_none();
    match is_plain {
        true => Ok((end <= bytes.len()).then_some((header.opcode, start..end))),
        false => Err("a frame came in parts or masked".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(seq: i64) -> Vec<u8> {
        let text =
            format!(r#"{{"id":"1","payload":{{"data":{{"e":{{"cursor":"00ff.{seq}"}}}}}}}}"#);
        let mut bytes = Vec::new();
        let frame = Frame::message(text, OpCode::Data(Data::Text), true);
        frame.format(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn frames_are_read_however_they_are_cut() {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let stream = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        let mut socket = Socket {
            stream: TcpStream::from_std(stream),
            begun: Vec::new(),
        };
        let mut ping = Vec::new();
        Frame::ping(vec![7]).format(&mut ping).unwrap();
        let bytes = [message(1), message(22), ping, message(333), message(4)].concat();
        for size in [1, 2, 50, bytes.len()] {
            let mut seqs = Vec::new();
            for part in bytes.chunks(size) {
                server.write_all(part).unwrap();
                // By a buffer that is smaller than most parts.
                let mut note = |sample: Sample, _: &str| seqs.push(sample.seq);
                socket.hear(false, &mut [0; 40], &mut note).unwrap();
            }
            assert_eq!(seqs, [1, 22, 333, 4], "in parts of {size}");
            let mut pong = [0; 7];
            server.read_exact(&mut pong).unwrap();
            assert_eq!(pong, [0x8a, 0x81, 0, 0, 0, 0, 7]);
        }
        server.write_all(&message(5)).unwrap();
        drop(server);
        let mut seqs = Vec::new();
        let ended = socket.hear(true, &mut [0; 400], &mut |sample, _| seqs.push(sample.seq));
        assert!(ended.is_err() && seqs == [5], "{seqs:?}");
    }
}
