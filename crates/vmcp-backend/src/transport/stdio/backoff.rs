//! When a crashed process may be started again.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::TargetLimits;

/// A process that ran this long is no longer suspected to crash at once. No setting: pauses are what an operator cares
/// for.
const STABLE: Duration = Duration::from_secs(60);
/// The longest that a call is kept waiting for a start; after that it is told at once that there is nobody. No setting:
/// it is as long as the first few pauses, and nobody is served by waiting for the later ones.
const PATIENCE: Duration = Duration::from_secs(5);

/// Remembers how processes ended: those of one session, or the starts of one backend that failed.
///
/// The pauses bound the starts: by default 6 within the first minute, 2 in each one after that.
#[derive(Debug)]
pub(crate) struct Backoff {
    first: Duration,
    longest: Duration,
    /// Protects what was noted; held to read or to write it only.
    state: Mutex<State>,
    /// Held by the one attempt that goes on while starts fail.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct State {
    not_before: Option<Instant>,
    pause: Duration,
}

// === impl Backoff ===

impl Backoff {
    /// With the pauses of these limits.
    pub(crate) fn new(limits: &TargetLimits) -> Self {
        Self {
            first: limits.reconnect.min(limits.max_reconnect),
            longest: limits.max_reconnect,
            state: Mutex::default(),
            turn: tokio::sync::Mutex::default(),
        }
    }

    /// A process ended by itself after it ran so long.
    pub(crate) fn ended(&self, ran: Duration) {
        let mut state = self.state.lock();
        let now = Instant::now();
        if state.not_before.is_some_and(|at| at > now) {
            // Several were started at the same time: they failed once.
            return;
        }
        state.pause = match ran >= STABLE || state.pause.is_zero() {
            true => self.first,
            false => state.pause.saturating_mul(2).min(self.longest),
        };
        state.not_before = Some(now + state.pause);
    }

    /// While starts fail there is one attempt at a time; whoever comes meanwhile waits for its end. Cancel-safe.
    pub(crate) async fn turn(&self) -> Option<tokio::sync::MutexGuard<'_, ()>> {
        let failing = self.state.lock().not_before.is_some();
        match failing {
            true => Some(self.turn.lock().await),
            false => None,
        }
    }

    /// A process started and is of use.
    pub(crate) fn worked(&self) {
        *self.state.lock() = State::default();
    }

    /// Waits until a process may be started; if that takes too long, says how long, at once. Cancel-safe.
    pub(crate) async fn wait(&self) -> Result<(), Duration> {
        let not_before = self.state.lock().not_before;
        let Some(not_before) = not_before else { return Ok(()) };
        let left = not_before.saturating_duration_since(Instant::now());
        if left > PATIENCE {
            return Err(left);
        }
        tokio::time::sleep_until(not_before).await;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn doubles_up_to_a_limit_and_forgets_after_a_stable_run() {
        let backoff = Backoff::new(&TargetLimits::default());
        let mut pauses = Vec::new();
        for ran in [0, 0, 0, 0, 0, 0, 0, 61, 0] {
            backoff.ended(Duration::from_secs(ran));
            let before = Instant::now();
            if let Err(left) = backoff.wait().await {
                assert!(left > PATIENCE && before.elapsed().is_zero());
                tokio::time::advance(left).await;
            }
            pauses.push(before.elapsed().as_secs());
        }
        assert_eq!(pauses, [1, 2, 4, 8, 16, 30, 30, 1, 2]);
        backoff.worked();
        let before = Instant::now();
        backoff.wait().await.unwrap();
        assert!(before.elapsed().is_zero());
    }

    #[tokio::test(start_paused = true)]
    async fn pauses_are_as_long_as_set() {
        for (first, longest, expected) in [(10, 35, [10, 20, 35]), (50, 7, [7, 7, 7])] {
            let (reconnect, max_reconnect) =
                (Duration::from_millis(first), Duration::from_millis(longest));
            let limits = TargetLimits { reconnect, max_reconnect, ..TargetLimits::default() };
            let backoff = Backoff::new(&limits);
            for pause in expected {
                backoff.ended(Duration::ZERO);
                let before = Instant::now();
                backoff.wait().await.unwrap();
                assert_eq!(before.elapsed(), Duration::from_millis(pause));
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn starts_of_what_crashes_at_once_are_bounded_by_the_minute() {
        let backoff = Backoff::new(&TargetLimits::default());
        let began = Instant::now();
        let mut starts = Vec::new();
        while began.elapsed() < Duration::from_secs(300) {
            match backoff.wait().await {
                Ok(()) => {
                    starts.push(began.elapsed().as_secs() / 60);
                    backoff.ended(Duration::ZERO);
                }
                // Whoever asks all the time gets no more than whoever waits.
                Err(_) => tokio::time::advance(Duration::from_millis(100)).await,
            }
        }
        let minute = |n| starts.iter().filter(|at| **at == n).count();
        assert!(minute(0) <= 6, "{starts:?}");
        assert!((1..5).all(|n| minute(n) <= 2), "{starts:?}");
    }
}
