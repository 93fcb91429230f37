//! Unix time that follows the clock of tokio, so that a test that advances it makes tokens expire here too.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

pub(crate) struct Clock {
    started: Instant,
    then: Duration,
}

// === impl Clock ===

impl Clock {
    pub(crate) fn start() -> Self {
        let then = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { started: Instant::now(), then }
    }

    /// Seconds since 1970.
    pub(crate) fn now(&self) -> u64 {
        (self.then + self.started.elapsed()).as_secs()
    }
}
