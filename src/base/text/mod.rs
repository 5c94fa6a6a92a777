//! Text that people type: bounds, and the [forms](Form) it is stored and compared in.

mod form;

pub use form::{Form, MAX_SORTED_BYTES, domain, fold_email, normalize, tidy};

use crate::base::error::{Error, Result};

/// Characters of a longer text, at the most.
pub const LONG_CHARS: usize = 20_000;

/// The bounds of a text field.
#[derive(Debug, Clone, Copy)]
pub struct Text {
    field: &'static str,
    max_chars: usize,
}

impl Text {
    /// A line: at most 200 characters.
    #[must_use]
    pub const fn line(field: &'static str) -> Self {
        Self {
            field,
            max_chars: 200,
        }
    }

    /// A longer text: at most [`LONG_CHARS`] characters. What it costs to read is said in `graphql/shape/texts.rs`.
    #[must_use]
    pub const fn long(field: &'static str) -> Self {
        Self {
            field,
            max_chars: LONG_CHARS,
        }
    }

    /// Cleans a text that must be there, and show something.
    ///
    /// # Errors
    /// `BLANK`, `TOO_LONG`, `INVALID_TEXT`.
    pub fn required(self, text: &mut String) -> Result<()> {
        *text = self.clean(text)?;
        match text.is_empty() {
            true => Err(Error::invalid(
                "BLANK",
                self.field,
                "this must not be blank",
            )),
            false => Ok(()),
        }
    }

    /// Cleans a text that may be missing; blank becomes missing.
    ///
    /// # Errors
    /// `TOO_LONG`, `INVALID_TEXT`.
    pub fn optional(self, text: &mut Option<String>) -> Result<()> {
        if let Some(some) = text {
            *text = Some(self.clean(some)?).filter(|text| !text.is_empty());
        }
        Ok(())
    }

    fn clean(self, text: &str) -> Result<String> {
        let controls = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
        if text.trim().chars().any(controls) {
            return Err(Error::invalid(
                "INVALID_TEXT",
                self.field,
                "control characters are not allowed here",
            ));
        }
        let text = tidy(text);
        if text.chars().count() > self.max_chars {
            let message = format!("expected at most {} characters", self.max_chars);
            return Err(Error::invalid("TOO_LONG", self.field, message));
        }
        Ok(text)
    }
}

/// An e-mail address in the form it is compared in.
///
/// # Errors
/// `INVALID_EMAIL` for what can't be an address: it needs one `@`, a name before and a domain after it.
pub fn normalize_email(email: &str, field: &str) -> Result<String> {
    let bad = || {
        Error::invalid(
            "INVALID_EMAIL",
            field,
            "expected an e-mail address like ada@example.com",
        )
    };
    let email = email.trim();
    let (name, domain) = email.rsplit_once('@').ok_or_else(bad)?;
    // An invisible character makes an address look like another person's.
    let plain = |c: char| !form::is_unseen(c) && !matches!(c, '<' | '>' | ',' | ';');
    let sound = !name.is_empty()
        && !name.contains('@')
        && domain.contains('.')
        && !domain.starts_with('.')
        && !domain.ends_with('.')
        && !domain.contains("..")
        && email.len() <= 254
        && email.chars().all(plain);
    if sound {
        Ok(fold_email(email))
    } else {
        Err(bad())
    }
}

/// A web address, as it is stored.
///
/// # Errors
/// `INVALID_URL` for anything but an http or https address with a host.
pub fn check_url(url: &mut Option<String>, field: &'static str) -> Result<()> {
    Text::line(field).optional(url)?;
    let Some(text) = url else { return Ok(()) };
    match url::Url::parse(text) {
        Ok(parsed) if matches!(parsed.scheme(), "http" | "https") && parsed.has_host() => Ok(()),
        _ => Err(Error::invalid(
            "INVALID_URL",
            field,
            "expected a web address like https://example.com",
        )),
    }
}

/// Tags as they are stored: trimmed, without doubles, at most 50 of at most 60 characters.
///
/// # Errors
/// `TOO_MANY_VALUES`, `BLANK`, `TOO_LONG`.
pub fn check_tags(tags: &mut Vec<String>) -> Result<()> {
    for tag in tags.iter_mut() {
        Text {
            field: "tags",
            max_chars: 60,
        }
        .required(tag)?;
    }
    let mut seen = std::collections::HashSet::new();
    tags.retain(|tag| seen.insert(normalize(tag)));
    match tags.len() {
        0..=50 => Ok(()),
        found => Err(Error::invalid(
            "TOO_MANY_VALUES",
            "tags",
            format!("expected at most 50 tags, found {found}"),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_compared_in_lower_case_and_nonsense_is_refused() {
        assert_eq!(
            normalize_email(" Ada@Example.COM ", "email")
                .ok()
                .as_deref(),
            Some("ada@example.com")
        );
        for bad in [
            "",
            "ada",
            "@x.y",
            "a@b",
            "a b@c.d",
            "a@b..c",
            "a@@b.c",
            "a@.c",
            "a\u{200b}@b.c",
            "\u{202e}a@b.c",
            "a@b\u{ad}.c",
        ] {
            assert!(normalize_email(bad, "email").is_err(), "{bad}");
        }
    }

    #[test]
    fn an_address_is_compared_without_case_and_composition_and_no_further() {
        let folded = |email: &str| normalize_email(email, "email").ok();
        assert_eq!(folded("ZOE\u{308}@x.example"), folded("zoë@X.example"));
        assert_eq!(folded("ΟΔΥΣ@x.example"), folded("οδυς@x.example"));
        assert_ne!(folded("straße@x.example"), folded("strasse@x.example"));
    }

    #[test]
    fn tags_lose_doubles() {
        let mut tags = vec![" VIP".to_owned(), "vip".to_owned(), "x".to_owned()];
        check_tags(&mut tags).expect("sound tags");
        assert_eq!(tags, ["VIP", "x"]);
    }
}
