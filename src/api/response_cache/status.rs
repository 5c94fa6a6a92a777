//! What a request wishes of the cache, and what became of it there.

use std::time::Duration;

/// How the one who asks wants to be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::api) enum Wish {
    /// As quickly as can be, with what was true so long ago at the most (`Cache-Control: max-age`); usually now.
    Within(Duration),
    /// By asking the database, whatever is kept (`Cache-Control: no-cache`).
    Fresh,
    /// The same, and without keeping the answer (`Cache-Control: no-store`).
    Unkept,
}

/// Nobody is answered with what was true longer ago, whatever they wish.
pub(in crate::api) const OLDEST: Duration = Duration::from_secs(60);

/// What became of a request at the cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::api) enum Usage {
    /// Answered with what was kept, by this server or another, and was true so many whole seconds ago.
    Hit { age: u64 },
    /// Answered together with others who asked the same at the same time.
    Joined,
    /// Worked out, and kept unless it had errors or is too long.
    Miss { is_kept: bool },
    /// Worked out without looking, for this reason.
    Bypass(Bypass),
}

/// Why the cache was not asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::api) enum Bypass {
    /// There is none.
    Off,
    /// The answer follows from more than records.
    Dependencies,
    /// Looking would take as long as answering.
    Cheap,
    /// The client asked for it.
    Wish,
    /// The database did not say how far it is.
    Unknown,
}
