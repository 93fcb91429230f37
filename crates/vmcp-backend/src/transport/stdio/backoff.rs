//! When a crashed process may be started again.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(30);
/// A process that ran this long is no longer suspected to crash at once.
const STABLE: Duration = Duration::from_secs(60);

/// Remembers how a backend's processes ended.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    not_before: Option<Instant>,
    pause: Duration,
}

// === impl Backoff ===

impl Backoff {
    /// A process ended by itself after it ran so long.
    pub(crate) fn ended(&self, ran: Duration) {
        let mut state = self.state.lock();
        state.pause = match ran >= STABLE || state.pause.is_zero() {
            true => FIRST,
            false => (state.pause * 2).min(LONGEST),
        };
        state.not_before = Some(Instant::now() + state.pause);
    }

    /// Waits until a process may be started. Cancel-safe.
    pub(crate) async fn wait(&self) {
        let not_before = self.state.lock().not_before;
        if let Some(not_before) = not_before {
            tokio::time::sleep_until(not_before).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn doubles_up_to_a_limit_and_forgets_after_a_stable_run() {
        let backoff = Backoff::default();
        let mut pauses = Vec::new();
        for ran in [0, 0, 0, 0, 0, 0, 0, 61, 0] {
            backoff.ended(Duration::from_secs(ran));
            let before = Instant::now();
            backoff.wait().await;
            pauses.push(before.elapsed().as_secs());
        }
        assert_eq!(pauses, [1, 2, 4, 8, 16, 30, 30, 1, 2]);
    }
}
