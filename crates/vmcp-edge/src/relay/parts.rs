//! One long JSON message, passed on as it comes under the client's own id.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use vmcp_backend::{CallError, Parts};
use vmcp_wire::Piece;

use super::Leg;
use crate::admit::Place;
use crate::respond::body::Cut;
use crate::unwind;

type Pull = Pin<Box<dyn Future<Output = (Parts, Option<Result<Piece, CallError>>)> + Send>>;

/// The body of a response that is not held in memory.
pub(crate) struct PartsBody {
    leg: Leg,
    _place: Place,
    /// `None` once everything is out.
    pull: Option<Pull>,
    /// Places where an id stood. A response has one.
    holes: usize,
}

// === impl PartsBody ===

impl PartsBody {
    pub(super) fn new(leg: Leg, place: Place, parts: Parts) -> Self {
        Self { leg, _place: place, pull: Some(pull(parts)), holes: 0 }
    }

    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Cut>>> {
        let Some(future) = &mut self.pull else { return Poll::Ready(None) };
        let pulled = ready!(unwind::poll(future.as_mut(), cx));
        self.pull = None;
        let Ok((parts, piece)) = pulled else { return Poll::Ready(Some(Err(Cut))) };
        Poll::Ready(match piece {
            Some(Ok(Piece::Bytes(bytes))) => {
                self.pull = Some(pull(parts));
                Some(Ok(bytes))
            }
            Some(Ok(Piece::Id(_))) => {
                self.holes += 1;
                self.pull = Some(pull(parts));
                Some(Ok(Bytes::copy_from_slice(self.leg.id().as_bytes())))
            }
            Some(Err(error)) => {
                tracing::debug!(%error, "a long response broke off");
                Some(Err(Cut))
            }
            // Exactly one place for the id, or this is not the response to anything.
            None if self.holes == 1 => None,
            None => Some(Err(Cut)),
        })
    }
}

fn pull(mut parts: Parts) -> Pull {
    Box::pin(async move {
        let piece = parts.next().await;
        (parts, piece)
    })
}
