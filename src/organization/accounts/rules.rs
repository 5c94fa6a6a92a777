//! What a password has to be: long, and not a common one (NIST SP 800-63B, section 3.1.1.2). No rule says which characters
//! it is made of.

use std::ops::RangeInclusive;

use crate::base::error::{Error, Result};

/// How many characters.
const LENGTH: RangeInclusive<usize> = 12..=128;

/// The commonest ones that are long enough, in lower case, from lists of leaked passwords.
const COMMON: &[&str] = &[
    "123456789012",
    "1234567890123",
    "12345678901234",
    "123456789012345",
    "1234567890123456",
    "012345678910",
    "123123123123",
    "121212121212",
    "112233445566",
    "123456123456",
    "098765432109",
    "987654321098",
    "1q2w3e4r5t6y",
    "1q2w3e4r5t6y7u",
    "1qaz2wsx3edc",
    "1qaz2wsx3edc4rfv",
    "qazwsxedcrfv",
    "zaq12wsxcde3",
    "qwertyuiop12",
    "qwertyuiop123",
    "qwertyuiop[]",
    "qwertyuiopasdf",
    "qwertyqwerty",
    "qwerty123456",
    "qwerty1234567",
    "qwerty12345678",
    "asdfghjkl123",
    "asdfghjklzxcvbnm",
    "abcdefghijkl",
    "abcdefghijklm",
    "abcdefg12345",
    "abcd12345678",
    "abc123abc123",
    "password1234",
    "password12345",
    "password123456",
    "password123!",
    "passwordpassword",
    "mypassword123",
    "newpassword1",
    "changemeplease",
    "changeme1234",
    "iloveyou1234",
    "iloveyouforever",
    "letmeinletmein",
    "letmein12345",
    "welcome12345",
    "welcome123456",
    "administrator",
    "administrator1",
    "admin1234567",
    "adminadminadmin",
    "trustno1trustno1",
    "monkey123456",
    "dragon123456",
    "football1234",
    "baseball1234",
    "superman1234",
    "sunshine1234",
    "princess1234",
    "correcthorsebatterystaple",
    "dealgraph123",
    "dealgraph1234",
    "dealgraphdealgraph",
];

/// Refuses a password that is too short, too long or easily guessed.
///
/// # Errors
/// `PASSWORD_TOO_SHORT`, `PASSWORD_TOO_LONG`, `PASSWORD_TOO_COMMON`.
pub(crate) fn check(password: &str, email: &str, field: &'static str) -> Result<()> {
    let length = password.chars().count();
    if length < *LENGTH.start() {
        let message = format!("expected at least {} characters", LENGTH.start());
        return Err(Error::invalid("PASSWORD_TOO_SHORT", field, message));
    }
    if length > *LENGTH.end() {
        let message = format!("expected at most {} characters", LENGTH.end());
        return Err(Error::invalid("PASSWORD_TOO_LONG", field, message));
    }
    let lower = password.to_lowercase();
    let email = email.to_lowercase();
    let name = email.split('@').next().unwrap_or_default();
    let is_own =
        lower == email || lower == name || lower.trim_matches(|c: char| !c.is_alphabetic()) == name;
    if is_own || COMMON.contains(&lower.as_str()) || is_monotonous(&lower) {
        return Err(Error::invalid(
            "PASSWORD_TOO_COMMON",
            field,
            "this password is easily guessed, choose another one",
        ));
    }
    Ok(())
}

/// Whether it is made of fewer than four different characters.
fn is_monotonous(password: &str) -> bool {
    let mut seen: Vec<char> = password.chars().collect();
    seen.sort_unstable();
    seen.dedup();
    seen.len() < 4
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(password: &str) -> &'static str {
        let checked = check(password, "Ada.Lovelace@example.com", "password");
        checked.map_or_else(|error| error.code(), |()| "OK")
    }

    #[test]
    fn only_length_counts_unless_the_password_is_common() {
        assert_eq!(code("correct horse battery"), "OK");
        assert_eq!(code("ζωή μου σάς ἀγαπῶ"), "OK");
        assert_eq!(code("Ab1!Ab1!Ab1"), "PASSWORD_TOO_SHORT");
        assert_eq!(code(&"ab1c".repeat(32)), "OK");
        assert_eq!(code(&"ab1c".repeat(33)), "PASSWORD_TOO_LONG");
        for common in [
            "Password1234",
            "aaaaaaaaaaaa",
            "abababababab",
            "ada.lovelace@EXAMPLE.com",
            "Ada.Lovelace",
            "ada.lovelace1",
        ] {
            assert_eq!(code(common), "PASSWORD_TOO_COMMON", "{common}");
        }
    }
}
