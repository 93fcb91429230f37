//! A client that disconnects has not taken its call back.
//!
//! While its connection lives, a call runs inside the connection's own task: the usual call starts no task
//! of its own. When the connection goes first, the future of the call is dropped unfinished, and moves into
//! a background task instead of ending.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use super::begin::First;
use crate::tasks::Tasks;

/// A future that goes on in the background when it is dropped before its end.
pub(super) struct Detach {
    future: Option<Pin<Box<dyn Future<Output = First> + Send>>>,
    tasks: Tasks,
    limit: Duration,
}

// === impl Detach ===

impl Detach {
    pub(super) fn new(
        tasks: Tasks,
        limit: Duration,
        future: impl Future<Output = First> + Send + 'static,
    ) -> Self {
        Self { future: Some(Box::pin(future)), tasks, limit }
    }
}

impl Future for Detach {
    type Output = First;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<First> {
        // Taken out while it is polled, so that one that panics is not polled again in the background.
        let Some(mut future) = self.future.take() else { return Poll::Pending };
        let poll = future.as_mut().poll(cx);
        if poll.is_pending() {
            self.future = Some(future);
        }
        poll
    }
}

impl Drop for Detach {
    fn drop(&mut self) {
        if let Some(future) = self.future.take() {
            self.tasks.run_for(self.limit, async move { future.await.abandon().await });
        }
    }
}
