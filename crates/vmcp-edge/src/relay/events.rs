//! The body of an event stream: what a reader of the outbox gets, kept alive by comments.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, Sleep};
use vmcp_wire::sse;

use crate::edge::Edge;
use crate::metrics::OpenStream;
use crate::respond::body::Cut;
use crate::session::Session;
use crate::session::outbox::{EventId, Kind, Refusal, Seat};
use crate::unwind;

/// Between two comments to a client that has closed its sending half. If it is gone, the second fails.
const DOUBTFUL: Duration = Duration::from_secs(1);

type Driver = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The one reader of a stream, as long as nobody takes over.
pub(crate) struct Reader {
    session: Arc<Session>,
    seat: Seat,
    kind: Kind,
    _count: OpenStream,
}

/// The body of an event stream.
pub(crate) struct EventsBody {
    edge: Arc<Edge>,
    reader: Reader,
    /// Writes the stream, if it is a call's; it runs whenever the reader has nothing to read.
    driver: Option<Driver>,
    keep_alive: Pin<Box<Sleep>>,
    period: Duration,
    /// The client may be gone.
    doubtful: bool,
}

// === impl Reader ===

impl Reader {
    pub(super) fn for_call(edge: &Edge, session: &Arc<Session>) -> Self {
        let seat = session.client().outbox.open_call();
        Self::new(edge, session, seat, Kind::Call)
    }

    /// Opens a stream for messages outside calls.
    pub(crate) fn standalone(edge: &Edge, session: &Arc<Session>) -> Result<Self, Refusal> {
        let seat = session.client().outbox.open_standalone()?;
        let reader = Self::new(edge, session, seat, Kind::Standalone);
        session.listen();
        Ok(reader)
    }

    /// Goes on with a stream after the event with this id.
    pub(crate) fn resume(
        edge: &Edge,
        session: &Arc<Session>,
        after: EventId,
    ) -> Result<Self, Refusal> {
        let seat = session.client().outbox.resume(after)?;
        let reader = Self::new(edge, session, seat, after.kind);
        session.listen();
        Ok(reader)
    }

    fn new(edge: &Edge, session: &Arc<Session>, seat: Seat, kind: Kind) -> Self {
        Self { session: Arc::clone(session), seat, kind, _count: edge.metrics.open_stream(kind) }
    }

    pub(super) fn stream(&self) -> u32 {
        self.seat.stream
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.session.touch();
        self.session.client().outbox.leave(self.seat);
        if self.kind == Kind::Standalone {
            self.session.listen();
        }
    }
}

// === impl EventsBody ===

impl EventsBody {
    pub(crate) fn new(edge: &Arc<Edge>, reader: Reader, driver: Option<Driver>) -> Self {
        let period = edge.config.timeouts.keep_alive;
        let keep_alive = Box::pin(tokio::time::sleep(period));
        Self { edge: Arc::clone(edge), reader, driver, keep_alive, period, doubtful: false }
    }

    /// Whether the stream answers a call.
    pub(crate) fn is_answer(&self) -> bool {
        self.reader.kind == Kind::Call
    }

    /// The next bytes. With `doubtful`, the client may be gone, which only writing to it can show.
    pub(crate) fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
        doubtful: bool,
    ) -> Poll<Option<Result<Bytes, Cut>>> {
        if doubtful && !self.doubtful {
            self.doubtful = true;
            self.period = self.period.min(DOUBTFUL);
            self.keep_alive.as_mut().reset(Instant::now());
        }
        let outbox = &self.reader.session.client().outbox;
        // First what is there, without asking to be woken; then whoever writes more; then the wait.
        let mut next = outbox.poll_next(self.reader.seat, None);
        if next.is_pending() && self.driver.is_some() {
            drive(&mut self.driver, cx);
            next = outbox.poll_next(self.reader.seat, None);
        }
        if next.is_pending() {
            next = outbox.poll_next(self.reader.seat, Some(cx));
        }
        match next {
            Poll::Ready(next) => {
                self.keep_alive.as_mut().reset(Instant::now() + self.period);
                Poll::Ready(next.map(|bytes| bytes.map_err(|_| Cut)))
            }
            Poll::Pending => {
                ready!(self.keep_alive.as_mut().poll(cx));
                self.keep_alive.as_mut().reset(Instant::now() + self.period);
                Poll::Ready(Some(Ok(sse::keep_alive())))
            }
        }
    }
}

/// Lets the writer go on. However it ends, a panic included, it leaves an answer and the end of the stream.
fn drive(driver: &mut Option<Driver>, cx: &mut Context<'_>) {
    let Some(mut future) = driver.take() else { return };
    if unwind::poll(future.as_mut(), cx).is_pending() {
        *driver = Some(future);
    }
}

impl Drop for EventsBody {
    fn drop(&mut self) {
        if let Some(driver) = self.driver.take() {
            self.edge.tasks.run_for(self.edge.config.timeouts.abandoned, driver);
        }
    }
}
