//! The time of day.
//!
//! Durations here are measured with tokio's clock, which a test can pause. The machine's clock may jump or be wrong; it
//! is read in this file alone, for what others wrote down or will read: when an assertion or a stored token ends, and
//! when a request was signed.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Since 1970; zero on a machine that believes to be before.
pub(crate) fn since_1970() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// The same, in whole seconds.
pub(crate) fn seconds() -> u64 {
    since_1970().as_secs()
}
