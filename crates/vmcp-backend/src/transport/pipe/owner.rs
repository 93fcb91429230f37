//! Who owns a shared connection's tasks, and its process if there is one.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use super::Pipe;
use crate::tasks::Task;

/// How long an orderly end may take before it is enforced.
const ENDING: Duration = Duration::from_secs(6);

/// Owns a pipe's tasks. Dropping it ends them at once, and with them a process and all that it started.
pub(crate) struct Owner {
    pipe: Arc<Pipe>,
    /// Ends writing, so that the backend sees the end of its input.
    stop: CancellationToken,
    /// In the order in which an orderly end waits for them.
    tasks: Mutex<Vec<Task>>,
    /// Those that an orderly end does not wait for.
    kept: Mutex<Vec<Task>>,
}

// === impl Owner ===

impl Owner {
    pub(crate) fn new(pipe: &Arc<Pipe>, stop: CancellationToken, tasks: Vec<Task>) -> Self {
        Self { pipe: Arc::clone(pipe), stop, tasks: Mutex::new(tasks), kept: Mutex::default() }
    }

    /// One more task, which an orderly end just ends.
    pub(crate) fn keep(&self, task: Task) {
        self.kept.lock().push(task);
    }

    /// Ends the connection in an orderly way, within bounds.
    pub(crate) async fn close(&self) {
        self.pipe.retire();
        self.stop.cancel();
        let tasks = std::mem::take(&mut *self.tasks.lock());
        let ending = async move {
            for mut task in tasks {
                task.ended().await;
            }
        };
        if tokio::time::timeout(ENDING, ending).await.is_err() {
            tracing::debug!(backend = %self.pipe.backend, "the connection did not end by itself");
        }
        self.kept.lock().clear();
    }
}
