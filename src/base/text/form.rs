//! The forms that text is stored and compared in. A column has one of them, for what is written and for what is looked
//! for in it, so that no search misses a record by how a word is typed.

use std::sync::LazyLock;

use icu_casemap::{CaseMapper, CaseMapperBorrowed};
use icu_properties::{
    CodePointSetData, CodePointSetDataBorrowed, props::DefaultIgnorableCodePoint,
};
use unicode_normalization::UnicodeNormalization as _;

use crate::base::error::{Error, Result};

static CASES: LazyLock<CaseMapperBorrowed<'static>> = LazyLock::new(CaseMapper::new);
static UNSEEN: LazyLock<CodePointSetDataBorrowed<'static>> =
    LazyLock::new(CodePointSetData::new::<DefaultIgnorableCodePoint>);

/// Bytes of a name that count when it is compared and sorted, some 250 characters at least. An index of Postgres takes no
/// more than 2,704, which compatibility characters exceed when they are taken apart, and cursors carry it about.
pub const MAX_SORTED_BYTES: usize = 1000;

/// The form of a column of text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A name, without regard to case: see [`normalize`].
    Name,
    /// A line as its author typed it: see [`tidy`].
    Line,
    /// An e-mail address: see [`fold_email`].
    Email,
    /// An internet domain, in its ASCII form: see [`domain`].
    Domain,
}

impl Form {
    /// A text in this form, to be equal to a stored one. What could not be stored equals nothing.
    ///
    /// # Errors
    /// `INVALID_TEXT` for a character that no text is stored with.
    pub fn whole(self, text: &str) -> Result<String> {
        storable(text)?;
        Ok(match self {
            Self::Name => normalize(text),
            Self::Line => tidy(text),
            Self::Email => fold_email(text),
            Self::Domain => domain(text).unwrap_or_else(|| tidy(text)),
        })
    }

    /// The beginning of a text in this form: blanks at its end count, those before it do not.
    ///
    /// # Errors
    /// `INVALID_TEXT` as [`Self::whole`]; `INVALID_DOMAIN` for a domain that breaks off within a label beyond ASCII, whose
    /// stored form depends on the rest of it.
    pub fn beginning(self, text: &str) -> Result<String> {
        storable(text)?;
        let text = text.trim_start();
        Ok(match self {
            Self::Name => {
                let folded = fold(text);
                let ends = folded.ends_with(char::is_whitespace);
                let mut words = single_spaced(&folded);
                if ends && !words.is_empty() {
                    words.push(' ');
                }
                cut(words)
            }
            Self::Line => text.nfc().collect(),
            Self::Email => fold_address(text),
            Self::Domain => domain_beginning(text)?,
        })
    }
}

/// The form names are sorted and compared in: composed, without regard to case in any script, single spaces, without what
/// shows nothing, and the first [`MAX_SORTED_BYTES`] of it.
#[must_use]
pub fn normalize(name: &str) -> String {
    cut(single_spaced(&fold(name)))
}

/// The form a line is stored in: composed, without blanks around it, and nothing at all when nothing of it shows.
#[must_use]
pub fn tidy(text: &str) -> String {
    match text.chars().all(is_unseen) {
        true => String::new(),
        false => text.trim().nfc().collect(),
    }
}

/// The form e-mail addresses are compared in: composed, without regard to case. `ß` stays what it is: `strasse@` is
/// another mailbox than `straße@`.
#[must_use]
pub fn fold_email(address: &str) -> String {
    fold_address(address.trim())
}

/// A domain as it is stored, in lower case and in ASCII (`münchen.example` as `xn--mnchen-3ya.example`); none for what is
/// no domain.
#[must_use]
pub fn domain(text: &str) -> Option<String> {
    match url::Host::parse(&tidy(text)) {
        Ok(url::Host::Domain(domain)) if domain.contains('.') && !domain.contains('/') => {
            Some(domain)
        }
        _ => None,
    }
}

/// Whether a character leaves no mark by itself: a blank, a control, or one that Unicode has renderers ignore, such as
/// zero-width and bidirectional controls. U+2800 is the Braille pattern without dots.
pub(super) fn is_unseen(c: char) -> bool {
    c.is_whitespace() || c.is_control() || c == '\u{2800}' || is_ignorable(c)
}

/// Whether a character is one that Unicode has renderers ignore.
pub(super) fn is_ignorable(c: char) -> bool {
    UNSEEN.contains(c)
}

/// Postgres stores every character but one.
fn storable(text: &str) -> Result<()> {
    match text.contains('\0') {
        true => Err(Error::invalid(
            "INVALID_TEXT",
            "",
            "a text with the character U+0000 is found nowhere, leave that out",
        )),
        false => Ok(()),
    }
}

/// `NFKC_Casefold` of the Unicode standard (section 5.18): folding may take a text apart, so it is composed again.
fn fold(text: &str) -> String {
    let composed: String = text.nfkc().filter(|c| !is_ignorable(*c)).collect();
    let folded = CASES.fold_string(&composed);
    folded.nfkc().collect()
}

