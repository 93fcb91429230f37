//! How many calls are in flight, so that closing can wait for them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::Notify;

/// Counts calls.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    count: AtomicUsize,
    none: Notify,
}

/// One call; counted until it is dropped.
#[derive(Debug)]
pub(crate) struct InFlight(Arc<Calls>);

// === impl Calls ===

impl Calls {
    pub(crate) fn enter(self: &Arc<Self>) -> InFlight {
        self.count.fetch_add(1, Ordering::AcqRel);
        InFlight(Arc::clone(self))
    }

    /// Returns once no call is in flight, or after `patience`.
    pub(crate) async fn idle(&self, patience: Duration) {
        let waiting = async {
            loop {
                let mut none = std::pin::pin!(self.none.notified());
                none.as_mut().enable();
                if self.count.load(Ordering::Acquire) == 0 {
                    return;
                }
                none.await;
            }
        };
        // Calls that do not end in time lose their session.
        let _ = tokio::time::timeout(patience, waiting).await;
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        if self.0.count.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.none.notify_waiters();
        }
    }
}
