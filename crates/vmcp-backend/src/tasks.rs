//! The only place where tasks are spawned.
//!
//! A [`Task`] ends with its guard, so whoever owns the guard owns the task. An errand is work that must happen
//! although nobody can wait for it (a notice of cancellation sent from a `Drop`): it owns what it needs and ends
//! after a deadline at the latest.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::runtime::{EnterGuard, Handle};
use tokio::task::JoinHandle;

/// How long an errand may take.
const ERRAND: Duration = Duration::from_secs(5);

/// A task that is aborted when this is dropped.
#[derive(Debug)]
pub(crate) struct Task(JoinHandle<()>);

/// Runs errands, also from code that is not async.
#[derive(Debug, Clone)]
pub(crate) struct Errands(Handle);

/// The runtimes on which the pipes of processes are read and written; if none was given, the current one.
#[derive(Debug, Clone, Default)]
pub(crate) struct PipeRuntimes(Arc<[Handle]>, Arc<AtomicUsize>);

// === impl PipeRuntimes ===

impl PipeRuntimes {
    pub(crate) fn new(runtimes: &[Handle]) -> Self {
        Self(runtimes.into(), Arc::default())
    }

    /// Until the guard is dropped, what is opened or started belongs to one of them: the current one if it is among
    /// them, since whoever opens there calls from there, or else the next in turn.
    pub(crate) fn enter(&self) -> Option<EnterGuard<'_>> {
        let here = Handle::current().id();
        if self.0.is_empty() || self.0.iter().any(|runtime| runtime.id() == here) {
            return None;
        }
        let turn = self.1.fetch_add(1, Ordering::Relaxed);
        Some(self.0[turn % self.0.len()].enter())
    }
}

// === impl Task ===

impl Task {
    /// Starts it on the current runtime.
    pub(crate) fn start(work: impl Future<Output = ()> + Send + 'static) -> Self {
        Self(tokio::spawn(work))
    }

    /// Returns once it has ended by itself. Cancel-safe: the task is still owned by the guard.
    pub(crate) async fn ended(&mut self) {
        // A task that panicked has ended too; the panic was reported where it happened.
        let _ = (&mut self.0).await;
    }

    pub(crate) fn is_over(&self) -> bool {
        self.0.is_finished()
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

// === impl Errands ===

impl Errands {
    /// On the current runtime.
    pub(crate) fn here() -> Self {
        Self(Handle::current())
    }

    /// Does `work` in the background, for a bounded time.
    pub(crate) fn run(&self, work: impl Future<Output = ()> + Send + 'static) {
        drop(self.start(work));
    }

    /// Does `work` in the background and waits for it; dropping the future does not stop the work.
    pub(crate) async fn finish(&self, work: impl Future<Output = ()> + Send + 'static) {
        let _ = self.start(work).await;
    }

    fn start(&self, work: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
        self.0.spawn(async move {
            if tokio::time::timeout(ERRAND, work).await.is_err() {
                tracing::debug!("an errand took too long and was given up");
            }
        })
    }
}
