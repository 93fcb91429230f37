//! The one place that spawns: tasks are owned by a guard, and end with it.

use std::future::Future;
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Owns background tasks. Dropping it aborts them.
pub(crate) struct Tasks {
    /// Protects the set; held only to add and to reap.
    set: Mutex<JoinSet<()>>,
    stop: CancellationToken,
}

/// Lets the tasks' own parts start more of them, without keeping the owner alive.
#[derive(Clone)]
pub(crate) struct Spawner(Weak<Tasks>);

// === impl Tasks ===

impl Tasks {
    /// An owner of nothing yet.
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { set: Mutex::new(JoinSet::new()), stop: CancellationToken::new() })
    }

    /// A handle that starts tasks.
    pub(crate) fn spawner(self: &Arc<Self>) -> Spawner {
        Spawner(Arc::downgrade(self))
    }

    /// Starts a task that ends at the next await after [`Tasks::stop`].
    pub(crate) fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
        let stop = self.stop.clone();
        let mut set = self.set.lock();
        while set.try_join_next().is_some() {}
        set.spawn(async move {
            stop.run_until_cancelled(future).await;
        });
    }

    /// Asks all tasks to end, waits for `grace`, then aborts what is left.
    pub(crate) async fn stop(&self, grace: Duration) {
        self.stop.cancel();
        let mut set = std::mem::take(&mut *self.set.lock());
        let all = async { while set.join_next().await.is_some() {} };
        // What is left when the time is up is aborted by the drop of the set.
        let _ = tokio::time::timeout(grace, all).await;
    }
}

// === impl Spawner ===

impl Spawner {
    /// Starts a task, unless the owner is gone.
    pub(crate) fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
        if let Some(tasks) = self.0.upgrade() {
            tasks.spawn(future);
        }
    }
}

/// Runs `work` on a thread that may block; it runs to its end, whatever becomes of who waits for it.
pub(crate) async fn blocking(work: impl FnOnce() + Send + 'static) {
    // Fails if the runtime ends before, or if it panics, which is told by then.
    let _ = tokio::task::spawn_blocking(work).await;
}

/// Runs all of them at the same time and waits for the last. Dropped, it aborts them.
pub(crate) async fn all<F>(futures: impl IntoIterator<Item = F>)
where
    F: Future<Output = ()> + Send + 'static,
{
    let mut set: JoinSet<()> = futures.into_iter().collect();
    while set.join_next().await.is_some() {}
}
