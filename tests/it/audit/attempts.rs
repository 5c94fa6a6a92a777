//! Attempts on what is not theirs.
