//! When a socket received an event, and how processes hand that on.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::Outcome;

/// An event as it came out of a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sample {
    /// The event's number in its tenant's log.
    pub(super) seq: i64,
    /// When, in microseconds.
    pub(super) at: i64,
}

/// The machine's clock in microseconds: that of all its processes, and the one that Postgres dates commits by.
pub(super) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
    })
}

/// What each socket got, as bytes: how many, then number and time of each.
pub(super) fn pack(sockets: &[Vec<Sample>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for samples in sockets {
        bytes.extend((samples.len() as i64).to_le_bytes());
        for sample in samples {
            bytes.extend(sample.seq.to_le_bytes());
            bytes.extend(sample.at.to_le_bytes());
        }
    }
    bytes
}

/// The reverse of [`pack`].
pub(super) fn unpack(bytes: &[u8]) -> Outcome<Vec<Vec<Sample>>> {
    let (words, rest) = bytes.as_chunks::<8>();
    if !rest.is_empty() {
        return Err("samples are cut off".into());
    }
    let mut words = words.iter().map(|word| i64::from_le_bytes(*word));
    let mut sockets = Vec::new();
    while let Some(count) = words.next() {
        let mut samples = Vec::with_capacity(usize::try_from(count)?);
        for _ in 0..count {
            let (seq, at) = (words.next(), words.next());
            let (seq, at) = seq.zip(at).ok_or("samples are cut off")?;
            samples.push(Sample { seq, at });
        }
        sockets.push(samples);
    }
    Ok(sockets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_read_back() {
        let sample = |seq| Sample { seq, at: -seq };
        let sockets = vec![vec![sample(1), sample(2)], vec![], vec![sample(i64::MAX)]];
        let packed = pack(&sockets);
        assert_eq!(unpack(&packed).unwrap(), sockets);
        assert!(unpack(&packed[..packed.len() - 8]).is_err());
    }
}
