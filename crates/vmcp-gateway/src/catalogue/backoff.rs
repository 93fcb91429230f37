//! How long to wait before the next attempt.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

/// The pause after `failures` attempts that failed in a row: doubling, with jitter, so that the replicas of a
/// restarted backend are not all asked at the same moment by everybody who waited for them.
pub(crate) fn pause(failures: u32, first: Duration, longest: Duration) -> Duration {
    let doubled = first.saturating_mul(1 << failures.saturating_sub(1).min(10));
    let full = doubled.min(longest);
    // Between three quarters and the whole.
    full - full.mul_f64(f64::from(random()) / f64::from(u32::MAX) / 4.0)
}

/// A number that differs between calls and processes. Nothing secret hangs on it.
fn random() -> u32 {
    (RandomState::new().build_hasher().finish() >> 32) as u32
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::pause;

    #[test]
    fn pauses_double_up_to_a_bound() {
        let (first, longest) = (Duration::from_secs(1), Duration::from_secs(30));
        for (failures, most) in [(0, 1), (1, 1), (2, 2), (3, 4), (5, 16), (6, 30), (40, 30)] {
            let most = Duration::from_secs(most);
            for _ in 0..20 {
                let pause = pause(failures, first, longest);
                assert!(pause <= most && pause >= most.mul_f64(0.74), "{failures}: {pause:?}");
            }
        }
    }
}
