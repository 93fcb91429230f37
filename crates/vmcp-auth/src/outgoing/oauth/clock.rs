//! The time of day, for what outlives the process: when a token ends.

use std::time::Duration;

use tokio::time::Instant;

use crate::wall_clock;

/// Seconds since 1970. Goes on with tokio's clock, so that a test can let time pass, and with the machine's, so
/// that a machine which slept wakes up late.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    started_at: Duration,
    started: Instant,
}

// === impl Clock ===

impl Clock {
    pub(super) fn start() -> Self {
        Self { started_at: wall_clock::since_1970(), started: Instant::now() }
    }

    pub(super) fn now(&self) -> u64 {
        wall_clock::since_1970().max(self.started_at + self.started.elapsed()).as_secs()
    }
}
