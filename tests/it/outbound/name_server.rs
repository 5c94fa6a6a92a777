//! A name server that answers as the test wants, by UDP, and remembers what it was asked.

use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex},
};

use tokio::{net::UdpSocket, task::JoinHandle};

const A: u16 = 1;
const CNAME: u16 = 5;
const AAAA: u16 = 28;

/// What it answers about a name.
#[derive(Clone)]
pub(super) enum Reply {
    /// These addresses, for no longer than this answer.
    Addresses(Vec<IpAddr>),
    /// Another name, and the addresses of that.
    Alias(&'static str, Vec<IpAddr>),
    /// There is no such name.
    Unknown,
    /// Nothing at all.
    Silence,
}

/// Addresses as they are written.
pub(super) fn addresses(texts: &[&str]) -> Reply {
    let parsed = texts.iter().map(|text| text.parse().expect("an address"));
    Reply::Addresses(parsed.collect())
}

/// The name server. It ends with the value.
pub(super) struct NameServer {
    pub(super) address: SocketAddr,
    asked: Arc<Mutex<Vec<(String, u16)>>>,
    task: JoinHandle<()>,
}

impl NameServer {
    /// Answers by the name, and by how often it was asked for addresses of the same kind before.
    pub(super) async fn start(reply: impl Fn(&str, usize) -> Reply + Send + 'static) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a free port");
        let address = socket.local_addr().expect("an address");
        let asked = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&asked);
        let task = tokio::spawn(async move {
            let mut rounds = HashMap::new();
            let mut message = [0; 4_096];
            while let Ok((length, client)) = socket.recv_from(&mut message).await {
                let Some(question) = Question::read(&message[..length]) else {
                    continue;
                };
                let key = (question.name.to_lowercase(), question.kind);
                noted.lock().unwrap().push(key.clone());
                let round = rounds.entry(key).or_insert(0);
                let reply = reply(&question.name.to_lowercase(), *round);
                *round += 1;
                if let Some(answer) = question.answer(&message[..length], &reply) {
                    let _ = socket.send_to(&answer, client).await;
                }
            }
        });
        Self {
            address,
            asked,
            task,
        }
    }

    /// The names it was asked for.
    pub(super) fn names(&self) -> Vec<String> {
        let asked = self.asked.lock().unwrap();
        asked.iter().map(|(name, _)| name.clone()).collect()
    }

    /// How often it was asked for addresses of IPv4.
    pub(super) fn rounds(&self) -> usize {
        let asked = self.asked.lock().unwrap();
        asked.iter().filter(|(_, kind)| *kind == A).count()
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The question of a message (RFC 1035, section 4).
struct Question {
    name: String,
    kind: u16,
    /// Where the message's question ends.
    end: usize,
}

impl Question {
    fn read(message: &[u8]) -> Option<Self> {
        let mut labels = Vec::new();
        let mut at = 12;
        loop {
            let length = usize::from(*message.get(at)?);
            at += 1;
            if length == 0 {
                break;
            }
            let label = message.get(at..at + length)?;
            labels.push(String::from_utf8_lossy(label).into_owned());
            at += length;
        }
        let kind = u16::from_be_bytes(message.get(at..at + 2)?.try_into().ok()?);
        Some(Self {
            name: labels.join("."),
            kind,
            end: at + 4,
        })
    }

    fn answer(&self, message: &[u8], reply: &Reply) -> Option<Vec<u8>> {
        let (alias, found) = match reply {
            Reply::Silence => return None,
            Reply::Unknown => (None, [].as_slice()),
            Reply::Addresses(found) => (None, found.as_slice()),
            Reply::Alias(name, found) => (Some(*name), found.as_slice()),
        };
        let code = if matches!(reply, Reply::Unknown) {
            3
        } else {
            0
        };
        // The name of the question, which begins after the header of 12 bytes.
        let mut owner = vec![0xc0, 12];
        let mut records = Vec::new();
        if let Some(alias) = alias {
            let target = wire_name(alias);
            records.push(record(&owner, CNAME, &target));
            owner = target;
        }
        for address in found {
            match (address, self.kind) {
                (IpAddr::V4(address), A) => records.push(record(&owner, A, &address.octets())),
                (IpAddr::V6(address), AAAA) => {
                    records.push(record(&owner, AAAA, &address.octets()));
                }
                _ => {}
            }
        }
        let count = u8::try_from(records.len()).expect("few");
        let mut answer = message[..2].to_vec();
        answer.extend([0x85, 0x80 | code, 0, 1, 0, count, 0, 0, 0, 0]);
        answer.extend(&message[12..self.end]);
        answer.extend(records.concat());
        Some(answer)
    }
}

/// A record of no time to live.
fn record(owner: &[u8], kind: u16, data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(data.len()).expect("short");
    let mut record = owner.to_vec();
    record.extend(kind.to_be_bytes());
    record.extend([0, 1, 0, 0, 0, 0]);
    record.extend(length.to_be_bytes());
    record.extend(data);
    record
}

fn wire_name(name: &str) -> Vec<u8> {
    let mut wire = Vec::new();
    for label in name.split('.') {
        wire.push(u8::try_from(label.len()).expect("short"));
        wire.extend(label.as_bytes());
    }
    wire.push(0);
    wire
}
