//! Response bodies: all at once, or pieces from a channel that may end in a broken connection.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::sync::mpsc;

use crate::record::Watch;

/// What a streamed body is made of; an error breaks the connection.
pub(crate) type Piece = Result<Bytes, io::Error>;

/// A response body.
pub(crate) enum ReplyBody {
    Full(Bytes),
    Channel { pieces: mpsc::Receiver<Piece>, watch: Option<Watch>, broken: Option<io::Error> },
}

// === impl ReplyBody ===

impl ReplyBody {
    pub(crate) fn channel(pieces: mpsc::Receiver<Piece>, watch: Option<Watch>) -> Self {
        Self::Channel { pieces, watch, broken: None }
    }
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        match self.get_mut() {
            Self::Full(bytes) if bytes.is_empty() => Poll::Ready(None),
            Self::Full(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Self::Channel { pieces, watch, broken } => {
                if let Some(error) = broken.take() {
                    return Poll::Ready(Some(Err(error)));
                }
                let piece = ready!(pieces.poll_recv(context));
                if let (None | Some(Err(_)), Some(watch)) = (&piece, watch) {
                    watch.disarm();
                }
                match piece {
                    // An error drops what is not flushed yet; the server flushes when a body has nothing ready.
                    Some(Err(error)) => {
                        *broken = Some(error);
                        context.waker().wake_by_ref();
                        Poll::Pending
                    }
                    piece => Poll::Ready(piece.map(|piece| piece.map(Frame::data))),
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Full(bytes) if bytes.is_empty())
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Channel { .. } => SizeHint::default(),
        }
    }
}
