//! This executable once more, as a process of its own that takes a command per line.
//!
//! Twenty thousand sockets are more than one process may have, and a server that shares a process with its clients
//! would be measured with them.

use std::process::Stdio;

use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    process::{Child, ChildStdin, ChildStdout, Command},
};

use crate::Outcome;

/// A running helper. It ends when its orders do, so also when we are killed.
pub(super) struct Helper {
    child: Child,
    pid: u32,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Helper {
    pub(super) fn start(what: &str) -> Outcome<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg(what)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        let gone = || format!("the helper {what} ended at once");
        Ok(Self {
            pid: child.id().ok_or_else(gone)?,
            orders: child.stdin.take().ok_or_else(gone)?,
            answers: BufReader::new(child.stdout.take().ok_or_else(gone)?),
            child,
        })
    }

    pub(super) fn pid(&self) -> u32 {
        self.pid
    }

    pub(super) async fn say(&mut self, order: &str) -> Outcome<()> {
        self.orders
            .write_all(format!("{order}\n").as_bytes())
            .await?;
        Ok(())
    }

    pub(super) async fn line(&mut self) -> Outcome<String> {
        let mut line = String::new();
        if self.answers.read_line(&mut line).await? == 0 {
            return Err("a helper ended too early".into());
        }
        Ok(line.trim_end().to_owned())
    }

    pub(super) async fn bytes(&mut self, count: usize) -> Outcome<Vec<u8>> {
        let mut bytes = vec![0; count];
        self.answers.read_exact(&mut bytes).await?;
        Ok(bytes)
    }

    pub(super) async fn end(mut self) -> Outcome<()> {
        drop(self.orders);
        self.child.wait().await?;
        Ok(())
    }
}
