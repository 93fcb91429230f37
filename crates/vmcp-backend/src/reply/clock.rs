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

/// Waits for `work`, until the call is taken back or its time is over. While the backend waits for the client (what is
/// `open`, and what is asked outside the reply), its silence is not its own and only the last deadline counts.
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
            // Both are asked: each forgets what was answered.
            let excused = open.waits().excuse() | cancel.waits().excuse();
            if !excused || clock.is_final() {
                let kind = ErrorKind::Timeout(clock.expired());
                return Poll::Ready(Err(CallError::backend(backend, kind, Executed::Unknown)));
            }
            clock.touch();
        }
        Poll::Pending
    })
    .await
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use tokio::time::timeout;
    use vmcp_wire::{Limits, Message};

    use super::*;
    use crate::PeerRequest;
    use crate::dialect::Answers;
    use crate::tasks::Errands;
    use crate::transport::Answerer;

    const SILENCE: Duration = Duration::from_secs(10);

    /// A question whose answer nobody waits for.
    fn question(open: Option<&OpenRequests>) -> PeerRequest {
        let text = br#"{"jsonrpc":"2.0","id":1,"method":"roots/list"}"#;
        let message = Message::parse(Bytes::from_static(text), &Limits::default()).unwrap();
        let answerer = Answerer::Collected(Answers::to(&[]), 0, Limits::default());
        PeerRequest::new(message, &answerer, &Errands::here(), open).unwrap()
    }

    /// A client thinks about `question` for longer than the backend may be silent; then the backend is silent.
    async fn check(question: PeerRequest, cancel: &Cancel, open: &OpenRequests) {
        let backend = BackendId::new("b");
        let mut clock = Clock::new(SILENCE, SILENCE * 100);
        let mut silent = std::pin::pin!(std::future::pending::<Result<(), CallError>>());
        let waiting = guarded(&backend, cancel, &mut clock, open, silent.as_mut());
        let thinking = timeout(SILENCE * 25 / 10, waiting).await;
        assert!(thinking.is_err(), "{thinking:?}");
        drop(question);
        let answered = Instant::now();
        let waiting = guarded(&backend, cancel, &mut clock, open, silent.as_mut());
        assert_eq!(waiting.await.unwrap_err().kind, ErrorKind::Timeout(SILENCE));
        // Never less than it may be silent, and not for ever.
        let silence = answered.elapsed();
        assert!((SILENCE..SILENCE * 2).contains(&silence), "{silence:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_backend_may_be_silent_anew_after_the_client_has_answered() {
        let (cancel, open) = (Cancel::new(), OpenRequests::default());
        check(question(Some(&open)), &cancel, &open).await;
        check(question(None).of_call(&cancel), &cancel, &open).await;
        // What came with the reply is from now on the call's otherwise.
        check(question(Some(&open)).of_call(&cancel), &cancel, &open).await;
    }

    #[tokio::test(start_paused = true)]
    async fn the_last_deadline_waits_for_nobody() {
        let (cancel, open) = (Cancel::new(), OpenRequests::default());
        let _asked = question(None).of_call(&cancel);
        let mut clock = Clock::new(SILENCE, SILENCE * 3);
        let (backend, started) = (BackendId::new("b"), Instant::now());
        let silent = std::pin::pin!(std::future::pending::<Result<(), CallError>>());
        let error = guarded(&backend, &cancel, &mut clock, &open, silent).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Timeout(SILENCE * 3));
        assert_eq!(started.elapsed(), SILENCE * 3);
    }
}
