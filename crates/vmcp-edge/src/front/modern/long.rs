//! A long answer, piece by piece under the client's id.

use bytes::Bytes;
use vmcp_backend::Parts;
use vmcp_wire::{Piece, RawId};

use super::seam::{AsksLate, Seam};

/// A long answer, under the client's id.
pub(crate) struct Long {
    parts: Parts,
    id: RawId,
    seam: Seam,
    /// Places where an id stood. A response has one.
    holes: usize,
}

/// A long answer broke off: what was passed on of it is no message.
#[derive(Debug)]
pub(crate) struct Broken;

// === impl Long ===

impl Long {
    /// An answer whose result must have these members.
    pub(super) fn new(parts: Parts, id: RawId, members: Vec<(&'static str, String)>) -> Self {
        Self { parts, id, seam: Seam::new(members), holes: 0 }
    }

    /// The next bytes; `None` after the last.
    ///
    /// Cancel safe.
    pub(crate) async fn next(&mut self) -> Option<Result<Bytes, Broken>> {
        match self.parts.next().await {
            Some(Ok(Piece::Bytes(bytes))) => Some(self.pass(bytes)),
            Some(Ok(Piece::Id(_))) => {
                self.holes += 1;
                let id = Bytes::copy_from_slice(self.id.as_bytes());
                Some(self.pass(id))
            }
            Some(Err(error)) => {
                tracing::debug!(%error, "a long response broke off");
                Some(Err(Broken))
            }
            // Exactly one place for the id, or this is not the response to anything.
            None if self.holes == 1 => None,
            None => Some(Err(Broken)),
        }
    }

    fn pass(&mut self, bytes: Bytes) -> Result<Bytes, Broken> {
        self.seam.pass(bytes).map_err(|AsksLate| {
            tracing::debug!("a long response turned out to be a question");
            Broken
        })
    }
}
