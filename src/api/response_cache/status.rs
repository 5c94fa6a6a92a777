//! What a request demands of the cache, and what the cache did for it.

use std::time::Duration;

/// The `Cache-Control` of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::api) enum CacheDirective {
    /// `max-age`: a response may be this old; zero, the default, means current.
    MaxAge(Duration),
    /// `no-cache`: computed from the database, and then stored.
    NoCache,
    /// `no-store`: computed from the database, and not stored.
    NoStore,
}

/// No response is older than this, whatever `max-age` says.
pub(in crate::api) const MAX_AGE: Duration = Duration::from_secs(60);

/// What the cache did for a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::api) enum CacheStatus {
    /// Served from the cache, by this server or another; the entry was current so many whole seconds ago.
    Hit { age: u64 },
    /// Served with the response of an equal request that was running.
    Collapsed,
    /// Computed; stored unless it has errors, is too long or concerns one person.
    Miss { is_stored: bool },
    /// Computed without a look-up.
    Bypass(Bypass),
}

/// Why the cache was bypassed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::api) enum Bypass {
    /// The cache is off.
    Off,
    /// The response depends on more than records.
    Dependencies,
    /// A look-up would take as long as computing the response.
    Cheap,
    /// The request's directive.
    Directive,
    /// The database did not answer how current its data is.
    Unknown,
}
