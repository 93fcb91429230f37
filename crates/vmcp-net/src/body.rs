//! A response body, chunk by chunk.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use hyper::body::Incoming;

use crate::NetError;

/// A response body as it arrives; nothing is gathered. Dropping it before its end gives up the connection.
#[derive(Debug)]
pub struct Body(Incoming);

// === impl Body ===

impl Body {
    pub(crate) fn new(incoming: Incoming) -> Self {
        Self(incoming)
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
            match ready!(Pin::new(&mut self.0).poll_frame(context)) {
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

    /// The number of bytes still to come, when the server said it.
    pub fn exact_len(&self) -> Option<u64> {
        self.0.size_hint().exact()
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = NetError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, NetError>>> {
        Pin::new(&mut self.0)
            .poll_frame(context)
            .map(|frame| frame.map(|frame| frame.map_err(|error| NetError::from_body(&error))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
    }
}
