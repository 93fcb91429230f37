//! How long a call may take, and the one place where waiting for a backend ends early.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};
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
}

// === impl Clock ===

impl Clock {
    /// A backend may be silent for `silence`, and the call may take `longest` at most.
    pub(crate) fn new(silence: Duration, longest: Duration) -> Self {
        let started = Instant::now();
        let last = started + longest;
        Self { silence, until: (started + silence).min(last), touched: started, started, last }
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
}

/// Waits for `work`, until the call is taken back or its time is over. While the backend waits for the client
/// (`open`), its silence is not its own and only the last deadline counts.
pub(crate) async fn guarded<T>(
    backend: &BackendId,
    cancel: &Cancel,
    clock: &mut Clock,
    open: &OpenRequests,
    work: impl Future<Output = Result<T, CallError>>,
) -> Result<T, CallError> {
    let mut work = std::pin::pin!(work);
    loop {
        tokio::select! {
            biased;
            // First, so that nothing comes after a cancellation.
            () = cancel.cancelled() => {
                let mut error = CallError::backend(backend, ErrorKind::Cancelled, Executed::Unknown);
                error.side = Side::Client;
                return Err(error);
            }
            outcome = &mut work => return outcome,
            () = sleep_until(clock.until) => {
                if open.any() && !clock.is_final() {
                    clock.touch();
                    continue;
                }
                let kind = ErrorKind::Timeout(clock.expired());
                return Err(CallError::backend(backend, kind, Executed::Unknown));
            }
        }
    }
}
