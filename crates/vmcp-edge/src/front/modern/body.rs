//! What a client without a session reads: an event stream, or one long message. When it goes, the call goes.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, Sleep};
use vmcp_wire::sse::{self, EventHead};

use super::answer::step;
use super::listen::Listen;
use super::long::Long;
use super::run::{Answer, Run, Said};
use crate::edge::Edge;
use crate::metrics::OpenStream;
use crate::respond::body::Cut;
use crate::session::outbox::Kind;
use crate::unwind;

type Step = Pin<Box<dyn Future<Output = (Flow, Option<Result<Bytes, Cut>>)> + Send>>;
type First = Pin<Box<dyn Future<Output = (Box<Run>, Said)> + Send>>;

/// The body of a response to a client without a session.
pub(crate) struct LoneBody {
    /// What is there before anything else.
    first: Option<Bytes>,
    /// `None` once everything is out.
    step: Option<Step>,
    /// Only event streams can be kept alive.
    keep_alive: Option<(Pin<Box<Sleep>>, Duration)>,
    _count: Option<OpenStream>,
}

/// Where the bytes come from.
enum Flow {
    Run(Box<Run>),
    Long { long: Long, events: bool, begun: bool, _run: Box<Run> },
    Listen(Box<Listen>),
    Over,
}

// === impl LoneBody ===

impl LoneBody {
    /// The rest of a call that has said something.
    pub(super) fn run(edge: &Arc<Edge>, run: Box<Run>, notice: &[u8]) -> Self {
        let mut body = Self::events(edge, next(Flow::Run(run)), Kind::Call);
        body.first = Some(EventHead::default().whole(notice));
        body
    }

    /// A call that has said nothing yet.
    pub(super) fn pending(edge: &Arc<Edge>, first: First) -> Self {
        let step = Box::pin(async move {
            let (run, said) = first.await;
            said_by(run, said)
        });
        Self::events(edge, step, Kind::Call)
    }

    /// A long answer, as an event or bare.
    pub(super) fn long(edge: &Arc<Edge>, run: Box<Run>, long: Long, events: bool) -> Self {
        let step = next(Flow::Long { long, events, begun: !events, _run: run });
        match events {
            true => Self::events(edge, step, Kind::Call),
            false => Self { first: None, step: Some(step), keep_alive: None, _count: None },
        }
    }

    /// Messages outside calls.
    pub(super) fn listen(edge: &Arc<Edge>, listen: Box<Listen>) -> Self {
        Self::events(edge, next(Flow::Listen(listen)), Kind::Standalone)
    }

    fn events(edge: &Arc<Edge>, step: Step, kind: Kind) -> Self {
        let period = edge.config.timeouts.keep_alive;
        Self {
            first: None,
            step: Some(step),
            keep_alive: Some((Box::pin(tokio::time::sleep(period)), period)),
            _count: Some(edge.metrics.open_stream(kind)),
        }
    }

    /// The next bytes.
    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Cut>>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(first)));
        }
        let Some(step) = &mut self.step else { return Poll::Ready(None) };
        match unwind::poll(step.as_mut(), cx) {
            Poll::Ready(Ok((flow, bytes))) => {
                self.step = match &bytes {
                    Some(Ok(_)) => Some(next(flow)),
                    _ => None,
                };
                if let Some((sleep, period)) = &mut self.keep_alive {
                    sleep.as_mut().reset(Instant::now() + *period);
                }
                Poll::Ready(bytes)
            }
            Poll::Ready(Err(unwind::Panicked)) => {
                self.step = None;
                Poll::Ready(Some(Err(Cut)))
            }
            Poll::Pending => {
                let Some((sleep, period)) = &mut self.keep_alive else { return Poll::Pending };
                ready!(sleep.as_mut().poll(cx));
                sleep.as_mut().reset(Instant::now() + *period);
                Poll::Ready(Some(Ok(sse::keep_alive())))
            }
        }
    }
}

fn next(mut flow: Flow) -> Step {
    Box::pin(async move {
        match flow {
            Flow::Run(run) => {
                let (run, said) = step(run).await;
                said_by(run, said)
            }
            Flow::Long { ref mut long, events, ref mut begun, .. } => {
                if !std::mem::replace(begun, true) {
                    return (flow, Some(Ok(EventHead::default().begin())));
                }
                match long.next().await {
                    Some(Ok(bytes)) if events => (flow, Some(Ok(sse::part(bytes)))),
                    Some(Ok(bytes)) => (flow, Some(Ok(bytes))),
                    Some(Err(_)) => (Flow::Over, Some(Err(Cut))),
                    None if events => (Flow::Over, Some(Ok(sse::end()))),
                    None => (Flow::Over, None),
                }
            }
            Flow::Listen(mut listen) => match listen.next().await {
                Some(message) => {
                    let event = EventHead::default().whole(&message);
                    (Flow::Listen(listen), Some(Ok(event)))
                }
                None => (Flow::Over, None),
            },
            Flow::Over => (Flow::Over, None),
        }
    })
}

fn said_by(run: Box<Run>, said: Said) -> (Flow, Option<Result<Bytes, Cut>>) {
    let head = EventHead::default();
    match said {
        Said::Notice(notice) => (Flow::Run(run), Some(Ok(head.whole(&notice)))),
        Said::End(Answer::Whole(_, bytes)) => (Flow::Over, Some(Ok(head.whole(&bytes)))),
        Said::End(Answer::Long(long)) => {
            let flow = Flow::Long { long, events: true, begun: true, _run: run };
            (flow, Some(Ok(head.begin())))
        }
    }
}
