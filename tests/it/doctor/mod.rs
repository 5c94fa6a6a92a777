//! `dealgraph doctor`: each fault is found and says what to do, the others are looked at all the same, and no secret is told.

mod faults;
mod outside;
mod secrets;

use std::collections::BTreeMap;

use dealgraph::{
    base::clock::Clock,
    tools::{
        config::Config,
        doctor::{Asked, Finding, Level, Report, examine},
    },
};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
};

use crate::{
    defaults::child::url,
    harness::{Database, encryption_key},
};

/// Variables, by their names.
type Variables = BTreeMap<&'static str, String>;

/// A configuration of a database with which all is well.
async fn sound(database: &Database) -> Variables {
    let login = async |name| url(&database.options(name).await);
    BTreeMap::from([
        ("DEALGRAPH_DATABASE_URL", login("dealgraph_app").await),
        (
            "DEALGRAPH_SYSTEM_DATABASE_URL",
            login("dealgraph_system").await,
        ),
        (
            "DEALGRAPH_OWNER_DATABASE_URL",
            login("dealgraph_owner").await,
        ),
        (
            "DEALGRAPH_ENCRYPTION_KEYS",
            encryption_key().await.to_owned(),
        ),
        ("DEALGRAPH_MAIL_URL", relay().await),
    ])
}

/// What is found of a configuration, for so many servers.
async fn found(variables: &Variables, servers: u32, clock: &Clock) -> Report {
    let vars = variables
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.clone()));
    let (config, problems) = Config::examine(vars);
    let asked = Asked {
        servers,
        mail_to: None,
    };
    examine((&config, &problems), &asked, clock).await
}

/// The findings of a level.
fn of(report: &Report, level: Level) -> Vec<&Finding> {
    let findings = report.findings.iter();
    findings.filter(|finding| finding.level == level).collect()
}

/// A mail relay that greets and takes no mail; its address.
async fn relay() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(greet(client));
        }
    });
    format!("smtp://{address}")
}

async fn greet(mut client: TcpStream) -> std::io::Result<()> {
    let (read, mut write) = client.split();
    write.write_all(b"220 relay.example\r\n").await?;
    let mut lines = BufReader::new(read).lines();
    while let Some(line) = lines.next_line().await? {
        let answer: &[u8] = match line.split(' ').next() {
            Some("EHLO") => b"250 relay.example\r\n",
            Some("NOOP") => b"250 well\r\n",
            Some("QUIT") => b"221 bye\r\n",
            _ => b"550 no mail is taken here\r\n",
        };
        write.write_all(answer).await?;
    }
    Ok(())
}
