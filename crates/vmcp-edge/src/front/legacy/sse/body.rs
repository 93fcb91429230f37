//! The body of the stream: lines of the session as events, kept alive by comments.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::time::{Instant, Sleep};
use vmcp_wire::sse::{self, EventHead};

use crate::edge::Edge;
use crate::front::stdio::{Line, Part};
use crate::metrics::OpenStream;
use crate::session::SessionId;
use crate::session::outbox::Kind;

/// How every event with a message starts.
const MESSAGE: EventHead<'static> = EventHead { event: Some("message"), id: None, retry: None };
/// Ends an event whose message broke off. The name that comes last counts (HTML §9.2.6), and nobody listens for this one.
const CUT: &[u8] = b"\nevent: cut\n\n";

/// What goes to the client. Dropped with the connection, which ends the session.
pub(crate) struct ChannelBody {
    edge: Arc<Edge>,
    id: SessionId,
    /// The event that says where to post.
    first: Option<Bytes>,
    lines: mpsc::Receiver<Line>,
    /// The rest of a long message.
    long: Option<mpsc::Receiver<Part>>,
    keep_alive: Pin<Box<Sleep>>,
    _count: OpenStream,
}

// === impl ChannelBody ===

impl ChannelBody {
    pub(super) fn new(
        edge: &Arc<Edge>,
        id: SessionId,
        first: Bytes,
        lines: mpsc::Receiver<Line>,
    ) -> Self {
        Self {
            edge: Arc::clone(edge),
            id,
            first: Some(first),
            lines,
            long: None,
            keep_alive: Box::pin(tokio::time::sleep(edge.config.timeouts.keep_alive)),
            _count: edge.metrics.open_stream(Kind::Standalone),
        }
    }

    /// The next bytes; `None` when the session has ended.
    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let next = self.poll_line(cx);
        let period = self.edge.config.timeouts.keep_alive;
        if next.is_ready() {
            self.keep_alive.as_mut().reset(Instant::now() + period);
            return next;
        }
        // A comment inside an event would become a part of its data.
        if self.long.is_some() || self.keep_alive.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        self.keep_alive.as_mut().reset(Instant::now() + period);
        Poll::Ready(Some(sse::keep_alive()))
    }

    fn poll_line(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(first));
        }
        if let Some(long) = &mut self.long {
            let Poll::Ready(part) = long.poll_recv(cx) else { return Poll::Pending };
            if let Some(Part::Bytes(bytes)) = part {
                return Poll::Ready(Some(sse::part(bytes)));
            }
            self.long = None;
            let end = part.map_or(Bytes::from_static(CUT), |_| sse::end());
            return Poll::Ready(Some(end));
        }
        self.lines.poll_recv(cx).map(|line| {
            Some(match line? {
                Line::Whole(message) => MESSAGE.whole(&message),
                Line::Long(parts) => {
                    self.long = Some(parts);
                    MESSAGE.begin()
                }
            })
        })
    }
}

impl Drop for ChannelBody {
    fn drop(&mut self) {
        self.edge.channels.remove(self.id);
    }
}
