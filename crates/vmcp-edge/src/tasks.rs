//! The only place of this crate that starts tasks, and the owner of each.
//!
//! A task is a connection, the rest of an exchange whose client is gone, or the sweeper. All end at
//! [`Tasks::stop`] at the latest: nothing outlives the server.

use std::time::Duration;

use tokio::runtime::Handle;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The tasks of one server. Clones are the same set.
#[derive(Clone, Default)]
pub(crate) struct Tasks {
    tracker: TaskTracker,
    draining: CancellationToken,
    stopped: CancellationToken,
}

// === impl Tasks ===

impl Tasks {
    /// A set of its own, which can be stopped by itself and stops with this one.
    pub(crate) fn part(&self) -> Self {
        let (draining, stopped) = (self.draining.child_token(), self.stopped.child_token());
        Self { tracker: TaskTracker::new(), draining, stopped }
    }

    /// Runs `task` on the current runtime until it ends or the server stops.
    pub(crate) fn run(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.run_on(&Handle::current(), task);
    }

    /// Runs `task` on this runtime until it ends or the server stops.
    pub(crate) fn run_on(&self, runtime: &Handle, task: impl Future<Output = ()> + Send + 'static) {
        if self.stopped.is_cancelled() {
            return;
        }
        let stopped = self.stopped.clone();
        // Boxed, or each layer around it would take its whole size once more.
        let task = Box::pin(task);
        let until_stopped = async move {
            tokio::select! {
                biased;
                () = stopped.cancelled_owned() => {}
                () = task => {}
            }
        };
        self.tracker.spawn_on(until_stopped, runtime);
    }

    /// Runs `task` until it ends, for at most `limit`.
    pub(crate) fn run_for(&self, limit: Duration, task: impl Future<Output = ()> + Send + 'static) {
        self.run(async move {
            if tokio::time::timeout(limit, task).await.is_err() {
                tracing::debug!("a background task reached its limit");
            }
        });
    }

    /// Fires when no new work is taken any more.
    pub(crate) fn draining(&self) -> &CancellationToken {
        &self.draining
    }

    /// Takes no new work from now on.
    pub(crate) fn drain(&self) {
        self.draining.cancel();
    }

    /// Waits for at most `grace` until all tasks have ended, then ends them.
    pub(crate) async fn stop(&self, grace: Duration) {
        self.drain();
        self.tracker.close();
        if tokio::time::timeout(grace, self.tracker.wait()).await.is_err() {
            tracing::warn!(tasks = self.tracker.len(), "the grace period is over");
        }
        self.stopped.cancel();
        self.tracker.wait().await;
    }
}

/// Runs all of them at the same time; gives the outcomes of those that did not panic, in no order.
///
/// Cancel safe: dropped, they end at their next await.
pub(crate) async fn join<T: Send + 'static>(
    futures: impl IntoIterator<Item = impl Future<Output = T> + Send + 'static>,
) -> Vec<T> {
    let mut set: JoinSet<T> = futures.into_iter().collect();
    let mut outcomes = Vec::with_capacity(set.len());
    while let Some(outcome) = set.join_next().await {
        outcomes.extend(outcome.ok());
    }
    outcomes
}

/// Runs what blocks on a thread for it; `None` if it panicked.
///
/// Cancel safe: what was begun goes on, only its outcome is lost.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    tokio::task::spawn_blocking(work).await.ok()
}

/// Lets hyper start one task per request of an HTTP/2 connection.
impl<F> hyper::rt::Executor<F> for Tasks
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, future: F) {
        self.run(future);
    }
}
