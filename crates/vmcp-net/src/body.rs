//! A response body, chunk by chunk.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use hyper::body::Incoming;

use crate::NetError;
use crate::line::Line;
use crate::shelf::{Place, Shelf};

/// A response body as it arrives; nothing is gathered. Dropping it before its end gives up the connection.
pub struct Body {
    incoming: Incoming,
    /// The connection it comes on, if it is this body's alone: reading moves it forward.
    source: Option<Source>,
}

/// A connection, and where it goes when the body is complete.
struct Source {
    line: Line,
    place: Place,
    shelf: Arc<Shelf>,
}

// === impl Body ===

impl Body {
    /// Of a connection that is driven by others.
    pub(crate) fn new(incoming: Incoming) -> Self {
        Self { incoming, source: None }
    }

    /// Of a connection that goes to its place on the shelf afterwards.
    pub(crate) fn on_line(
        incoming: Incoming,
        line: Line,
        place: Place,
        shelf: &Arc<Shelf>,
    ) -> Self {
        let source = Source { line, place, shelf: Arc::clone(shelf) };
        let mut body = Self { incoming, source: Some(source) };
        body.give_back_at_end();
        body
    }

    /// The next bytes; `None` at the end. Trailers are skipped.
    ///
    /// # Cancel safety
    /// Safe: a dropped future loses no bytes.
    pub async fn chunk(&mut self) -> Option<Result<Bytes, NetError>> {
        std::future::poll_fn(|context| self.poll_chunk(context)).await
    }

    /// [`chunk`](Self::chunk), polled.
    pub fn poll_chunk(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, NetError>>> {
        loop {
            match ready!(self.poll_incoming(context)) {
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        return Poll::Ready(Some(Ok(data)));
                    }
                }
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(None),
            }
        }
    }

    /// The number of bytes still to come, when the server said it.
    pub fn exact_len(&self) -> Option<u64> {
        self.incoming.size_hint().exact()
    }

    fn poll_incoming(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, NetError>>> {
        let next = match &mut self.source {
            None => ready!(Pin::new(&mut self.incoming).poll_frame(context)),
            // What is there already comes first; only the connection asks to be woken for more.
            Some(source) => match look(&mut self.incoming) {
                Poll::Ready(next) => next,
                Poll::Pending => ready!(source.line.poll(context, || look(&mut self.incoming))),
            },
        };
        let next = next.map(|frame| frame.map_err(|error| NetError::from_body(&error)));
        match next {
            Some(Ok(_)) => self.give_back_at_end(),
            Some(Err(_)) => self.source = None,
            None => self.give_back(),
        }
        Poll::Ready(next)
    }

    fn give_back_at_end(&mut self) {
        if self.incoming.is_end_stream() {
            self.give_back();
        }
    }

    fn give_back(&mut self) {
        if let Some(Source { line, place, shelf }) = self.source.take() {
            shelf.put(place, line);
        }
    }
}

/// What of a body is there.
fn look(incoming: &mut Incoming) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
    Pin::new(incoming).poll_frame(&mut Context::from_waker(Waker::noop()))
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = NetError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, NetError>>> {
        self.get_mut().poll_incoming(context)
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Body").field(&self.incoming).finish()
    }
}
