//! A value that can be used but not shown, so that no log line, panic or error text gives it away.

use std::fmt;

/// A secret. Printing it, alone or inside another value, shows `***`.
#[derive(Clone)]
pub struct Secret<T>(T);

impl<T> Secret<T> {
    /// Wraps a secret.
    pub fn new(value: T) -> Self {
        Self(value)
    }

    /// The value itself; the caller hands it to what needs it and to nothing else.
    pub fn expose(&self) -> &T {
        &self.0
    }
}

impl<T> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn printing_a_secret_shows_stars_also_inside_another_value() {
        let secret = Secret::new("hunter2".to_owned());
        assert_eq!(
            format!("{:?} {:#?}", Some(&secret), secret),
            "Some(***) ***"
        );
        assert_eq!(secret.expose(), "hunter2");
    }
}
