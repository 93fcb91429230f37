//! A response body, chunk by chunk.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use hyper::body::Incoming;

use crate::NetError;
use crate::line::Line;
use crate::shelf::{Place, Shelf};

/// A response body as it arrives; nothing is gathered. Dropping it before its end gives up the connection.
pub struct Body(Source);

/// Where it comes from.
enum Source {
    /// A connection that is driven by others.
    Shared(Incoming),
    /// One that is this body's alone, and where it goes when the body is complete: reading moves it forward.
    Line(Line, Place, Arc<Shelf>),
    /// Nothing more comes.
    Nowhere,
}

// === impl Body ===

impl Body {
    /// Of a connection that is driven by others.
    pub(crate) fn new(incoming: Incoming) -> Self {
        Self(Source::Shared(incoming))
    }

    /// Of a connection that goes to its place on the shelf afterwards.
    pub(crate) fn on_line(line: Line, place: Place, shelf: &Arc<Shelf>) -> Self {
        let mut body = Self(Source::Line(line, place, Arc::clone(shelf)));
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
        match &mut self.0 {
            Source::Nowhere => Poll::Ready(None),
            Source::Shared(incoming) => poll_shared(incoming, context),
            Source::Line(line, ..) => {
                let next = ready!(line.poll_data(context));
                match &next {
                    Some(Ok(_)) | None => self.give_back_at_end(),
                    Some(Err(_)) => self.0 = Source::Nowhere,
                }
                Poll::Ready(next)
            }
        }
    }

    /// The number of bytes still to come, when the server said it.
    pub fn exact_len(&self) -> Option<u64> {
        match &self.0 {
            Source::Nowhere => Some(0),
            Source::Shared(incoming) => incoming.size_hint().exact(),
            Source::Line(line, ..) => line.left(),
        }
    }

    /// A connection whose body is complete is free for others.
    fn give_back_at_end(&mut self) {
        if matches!(&self.0, Source::Line(line, ..) if line.is_done())
            && let Source::Line(line, place, shelf) =
                std::mem::replace(&mut self.0, Source::Nowhere)
        {
            shelf.put(place, line);
        }
    }
}

/// The next bytes of a body on a shared connection.
fn poll_shared(
    incoming: &mut Incoming,
    context: &mut Context<'_>,
) -> Poll<Option<Result<Bytes, NetError>>> {
    loop {
        match ready!(Pin::new(&mut *incoming).poll_frame(context)) {
            Some(Ok(frame)) => {
                if let Ok(data) = frame.into_data() {
                    return Poll::Ready(Some(Ok(data)));
                }
            }
            Some(Err(error)) => return Poll::Ready(Some(Err(NetError::from_body(&error)))),
            None => return Poll::Ready(None),
        }
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = NetError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, NetError>>> {
        self.get_mut().poll_chunk(context).map(|next| next.map(|chunk| chunk.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Source::Nowhere => true,
            Source::Shared(incoming) => incoming.is_end_stream(),
            Source::Line(..) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        self.exact_len().map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body").field("exact_len", &self.exact_len()).finish_non_exhaustive()
    }
}
