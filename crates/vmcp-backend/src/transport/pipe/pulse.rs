//! Whether a backend that does not answer is alive.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::timeout;

/// What is known of a backend's being alive. Costs one atomic addition a message while nobody asks.
#[derive(Debug, Default)]
pub(super) struct Pulse {
    suspicion: Notify,
    beats: AtomicU64,
    /// Somebody waits for the next beat.
    awaited: AtomicBool,
    beat: Notify,
    /// The reader is held up by a call that does not read its reply.
    unheard: AtomicBool,
}

// === impl Pulse ===

impl Pulse {
    /// The backend said something.
    pub(super) fn beat(&self) {
        self.beats.fetch_add(1, Ordering::Relaxed);
        if self.awaited.load(Ordering::Acquire) {
            self.beat.notify_one();
        }
    }

    /// There is doubt.
    pub(super) fn suspect(&self) {
        self.suspicion.notify_one();
    }

    /// Returns once there is doubt. Cancel-safe.
    pub(super) async fn suspected(&self) {
        self.suspicion.notified().await;
    }

    /// Whether the backend says anything within `patience`. While nobody can hear it, time does not count.
    pub(super) async fn beats_within(&self, patience: Duration) -> bool {
        let before = self.beats.load(Ordering::Relaxed);
        self.awaited.store(true, Ordering::Release);
        let beaten = async {
            while self.beats.load(Ordering::Relaxed) == before {
                self.beat.notified().await;
            }
        };
        let mut beaten = std::pin::pin!(beaten);
        let alive = loop {
            if timeout(patience, &mut beaten).await.is_ok() {
                break true;
            }
            if !self.unheard.load(Ordering::Acquire) {
                break false;
            }
        };
        self.awaited.store(false, Ordering::Release);
        alive
    }

    /// Does what keeps the reader from reading.
    pub(super) async fn unheard<T>(&self, work: impl Future<Output = T>) -> T {
        self.unheard.store(true, Ordering::Release);
        let done = work.await;
        self.unheard.store(false, Ordering::Release);
        done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn a_beat_is_heard_and_silence_is_not_life() {
        let pulse = Pulse::default();
        pulse.beat();
        assert!(!pulse.beats_within(PATIENCE).await, "an old beat is none");
        let (alive, ()) = tokio::join!(pulse.beats_within(PATIENCE), async { pulse.beat() });
        assert!(alive);
    }

    #[tokio::test(start_paused = true)]
    async fn while_nobody_listens_silence_is_no_death() {
        let pulse = Pulse::default();
        let held_up = async {
            pulse.unheard(tokio::time::advance(PATIENCE * 5)).await;
            pulse.beat();
        };
        let (alive, ()) = tokio::join!(pulse.beats_within(PATIENCE), held_up);
        assert!(alive);
    }
}
