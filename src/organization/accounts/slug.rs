//! The short names of tenants.

use super::store;
use crate::{
    base::error::{Error, Result},
    db::SystemTx,
};

/// The longest one that is made up here; the database takes 63 characters.
const LONGEST: usize = 50;

/// Refuses what is no short name.
///
/// # Errors
/// `INVALID_SLUG`.
pub(super) fn check(slug: &str) -> Result<()> {
    let of_kind = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let is_one = (2..=63).contains(&slug.len())
        && slug.chars().all(of_kind)
        && !slug.starts_with('-')
        && !slug.ends_with('-')
        && !slug.contains("--");
    if is_one {
        return Ok(());
    }
    Err(Error::invalid(
        "INVALID_SLUG",
        "slug",
        "expected 2 to 63 small letters and digits, with single hyphens between them",
    ))
}

/// A short name that is free: the requested one, else one made of the name, else that with a number.
pub(super) async fn free(tx: &mut SystemTx, requested: Option<&str>, name: &str) -> Result<String> {
    let base = requested.map_or_else(|| of_name(name), str::to_owned);
    let base: String = base.chars().take(LONGEST).collect();
    let base = base.trim_end_matches('-');
    let mut candidates = vec![base.to_owned()];
    candidates.extend((2..10).map(|number| format!("{base}-{number}")));
    candidates.push(format!("{base}-{:06x}", fastrand::u32(..1 << 24)));
    let taken = store::taken_slugs(tx, candidates.clone()).await?;
    let mut free = candidates.into_iter().filter(|slug| !taken.contains(slug));
    free.next()
        .ok_or_else(|| Error::invalid("TAKEN", "slug", "this is taken already"))
}

fn of_name(name: &str) -> String {
    use unicode_normalization::UnicodeNormalization as _;
    let plain: String = name
        .nfd()
        .filter(|c| !('\u{300}'..='\u{36f}').contains(c))
        .collect::<String>()
        .to_lowercase()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { ' ' })
        .collect();
    let slug = plain.split_whitespace().collect::<Vec<_>>().join("-");
    if slug.len() < 2 {
        "tenant".to_owned()
    } else {
        slug
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_makes_a_short_name() {
        for (name, slug) in [
            ("Müller & Söhne AG", "muller-sohne-ag"),
            ("  École  ", "ecole"),
            ("株式会社", "tenant"),
            ("X", "tenant"),
        ] {
            assert_eq!(of_name(name), slug);
            assert!(check(slug).is_ok());
        }
        for bad in [
            "",
            "a",
            "-ab",
            "ab-",
            "a--b",
            "Ab",
            "a b",
            "ä-b",
            &"a".repeat(64),
        ] {
            assert!(check(bad).is_err(), "{bad}");
        }
    }
}
