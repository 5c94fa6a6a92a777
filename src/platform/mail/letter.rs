//! The one form that all mails have: some paragraphs, and at most one thing to click.

use std::fmt::Write as _;

use super::Message;

/// Puts a mail together, as text and as a page without anything from elsewhere. `link` is what to click: its label and
/// its address.
#[must_use]
pub fn letter(to: &str, subject: &str, paragraphs: &[&str], link: Option<(&str, &str)>) -> Message {
    let mut text = paragraphs.join("\n\n");
    let mut html = String::from(
        "<!doctype html><meta charset=\"utf-8\"><body style=\"font-family:sans-serif;max-width:36em;margin:2em auto\">",
    );
    for paragraph in paragraphs {
        _ = write!(html, "<p>{}</p>", escaped(paragraph));
    }
    if let Some((label, address)) = link {
        _ = write!(text, "\n\n{label}:\n{address}");
        _ = write!(
            html,
            "<p><a href=\"{}\">{}</a></p>",
            escaped(address),
            escaped(label)
        );
    }
    Message {
        to: to.to_owned(),
        subject: subject.to_owned(),
        text,
        html: Some(html),
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
