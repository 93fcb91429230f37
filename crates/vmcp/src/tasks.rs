//! The only place where tasks are spawned.

/// A task that ends by itself: with the stream it serves, or with the process.
pub(crate) fn detach(task: impl Future<Output = ()> + Send + 'static) {
    drop(tokio::spawn(task));
}
