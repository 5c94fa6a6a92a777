//! A lexical pre-check that bounds a GraphQL document before it is parsed, because the parser itself can be brought
//! down.
//!
//! What reads documents recurses per bracket; async-graphql's parser without a bound, so that 2,000 nested `[`, a
//! document of 4 kB, abort the whole process. apollo-compiler's has one, and what walks its tree relies on it being
//! low. So this pass must see every bracket that the parser could: strings, block strings and comments end here exactly
//! where they end there, and a string that never ends is refused instead of guessed at. It checks nothing else of the
//! grammar.

use super::limits::{Limits, Refusal};

/// Checks size, number of tokens and bracket depth in one pass and without allocating; answers how many tokens there are.
///
/// # Errors
/// `DOCUMENT_TOO_LARGE`, `TOO_MANY_TOKENS`, `NESTED_TOO_DEEP`, or `GRAPHQL_PARSE_FAILED` for a string without an end.
pub fn scan(document: &str, limits: &Limits) -> Result<usize, Refusal> {
    let text = document.as_bytes();
    Refusal::unless_within(
        "DOCUMENT_TOO_LARGE",
        "bytes of document",
        text.len(),
        limits.document_bytes,
    )?;

    let (mut at, mut tokens, mut depth, mut deepest) = (0_usize, 0_usize, 0_usize, 0_usize);
    while let Some(&byte) = text.get(at) {
        let end = match byte {
            b' ' | b'\t' | b'\n' | b'\r' | b',' => {
                at += 1;
                continue;
            }
            b'#' => {
                at = comment_end(text, at);
                continue;
            }
            b'"' => string_end(text, at).ok_or_else(|| {
                Refusal::new(
                    "GRAPHQL_PARSE_FAILED",
                    "the document has a string that is not closed",
                )
            })?,
            b'(' | b'[' | b'{' => {
                depth += 1;
                deepest = deepest.max(depth);
                at + 1
            }
            b')' | b']' | b'}' => {
                depth = depth.saturating_sub(1);
                at + 1
            }
            b'.' if text[at..].starts_with(b"...") => at + 3,
            b'-' | b'0'..=b'9' => number_end(text, at),
            b'_' | b'a'..=b'z' | b'A'..=b'Z' => name_end(text, at),
            _ => at + 1,
        };
        tokens += 1;
        at = end;
    }

    Refusal::unless_within(
        "NESTED_TOO_DEEP",
        "levels of brackets",
        deepest,
        limits.bracket_depth,
    )?;
    Refusal::unless_within("TOO_MANY_TOKENS", "tokens", tokens, limits.tokens)?;
    Ok(tokens)
}

fn comment_end(text: &[u8], start: usize) -> usize {
    end_of_run(text, start, |byte| byte != b'\n' && byte != b'\r')
}

fn name_end(text: &[u8], start: usize) -> usize {
    end_of_run(text, start, |byte| {
        byte == b'_' || byte.is_ascii_alphanumeric()
    })
}

/// The end of `-1.5e+7`. A number must not swallow what follows it: `1...F` is a number and a fragment.
fn number_end(text: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while let Some(&byte) = text.get(at) {
        let belongs = match byte {
            b'0'..=b'9' | b'e' | b'E' => true,
            b'.' => text.get(at + 1).is_some_and(u8::is_ascii_digit),
            b'+' | b'-' => matches!(text[at - 1], b'e' | b'E'),
            _ => false,
        };
        if !belongs {
            break;
        }
        at += 1;
    }
    at
}

fn end_of_run(text: &[u8], start: usize, belongs: impl Fn(u8) -> bool) -> usize {
    text[start..]
        .iter()
        .position(|&byte| !belongs(byte))
        .map_or(text.len(), |length| start + length)
}

fn string_end(text: &[u8], start: usize) -> Option<usize> {
    if text[start..].starts_with(b"\"\"\"") {
        block_string_end(text, start + 3)
    } else {
        line_string_end(text, start + 1)
    }
}

fn block_string_end(text: &[u8], start: usize) -> Option<usize> {
    let mut at = start;
    while at < text.len() {
        let rest = &text[at..];
        if rest.starts_with(b"\\\"\"\"") {
            at += 4;
        } else if rest.starts_with(b"\"\"\"") {
            return Some(at + 3);
        } else {
            at += 1;
        }
    }
    None
}

