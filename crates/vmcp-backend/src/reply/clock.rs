//! How long a call may take, and the one place where waiting for a backend ends early.

use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};
use vmcp_config::BackendId;

use crate::peer::OpenRequests;
use crate::{CallError, Cancel, ErrorKind, Executed, Side};

/// Two deadlines: one that every sign of life puts off, and one that nothing does.
#[derive(Debug)]
pub(crate) struct Clock {
    silence: Duration,
    until: Instant,
    touched: Instant,
    started: Instant,
    last: Instant,
    /// Made when there is something to wait for, and set anew when it rings: few calls live to hear it.
    bell: Option<Pin<Box<Sleep>>>,
}

// === impl Clock ===

impl Clock {
    /// A backend may be silent for `silence`, and the call may take `longest` at most.
    pub(crate) fn new(silence: Duration, longest: Duration) -> Self {
        let started = Instant::now();
        let last = started + longest;
        let until = (started + silence).min(last);
        Self { silence, until, touched: started, started, last, bell: None }
    }

    /// The backend gave a sign of life.
    pub(crate) fn touch(&mut self) {
        self.touched = Instant::now();
        self.until = (self.touched + self.silence).min(self.last);
    }

    /// Whether a call that ended with `error` leaves a doubt that its backend is alive: nobody waited longer for it, or
    /// not any longer, and it was silent for at least `patience`.
    pub(crate) fn doubts(&self, error: &CallError, patience: Duration) -> bool {
        match error.kind {
            ErrorKind::Timeout(_) => true,
            ErrorKind::Cancelled => self.touched.elapsed() >= patience,
            _ => false,
        }
    }

    /// After how long the call is given up, if it is given up now.
    fn expired(&self) -> Duration {
        match self.until == self.last {
            true => self.last - self.started,
            false => self.silence,
        }
    }

    fn is_final(&self) -> bool {
        self.until >= self.last
    }

    /// Ready once the time is over.
    fn poll_over(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let bell = self.bell.get_or_insert_with(|| Box::pin(sleep_until(self.until)));
        loop {
            ready!(bell.as_mut().poll(cx));
            if bell.deadline() >= self.until {
                return Poll::Ready(());
            }
            bell.as_mut().reset(self.until);
        }
    }
}

/// Waits for `work`, until the call is taken back or its time is over. While the backend waits for the client
/// (`open`), its silence is not its own and only the last deadline counts.
pub(crate) async fn guarded<T>(
    backend: &BackendId,
    cancel: &Cancel,
    clock: &mut Clock,
    open: &OpenRequests,
    mut work: impl Future<Output = Result<T, CallError>> + Unpin,
) -> Result<T, CallError> {
    let mut taken_back = pin!(cancel.cancelled());
    let cancelled = || {
        let mut error = CallError::backend(backend, ErrorKind::Cancelled, Executed::Unknown);
        error.side = Side::Client;
        Poll::Ready(Err(error))
    };
    std::future::poll_fn(|cx| {
        // First, so that nothing comes after a cancellation.
        if cancel.is_cancelled() {
            return cancelled();
        }
        if let Poll::Ready(outcome) = Pin::new(&mut work).poll(cx) {
            return Poll::Ready(outcome);
        }
        if taken_back.as_mut().poll(cx).is_ready() {
            return cancelled();
        }
        while clock.poll_over(cx).is_ready() {
            if !open.any() || clock.is_final() {
                let kind = ErrorKind::Timeout(clock.expired());
                return Poll::Ready(Err(CallError::backend(backend, kind, Executed::Unknown)));
            }
            clock.touch();
        }
        Poll::Pending
    })
    .await
}