fn fold_address(address: &str) -> String {
    let composed = address.nfc().map(|c| CASES.simple_fold(c));
    composed.nfc().collect()
}

fn cut(mut text: String) -> String {
    text.truncate(text.floor_char_boundary(MAX_SORTED_BYTES));
    text
}

fn single_spaced(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// All labels but the last one are whole.
fn domain_beginning(text: &str) -> Result<String> {
    let (whole, begun) = match text.rfind('.') {
        Some(dot) => text.split_at(dot + 1),
        None => ("", text),
    };
    if !begun.is_ascii() {
        let message = "labels beyond ASCII are stored in their ASCII form, write this one to its end, with the dot";
        return Err(Error::invalid("INVALID_DOMAIN", "", message));
    }
    // A label more, for what has to look like a whole domain.
    let ascii = domain(&format!("{whole}x")).map(|ascii| ascii[..ascii.len() - 1].to_owned());
    let whole = ascii.unwrap_or_else(|| whole.to_lowercase());
    Ok(whole + &begun.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_are_compared_without_case_and_composition_in_any_script() {
        for (one, other) in [
            ("  E\u{301}cole   Normale ", "école normale"),
            ("ΟΔΥΣΣΕΑΣ", "οδυσσέας".replace('έ', "ε").as_str()),
            ("STRASSE", "Straße"),
            ("ﬁne", "FINE"),
            ("Ac\u{200b}me", "acme"),
        ] {
            assert_eq!(normalize(one), normalize(other), "{one}");
        }
        let beginning = Form::Name.beginning("ΟΔΥΣ").expect("storable");
        assert!(normalize("ΟΔΥΣΣΕΑΣ").starts_with(&beginning));
    }

    #[test]
    fn a_beginning_keeps_the_blank_at_its_end() {
        for (form, text, beginning) in [
            (Form::Name, " New ", "new "),
            (Form::Name, "New", "new"),
            (Form::Name, "  ", ""),
            (Form::Line, " New ", "New "),
            (Form::Email, " Ada", "ada"),
            (Form::Domain, "Example", "example"),
            (Form::Domain, "München.ex", "xn--mnchen-3ya.ex"),
            (Form::Domain, "a.", "a."),
        ] {
            assert_eq!(
                form.beginning(text).ok().as_deref(),
                Some(beginning),
                "{text}"
            );
        }
        let error = Form::Domain.beginning("münch").expect_err("unfinished");
        assert_eq!(error.code(), "INVALID_DOMAIN");
    }

    #[test]
    fn a_long_name_counts_as_far_as_an_index_takes_it() {
        // One character that compatibility makes eighteen of.
        let (long, longer) = ("\u{fdfa}".repeat(200), "\u{fdfa}".repeat(201));
        assert!(normalize(&long).len() <= MAX_SORTED_BYTES);
        assert_eq!(normalize(&long), normalize(&longer));
        assert_eq!(Form::Name.beginning(&longer).ok(), Some(normalize(&long)));
    }

    #[test]
    fn a_text_with_a_nul_is_refused_in_every_form() {
        for form in [Form::Name, Form::Line, Form::Email, Form::Domain] {
            let whole = form.whole("a\0").expect_err("refused");
            let beginning = form.beginning("a\0").expect_err("refused");
            assert_eq!(
                (whole.code(), beginning.code()),
                ("INVALID_TEXT", "INVALID_TEXT")
            );
        }
    }

    #[test]
    fn a_domain_is_stored_in_ascii_and_a_web_address_is_none() {
        assert_eq!(domain(" Example.COM").as_deref(), Some("example.com"));
        assert_eq!(domain("München.example"), domain("xn--mnchen-3ya.example"));
        for none in ["https://example.com", "localhost", "", "\u{200b}"] {
            assert_eq!(domain(none), None, "{none}");
        }
    }

    #[test]
    fn what_shows_nothing_is_nothing() {
        for blank in [
            "",
            " \t",
            "\u{200b}\u{2060}",
            "\u{202e}",
            "\u{3164}",
            "\u{2800}",
            "\u{ad}",
        ] {
            assert_eq!(tidy(blank), "", "{blank:?}");
            assert_eq!(normalize(blank).replace('\u{2800}', ""), "", "{blank:?}");
        }
        // Emoji and Persian are written with characters that show nothing by themselves.
        for seen in ["👩\u{200d}🚀", "می\u{200c}خواهم"] {
            assert_eq!(tidy(seen), seen);
        }
    }

    proptest! {
        #[test]
        fn a_form_is_final_and_a_stored_text_has_its_own_beginnings(text in "\\PC{0,12}") {
            for form in [Form::Name, Form::Line, Form::Email] {
                let stored = form.whole(&text).expect("no NUL");
                prop_assert_eq!(&form.whole(&stored).expect("no NUL"), &stored);
            }
            let stored = normalize(&text);
            let words: Vec<&str> = stored.split(' ').collect();
            for upto in 1..=words.len() {
                let typed = words[..upto].join(" ");
                prop_assert!(stored.starts_with(&Form::Name.beginning(&typed).expect("no NUL")));
            }
        }
    }
}