fn line_string_end(text: &[u8], start: usize) -> Option<usize> {
    let mut at = start;
    loop {
        match text.get(at)? {
            b'"' => return Some(at + 1),
            b'\n' | b'\r' => return None,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(document: &str) -> Option<&'static str> {
        scan(document, &Limits::default())
            .err()
            .map(|refusal| refusal.code)
    }

    #[test]
    fn brackets_that_would_overflow_the_parser_are_refused() {
        for open in ["[", "{", "(", "{a(b:["] {
            assert_eq!(
                code(&format!("{{a(b:{}", open.repeat(100))),
                Some("NESTED_TOO_DEEP"),
                "{open}"
            );
        }
        assert_eq!(
            code(&format!(
                "query($a:{}Int{}){{a}}",
                "[".repeat(80),
                "]".repeat(80)
            )),
            Some("NESTED_TOO_DEEP")
        );
    }

    #[test]
    fn depth_is_allowed_up_to_its_limit() {
        assert_eq!(code(&format!("{}{}", "{".repeat(64), "}".repeat(64))), None);
        assert_eq!(
            code(&format!("{}{}", "{".repeat(65), "}".repeat(65))),
            Some("NESTED_TOO_DEEP")
        );
    }

    #[test]
    fn closing_brackets_that_were_never_opened_buy_no_depth() {
        assert_eq!(
            code(&format!("{}{}", "]".repeat(100), "[".repeat(65))),
            Some("NESTED_TOO_DEEP")
        );
    }

    #[test]
    fn brackets_in_strings_and_comments_do_not_count() {
        let brackets = "[".repeat(200);
        assert_eq!(code(&format!("{{a(b:\"{brackets}\")}}")), None);
        assert_eq!(code(&format!("{{a(b:\"\\\"{brackets}\")}}")), None);
        assert_eq!(
            code(&format!(
                "{{a(b:\"\"\"{brackets}\n\"{brackets}\\\"\"\"{brackets}\"\"\")}}"
            )),
            None
        );
        assert_eq!(code(&format!("{{a #{brackets}\"\n}}")), None);
    }

    #[test]
    fn nothing_hides_behind_the_end_of_a_string_or_a_comment() {
        let brackets = "[".repeat(200);
        for hiding in [
            "\"\\\\\"",
            "\"\"",
            "\"\"\"\"\"\"",
            "\"\"\" \\\\\"\"\" \"\"\"",
            "\"#\"",
            "# \"\n",
            "# \"\"\"\r",
        ] {
            assert_eq!(
                code(&format!("{hiding}{brackets}")),
                Some("NESTED_TOO_DEEP"),
                "{hiding}"
            );
        }
    }

    #[test]
    fn an_endless_string_is_refused() {
        for endless in [
            "{a(b:\"",
            "{a(b:\"\\\"",
            "{a(b:\"x\n\")}",
            "{a(b:\"\"\" \"\" ",
            "\"\\",
        ] {
            assert_eq!(code(endless), Some("GRAPHQL_PARSE_FAILED"), "{endless}");
        }
    }

    #[test]
    fn tokens_are_counted_as_the_language_defines_them() {
        let cases = [
            ("{ a, b }", 4),
            ("query Q($n: [Int!]! = [1 -2.5e+3]) { ...F @x }", 23),
            ("{ a(b: \"x y\", c: \"\"\"z \" z\"\"\") } # done", 11),
            ("1...F", 3),
            ("", 0),
        ];
        for (document, tokens) in cases {
            let exact = Limits {
                tokens,
                ..Limits::default()
            };
            assert_eq!(scan(document, &exact), Ok(exact.tokens), "{document}");
            if tokens > 0 {
                let less = Limits {
                    tokens: tokens - 1,
                    ..Limits::default()
                };
                assert!(scan(document, &less).is_err(), "{document}");
            }
        }
    }

    #[test]
    fn a_refusal_says_the_limit_and_what_was_found() {
        let refusal =
            scan(&"a ".repeat(3_000), &Limits::default()).expect_err("it has too many tokens");
        assert_eq!(refusal.code, "TOO_MANY_TOKENS");
        assert_eq!(
            refusal.message,
            "the request has 3000 tokens, at most 2000 are allowed"
        );
        assert_eq!(code(&" ".repeat(16 * 1024 + 1)), Some("DOCUMENT_TOO_LARGE"));
    }
}
