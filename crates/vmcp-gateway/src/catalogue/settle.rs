//! How long announcements of changes are let settle before a listing.

use std::time::Duration;

/// The least time between a `list_changed` and the listing it causes: a server that registers ten tools says so
/// ten times.
pub(crate) const SETTLE: Duration = Duration::from_millis(50);
/// The most it grows to while a backend announces changes and nothing changes.
const MOST: Duration = Duration::from_secs(5);

/// The time to let settle: it grows while a backend announces changes that are none, so that such a backend is listed
/// less and less often.
#[derive(Clone, Copy)]
pub(crate) struct Settle(Duration);

// === impl Settle ===

impl Settle {
    /// The time as it is now.
    pub(crate) fn time(self) -> Duration {
        self.0
    }

    /// What was announced was listed: did anything change?
    pub(crate) fn listed(&mut self, changed: bool) {
        self.0 = if changed { SETTLE } else { (self.0 * 2).min(MOST) };
    }
}

impl Default for Settle {
    fn default() -> Self {
        Self(SETTLE)
    }
}
