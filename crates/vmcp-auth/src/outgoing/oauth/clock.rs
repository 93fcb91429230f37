//! The time of day, for what outlives the process: when a token ends.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

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
        Self { started_at: machine(), started: Instant::now() }
    }

    pub(super) fn now(&self) -> u64 {
        machine().max(self.started_at + self.started.elapsed()).as_secs()
    }
}

fn machine() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}
