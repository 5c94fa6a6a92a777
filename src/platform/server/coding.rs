//! Content codings: compression for clients that accept it (RFC 9110, section 8.4).

use std::io::{self, Write as _};

use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderValue, header};

/// Shorter texts are not compressed: they fit into a packet or two either way.
pub const SHORTEST: usize = 1_024;
/// Longer texts are compressed on a blocking thread, since they would occupy a worker for too long.
const ASIDE: usize = 64 * 1024;
/// How hard each tries: about as long as it takes to make such an answer, which is where more is gained no more.
const ZSTD_LEVEL: i32 = 3;
const BROTLI_QUALITY: i32 = 4;
const BROTLI_WINDOW: i32 = 22;
const GZIP_LEVEL: u32 = 5;

/// A content coding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    /// Zstandard (RFC 8878), which is by far the quickest.
    Zstd,
    /// Brotli (RFC 7932).
    Brotli,
    /// gzip (RFC 1952), which all clients accept.
    Gzip,
}

impl Coding {
    /// In the order of the server's preference.
    const ALL: [Self; 3] = [Self::Zstd, Self::Brotli, Self::Gzip];

    /// The coding with the highest weight of those that a client accepts; of equal ones the server's preference.
    #[must_use]
    pub fn negotiate(headers: &HeaderMap) -> Option<Self> {
        let mut weights = [None; Self::ALL.len()];
        let mut of_others = None;
        for value in headers.get_all(header::ACCEPT_ENCODING) {
            for choice in value.to_str().unwrap_or_default().split(',') {
                let (name, weight) = choice.split_once(';').unwrap_or((choice, "q=1"));
                let name = name.trim();
                let weight = Some(self::weight(weight));
                if name == "*" {
                    of_others = weight;
                }
                for (coding, known) in Self::ALL.iter().zip(&mut weights) {
                    if name.eq_ignore_ascii_case(coding.name()) {
                        *known = weight;
                    }
                }
            }
        }
        let weighed = Self::ALL.into_iter().zip(weights);
        let taken = weighed.map(|(coding, weight)| (coding, weight.or(of_others).unwrap_or(0)));
        // The first of those that are alike.
        let best = taken.rev().max_by_key(|(_, weight)| *weight);
        best.filter(|(_, weight)| *weight > 0)
            .map(|(coding, _)| coding)
    }

    /// Its name in headers.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Zstd => "zstd",
            Self::Brotli => "br",
            Self::Gzip => "gzip",
        }
    }

    /// The value of `content-encoding`.
    #[must_use]
    pub const fn header(self) -> HeaderValue {
        HeaderValue::from_static(self.name())
    }

    /// Compresses a text, a long one on a blocking thread. None when it gets no smaller.
    pub async fn encode(self, text: Bytes) -> Option<Bytes> {
        let length = text.len();
        let encoded = match length > ASIDE {
            true => tokio::task::spawn_blocking(move || self.encoded(&text)).await,
            false => Ok(self.encoded(&text)),
        };
        match encoded {
            Ok(Ok(encoded)) => Some(Bytes::from(encoded)).filter(|encoded| encoded.len() < length),
            Ok(Err(error)) => {
                tracing::error!(error = %error, "an answer could not be compressed");
                None
            }
            Err(error) => {
                tracing::error!(error = %error, "compressing an answer broke off");
                None
            }
        }
    }

    fn encoded(self, text: &[u8]) -> io::Result<Vec<u8>> {
        let output = Vec::with_capacity(text.len() / 4);
        match self {
            Self::Zstd => zstd::bulk::compress(text, ZSTD_LEVEL),
            Self::Brotli => {
                let parameters = brotli::enc::BrotliEncoderParams {
                    quality: BROTLI_QUALITY,
                    lgwin: BROTLI_WINDOW,
                    size_hint: text.len(),
                    ..Default::default()
                };
                let mut encoded = output;
                brotli::BrotliCompress(&mut &*text, &mut encoded, &parameters)?;
                Ok(encoded)
            }
            Self::Gzip => {
                let level = flate2::Compression::new(GZIP_LEVEL);
                let mut encoder = flate2::write::GzEncoder::new(output, level);
                encoder.write_all(text)?;
                encoder.finish()
            }
        }
    }
}

/// A weight in thousandths; none at all for what is no weight.
fn weight(parameter: &str) -> u16 {
    let (name, value) = parameter.split_once('=').unwrap_or_default();
    let value = value.trim().parse::<f32>().unwrap_or(0.0);
    match name.trim().eq_ignore_ascii_case("q") && (0.0..=1.0).contains(&value) {
        true => (value * 1_000.0) as u16,
        false => 0,
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    fn negotiated(value: &'static str) -> Option<Coding> {
        Coding::negotiate(&HeaderMap::from_iter([(
            header::ACCEPT_ENCODING,
            HeaderValue::from_static(value),
        )]))
    }

    #[test]
    fn a_client_gets_what_it_likes_best_and_nothing_that_it_does_not_take() {
        use Coding::{Brotli, Gzip, Zstd};
        for (accepted, coding) in [
            ("gzip, deflate, br, zstd", Some(Zstd)),
            ("gzip, deflate, br", Some(Brotli)),
            ("gzip, deflate", Some(Gzip)),
            ("GZIP;q=0.5, br;q=0.4", Some(Gzip)),
            ("zstd;q=0.2, br;q=0.8, gzip;q=0.8", Some(Brotli)),
            ("*", Some(Zstd)),
            ("zstd;q=0, *", Some(Brotli)),
            ("zstd;q=0, br;q=0, *;q=0.1", Some(Gzip)),
            ("gzip;q=0, *;q=0", None),
            ("gzip;q=much", None),
            ("gzip;q=2", None),
            ("identity", None),
            ("deflate", None),
            ("", None),
        ] {
            assert_eq!(negotiated(accepted), coding, "{accepted}");
        }
        assert_eq!(Coding::negotiate(&HeaderMap::new()), None);
    }

    #[tokio::test]
    async fn what_is_made_smaller_is_the_same_afterwards() {
        for length in [SHORTEST, 3 * ASIDE] {
            let text: String = (0..length / 8).map(|n| format!("{:08}", n * n)).collect();
            let text = Bytes::from(text);
            for coding in Coding::ALL {
                let encoded = coding.encode(text.clone()).await.expect("it gets smaller");
                let mut decoded = Vec::new();
                match coding {
                    Coding::Zstd => decoded = zstd::stream::decode_all(&*encoded).expect("zstd"),
                    Coding::Brotli => {
                        brotli::BrotliDecompress(&mut &*encoded, &mut decoded).expect("brotli");
                    }
                    Coding::Gzip => {
                        let mut decoder = flate2::read::GzDecoder::new(&*encoded);
                        decoder.read_to_end(&mut decoded).expect("gzip");
                    }
                }
                assert_eq!(decoded, text, "{coding:?}");
            }
        }
        let noise: Vec<u8> = std::iter::repeat_with(|| fastrand::u8(..))
            .take(2_000)
            .collect();
        assert_eq!(
            Coding::Gzip.encode(noise.into()).await,
            None,
            "it got larger"
        );
    }
}
