//! The header `Dealgraph-Position`: how far a client has seen, and how far an answer is.

use axum::http::{HeaderMap, HeaderName};

use crate::{access::Actor, api::staleness::Seen, events::Position};

pub(super) const HEADER: HeaderName = HeaderName::from_static("dealgraph-position");
/// Where an answer that may be somewhat old was read.
pub(super) const READ: HeaderName = HeaderName::from_static("dealgraph-read");
/// What a client sends that has seen nothing yet.
const NONE: &str = "none";

/// How far the client has seen of the actor's tenant. With several positions, as of requests that ran side by side, it is
/// the furthest. What is no position, or one of another tenant, may mean anything.
pub(super) fn seen(headers: &HeaderMap, actor: Option<&Actor>) -> Seen {
    let values = headers.get_all(HEADER).iter();
    let values = values.map(|value| value.to_str().unwrap_or_default());
    let positions = values.flat_map(|value| value.split(',')).map(str::trim);
    positions.fold(Seen::Untold, |seen, position| {
        let said = match position {
            NONE => Seen::Nothing,
            position => {
                let position = position.parse::<Position>().ok();
                let seq = position
                    .zip(actor)
                    .and_then(|(position, actor)| position.seq_of(actor.tenant));
                seq.map_or(Seen::Anything, Seen::UpTo)
            }
        };
        seen.max(said)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn of(value: &str) -> Seen {
        let value = HeaderValue::from_str(value).expect("a header");
        seen(&HeaderMap::from_iter([(HEADER, value)]), None)
    }

    #[test]
    fn what_is_no_position_may_mean_anything() {
        assert_eq!(seen(&HeaderMap::new(), None), Seen::Untold);
        assert_eq!(of("none"), Seen::Nothing);
        // Nobody is there whose tenant it could be of.
        assert_eq!(of("none, 0123abcd-7"), Seen::Anything);
        assert_eq!(of("soon"), Seen::Anything);
        assert_eq!(of(""), Seen::Anything);
    }

    #[test]
    fn the_furthest_counts() {
        assert!(Seen::UpTo(7) > Seen::UpTo(3));
        assert!(Seen::UpTo(3) > Seen::Nothing && Seen::Nothing > Seen::Untold);
        assert!(Seen::Anything > Seen::UpTo(i64::MAX));
    }
}
