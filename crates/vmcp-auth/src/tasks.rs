//! The only place where tasks are started.

use tokio::sync::oneshot;

/// Runs `work` to its end, whatever becomes of who waits for it; `None` if the runtime ends before.
pub(crate) async fn detached<T: Send + 'static>(
    work: impl Future<Output = T> + Send + 'static,
) -> Option<T> {
    let (give, take) = oneshot::channel();
    drop(tokio::spawn(async move {
        // Nobody may be waiting any more; the work was for more than its answer.
        let _ = give.send(work.await);
    }));
    take.await.ok()
}

/// Runs `work` on a thread that may block; it runs to its end, whatever becomes of who waits for it. `None` if the
/// runtime ends before.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    tokio::task::spawn_blocking(work).await.ok()
}
