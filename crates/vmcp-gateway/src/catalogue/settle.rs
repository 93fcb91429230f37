//! How long announcements of changes are let settle before a listing.

use std::time::Duration;

/// The most the time grows to, unless it is longer from the start. No setting: it is nothing that anybody waits for, since
/// it is reached only while a backend announces changes and nothing changes.
const MOST: Duration = Duration::from_secs(5);

/// The time to let settle, since a server that registers ten tools says so ten times. It grows while a backend
/// announces changes that are none, so that such a backend is listed less and less often.
#[derive(Clone, Copy)]
pub(crate) struct Settle {
    least: Duration,
    time: Duration,
}

// === impl Settle ===

impl Settle {
    /// Starts with `least`, see [`vmcp_config::Timeouts::settle`].
    pub(crate) fn new(least: Duration) -> Self {
        Self { least, time: least }
    }

    /// The least time between an announcement and the listing it causes.
    pub(crate) fn least(self) -> Duration {
        self.least
    }

    /// The time as it is now.
    pub(crate) fn time(self) -> Duration {
        self.time
    }

    /// What was announced was listed: did anything change?
    pub(crate) fn listed(&mut self, changed: bool) {
        match changed {
            true => self.reset(),
            false => self.time = self.time.saturating_mul(2).min(MOST.max(self.least)),
        }
    }

    /// Forgets the past.
    pub(crate) fn reset(&mut self) {
        self.time = self.least;
    }
}
