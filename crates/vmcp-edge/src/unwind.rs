//! A panic costs one request, never the process or the other requests of a connection.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

/// The future panicked. What it had in hand is lost; it must not be polled again.
#[derive(Debug)]
pub(crate) struct Panicked;

/// Polls once; a panic becomes an error. The panic hook has reported it by then.
pub(crate) fn poll<F: Future + ?Sized>(
    future: Pin<&mut F>,
    cx: &mut Context<'_>,
) -> Poll<Result<F::Output, Panicked>> {
    // A future that panicked is never polled again, so nobody sees what it left half done; what it shares
    // with others stands behind locks whose sections do not panic.
    match catch_unwind(AssertUnwindSafe(|| future.poll(cx))) {
        Ok(poll) => poll.map(Ok),
        Err(_) => Poll::Ready(Err(Panicked)),
    }
}

/// Runs to the end; a panic becomes an error.
pub(crate) async fn guarded<F: Future>(future: F) -> Result<F::Output, Panicked> {
    let mut future = std::pin::pin!(future);
    std::future::poll_fn(|cx| poll(future.as_mut(), cx)).await
}

#[cfg(test)]
mod tests {
    use super::guarded;

    #[tokio::test]
    async fn a_panic_between_two_awaits_is_an_error_and_the_thread_goes_on() {
        let fragile = async {
            tokio::task::yield_now().await;
            assert!(std::hint::black_box(false), "on purpose");
        };
        assert!(guarded(fragile).await.is_err());
        assert_eq!(guarded(async { 7 }).await.ok(), Some(7));
    }
}
