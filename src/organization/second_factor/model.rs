//! One-time codes of an authenticator app (RFC 6238) and the recovery codes beside them. Pure.

use chrono::{DateTime, Utc};
use qrcode::{EcLevel, QrCode, render::svg};
use totp_rs::{Builder, Totp};

use crate::base::{
    error::{Error, Result},
    ids::{Typed as _, UserId},
    secret,
};

/// Bytes of a secret: what RFC 4226, section 4, recommends.
pub(super) const SECRET_BYTES: usize = 20;
/// How many recovery codes a person has.
pub(super) const RECOVERY_CODES: usize = 10;
/// What an authenticator app shows above the code.
const ISSUER: &str = "Dealgraph";
/// Letters and digits of a recovery code that are not mistaken for each other. 32 of them, so a byte picks one evenly.
const ALPHABET: &[u8; 32] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";
/// Characters of a recovery code: 80 bits, which can't be guessed even with the hash at hand.
const RECOVERY_CHARS: usize = 16;

/// What an authenticator app is set up with. Shown once.
pub struct Enrolment {
    /// The secret in base32, as people type it in.
    pub secret: String,
    /// The address that apps open.
    pub uri: String,
    /// The same as an SVG element.
    pub qr_svg: String,
}

impl Enrolment {
    /// For a person's account.
    pub(super) fn new(secret: &[u8], email: &str) -> Result<Self> {
        let totp = totp(secret, email)?;
        let uri = totp.to_url().map_err(Error::internal)?;
        let code =
            QrCode::with_error_correction_level(&uri, EcLevel::M).map_err(Error::internal)?;
        let svg = code
            .render::<svg::Color<'_>>()
            .min_dimensions(240, 240)
            .build();
        // Without the declaration of a document of its own, so that a page can take it as it is.
        let start = svg.find("<svg").unwrap_or_default();
        Ok(Self {
            secret: totp.secret().to_base32(),
            uri,
            qr_svg: svg[start..].to_owned(),
        })
    }
}

/// The time step that a code is right for: now, or one before or after it. None when it is wrong.
pub(super) fn step_of(secret: &[u8], code: &str, now: DateTime<Utc>) -> Result<Option<i64>> {
    let code: String = code.chars().filter(|c| !c.is_whitespace()).collect();
    let seconds = u64::try_from(now.timestamp()).unwrap_or_default();
    let step = totp(secret, "")?.check(&code, seconds);
    Ok(step.and_then(|step| i64::try_from(step).ok()))
}

fn totp(secret: &[u8], email: &str) -> Result<Totp> {
    // A colon would end the account's name early.
    let account = email.replace(':', "");
    Builder::new()
        .with_secret(secret.to_vec())
        .with_account_name(account)
        .with_issuer(Some(ISSUER))
        .build()
        .map_err(Error::internal)
}

/// New recovery codes, for reading.
pub(super) fn recovery_codes() -> Vec<String> {
    let code = |_| {
        let letters = secret::random::<RECOVERY_CHARS>()
            .map(|byte| char::from(ALPHABET[usize::from(byte) % ALPHABET.len()]));
        let groups: Vec<String> = letters
            .chunks(4)
            .map(|four| four.iter().collect())
            .collect();
        groups.join("-")
    };
    (0..RECOVERY_CODES).map(code).collect()
}

/// What is stored of a recovery code, however it was typed; the person is in it, so that equal codes of two people differ.
pub(super) fn recovery_hash(user: UserId, code: &str) -> Vec<u8> {
    let letters: String = code
        .chars()
        .filter(|c| c.is_ascii_alphanumeric())
        .take(64)
        .collect();
    secret::hash(&format!("{}:{}", user.uuid(), letters.to_ascii_uppercase()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// RFC 6238, appendix B.
    const SECRET: &[u8] = b"12345678901234567890";

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).expect("a time")
    }

    #[test]
    fn codes_are_those_of_the_rfc_and_one_step_of_delay_is_forgiven() {
        for (seconds, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
        ] {
            let step = |later| step_of(SECRET, code, at(seconds + later)).expect("a check");
            let own = seconds / 30;
            assert_eq!(
                (step(0), step(30), step(-30)),
                (Some(own), Some(own), Some(own))
            );
            assert_eq!(step(61), None, "{code}");
            // There is no time before 1970.
            if own > 2 {
                assert_eq!(step(-61), None, "{code}");
            }
        }
        for bad in [
            "",
            "287083",
            "28708",
            "2870822",
            "+87082",
            "abcdef",
            "２８７０８２",
        ] {
            assert_eq!(
                step_of(SECRET, bad, at(59)).expect("a check"),
                None,
                "{bad}"
            );
        }
        assert_eq!(
            step_of(SECRET, " 287 082 ", at(59)).expect("a check"),
            Some(1)
        );
    }

    #[test]
    fn an_app_is_set_up_by_a_picture_or_by_hand() {
        let enrolment = Enrolment::new(SECRET, "ada+a:b@example.com").expect("an enrolment");
        assert_eq!(enrolment.secret, "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
        let read = Totp::from_url(&enrolment.uri).expect("an address of an app");
        assert_eq!(read.secret().as_ref(), SECRET);
        assert_eq!(
            (read.issuer(), read.account_name()),
            (Some(ISSUER), "ada+ab@example.com")
        );
        assert!(enrolment.qr_svg.starts_with("<svg") && enrolment.qr_svg.ends_with("</svg>"));
    }

    #[test]
    fn recovery_codes_differ_and_are_read_however_they_are_typed() {
        let codes: BTreeSet<String> = (0..100).flat_map(|_| recovery_codes()).collect();
        assert_eq!(codes.len(), 1_000);
        let user = UserId::new();
        for code in codes {
            assert_eq!(code.len(), RECOVERY_CHARS + 3);
            let typed = format!(" {} ", code.to_lowercase().replace('-', " "));
            assert_eq!(recovery_hash(user, &code), recovery_hash(user, &typed));
            assert_ne!(
                recovery_hash(user, &code),
                recovery_hash(UserId::new(), &code)
            );
        }
    }
}
