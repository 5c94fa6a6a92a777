//! Mails as files, for development and tests: one text each, and a page beside it to click through.

use std::{io, path::Path};

use lettre::message::Mailbox;
use tokio::{fs, io::AsyncWriteExt as _};

use super::{Dispatch, Failed, Message};

/// Writes a mail. Its name has no address in it, because the log shows it.
pub(super) async fn write(
    folder: &Path,
    from: &Mailbox,
    message: &Message,
    dispatch: Dispatch,
) -> Result<(), Failed> {
    let name = format!(
        "{}-{:04}-{}",
        dispatch.at.format("%Y%m%dT%H%M%S%3f"),
        dispatch.number,
        slug(&message.subject)
    );
    let text = format!(
        "From: {from}\nTo: {}\nSubject: {}\nDate: {}\nContent-Type: text/plain; charset=utf-8\n\n{}\n",
        line(&message.to),
        line(&message.subject),
        dispatch.at.to_rfc2822(),
        message.text
    );
    let written = async {
        make(folder).await?;
        if let Some(html) = &message.html {
            whole(&folder.join(format!("{name}.html")), html).await?;
        }
        whole(&folder.join(format!("{name}.eml")), &text).await
    };
    written
        .await
        .map_err(|error: io::Error| Failed::ForGood(error.to_string()))?;
    tracing::info!(file = %folder.join(format!("{name}.eml")).display(), "mail written");
    Ok(())
}

/// Makes the folder, for this user alone: mails hold secrets that open accounts.
async fn make(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    builder.mode(0o700);
    builder.recursive(true).create(folder).await
}

/// Writes a file that a watcher of the folder never sees half of, and that other users of the machine can't read.
async fn whole(path: &Path, text: &str) -> io::Result<()> {
    let draft = path.with_added_extension("part");
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    options.mode(0o600);
    let mut file = options.open(&draft).await?;
    file.write_all(text.as_bytes()).await?;
    file.flush().await?;
    fs::rename(&draft, path).await
}

/// What a header may hold.
pub(super) fn line(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

fn slug(subject: &str) -> String {
    let words: String = subject
        .to_lowercase()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { ' ' })
        .collect();
    words
        .split_whitespace()
        .take(8)
        .collect::<Vec<_>>()
        .join("-")
}
