//! Locks by name, within one process.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use tokio::sync::OwnedMutexGuard;

/// One lock for each name that somebody waits for or holds.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// Short sections only; nothing waits under it.
    locks: Mutex<HashMap<String, Weak<tokio::sync::Mutex<()>>>>,
}

// === impl Names ===

impl Names {
    pub(super) async fn lock(&self, name: &str) -> OwnedMutexGuard<()> {
        let lock = {
            let mut locks = self.locks.lock();
            match locks.get(name).and_then(Weak::upgrade) {
                Some(lock) => lock,
                None => {
                    locks.retain(|_, lock| lock.strong_count() > 0);
                    let lock = Arc::new(tokio::sync::Mutex::new(()));
                    locks.insert(name.to_owned(), Arc::downgrade(&lock));
                    lock
                }
            }
        };
        lock.lock_owned().await
    }
}
