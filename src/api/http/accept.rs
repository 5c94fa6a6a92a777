//! Which of the two media types of GraphQL an answer is sent as.

use axum::http::{HeaderMap, header};

/// The media type of an answer. They differ in when an answer with errors has a status other than 200.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Media {
    /// `application/json`: what old clients understand, and what anything unspecific means.
    Json,
    /// `application/graphql-response+json`: the status says whether there is data.
    GraphqlResponse,
}

impl Media {
    const fn subtype(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::GraphqlResponse => "graphql-response+json",
        }
    }

    pub(super) const fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json; charset=utf-8",
            Self::GraphqlResponse => "application/graphql-response+json; charset=utf-8",
        }
    }
}

/// The media type that the client likes best, or none when it accepts neither.
pub(super) fn negotiate(headers: &HeaderMap) -> Option<Media> {
    let values = headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok());
    let mut elements = values
        .flat_map(|value| value.split(','))
        .filter(|text| !text.trim().is_empty())
        .peekable();
    if elements.peek().is_none() {
        return Some(Media::Json);
    }
    let ranges: Vec<Range<'_>> = elements.filter_map(Range::parse).collect();
    match (
        rank(&ranges, Media::Json),
        rank(&ranges, Media::GraphqlResponse),
    ) {
        (None, None) => None,
        (Some(_), None) => Some(Media::Json),
        (None, Some(_)) => Some(Media::GraphqlResponse),
        // Only a client that names the newer type knows it; named with the same weight, it is the better one.
        (Some(json), Some(newer)) if newer.exactness == Exactness::Full && newer >= json => {
            Some(Media::GraphqlResponse)
        }
        (Some(_), Some(_)) => Some(Media::Json),
    }
}

/// How much a client likes a media type: first by weight, then by how exactly it named it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    thousandths: u16,
    exactness: Exactness,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Exactness {
    Any,
    Application,
    Full,
}

/// The most exact range that covers the type decides about it, also when it forbids it with a weight of 0.
fn rank(ranges: &[Range<'_>], media: Media) -> Option<Rank> {
    let ranks = ranges.iter().filter_map(|range| {
        let exactness = range.covers(media)?;
        Some(Rank {
            thousandths: range.thousandths,
            exactness,
        })
    });
    ranks
        .max_by_key(|rank| rank.exactness)
        .filter(|rank| rank.thousandths > 0)
}

/// One element of an `accept` header.
struct Range<'a> {
    main: &'a str,
    sub: &'a str,
    thousandths: u16,
}

impl<'a> Range<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.split(';').map(str::trim);
        let (main, sub) = parts.next()?.split_once('/')?;
        let mut range = Self {
            main,
            sub,
            thousandths: 1_000,
        };
        for parameter in parts {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            let value = value.trim().trim_matches('"');
            if name.trim().eq_ignore_ascii_case("q") {
                range.thousandths = thousandths(value)?;
            } else if name.trim().eq_ignore_ascii_case("charset")
                && !value.eq_ignore_ascii_case("utf-8")
            {
                return None;
            }
        }
        Some(range)
    }

    fn covers(&self, media: Media) -> Option<Exactness> {
        match (self.main, self.sub) {
            ("*", "*") => Some(Exactness::Any),
            (main, "*") if main.eq_ignore_ascii_case("application") => Some(Exactness::Application),
            (main, sub)
                if main.eq_ignore_ascii_case("application")
                    && sub.eq_ignore_ascii_case(media.subtype()) =>
            {
                Some(Exactness::Full)
            }
            _ => None,
        }
    }
}

/// A weight from 0 to 1 in thousandths.
fn thousandths(text: &str) -> Option<u16> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits_only = fraction.bytes().all(|byte| byte.is_ascii_digit());
    if !matches!(whole, "0" | "1") || fraction.len() > 3 || !digits_only {
        return None;
    }
    let fraction: u16 = format!("{fraction:0<3}").parse().ok()?;
    let weight = if whole == "1" {
        1_000 + fraction
    } else {
        fraction
    };
    (weight <= 1_000).then_some(weight)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn negotiated(accept: &'static str) -> Option<Media> {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
        negotiate(&headers)
    }

    #[test]
    fn anything_unspecific_means_json() {
        assert_eq!(negotiate(&HeaderMap::new()), Some(Media::Json));
        for accept in [
            "*/*",
            "application/*",
            "",
            "text/html,application/xml;q=0.9,*/*;q=0.8",
            "application/json, */*",
        ] {
            assert_eq!(negotiated(accept), Some(Media::Json), "{accept}");
        }
    }

    #[test]
    fn the_newer_type_must_be_named() {
        for accept in [
            "application/graphql-response+json",
            "Application/GraphQL-Response+JSON; charset=UTF-8",
            "application/graphql-response+json, application/json;q=0.9",
            "application/json, application/graphql-response+json",
            "application/graphql-response+json, */*;q=0.1",
        ] {
            assert_eq!(negotiated(accept), Some(Media::GraphqlResponse), "{accept}");
        }
    }

    #[test]
    fn weights_decide() {
        assert_eq!(
            negotiated("application/graphql-response+json;q=0.5, application/json"),
            Some(Media::Json)
        );
        assert_eq!(
            negotiated("application/graphql-response+json;q=0.5, */*"),
            Some(Media::Json)
        );
        assert_eq!(
            negotiated("application/json;q=0, */*"),
            Some(Media::GraphqlResponse)
        );
    }

    #[test]
    fn nothing_else_is_acceptable() {
        for accept in [
            "text/html",
            "application/json;q=0",
            "application/xml, text/*",
            "application/json; charset=latin1",
            "json",
        ] {
            assert_eq!(negotiated(accept), None, "{accept}");
        }
    }
}
