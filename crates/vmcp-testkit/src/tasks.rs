//! The one place of this crate that spawns: tasks live in a guard and end with it.

use std::future::Future;

use parking_lot::Mutex;
use tokio::task::JoinSet;

/// Owns tasks; all of them end when it is dropped or cleared.
#[derive(Default)]
pub(crate) struct Tasks {
    /// Protects the set; held only to add to it or to empty it.
    set: Mutex<JoinSet<()>>,
}

// === impl Tasks ===

impl Tasks {
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut set = self.set.lock();
        while set.try_join_next().is_some() {}
        set.spawn(task);
    }

    /// Ends all tasks, soon.
    pub(crate) fn abort(&self) {
        self.set.lock().abort_all();
    }

    /// Ends all tasks and waits until they are gone, so that their sockets are closed afterwards.
    pub(crate) async fn clear(&self) {
        let mut set = std::mem::take(&mut *self.set.lock());
        set.shutdown().await;
    }
}
