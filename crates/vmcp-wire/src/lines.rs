//! Newline-delimited messages, as on the standard streams of a process.

use bytes::Bytes;

use crate::{Head, Limits, Message, Piece, WireError};

/// Reads messages from lines: `push`, then `next` until it gives None. A bad line never ends it.
#[derive(Debug)]
pub struct Decoder {
    limits: Limits,
}

/// What comes out of a [`Decoder`].
#[derive(Debug, Clone)]
pub enum Item {
    /// A complete message.
    Message(Message),
    /// A complete batch.
    Batch(Vec<Result<Message, WireError>>),
    /// A long response streams from now on: pieces follow, then `End` or `Broken`.
    Head(Head),
    /// Pieces of the response that streams.
    Pieces(Vec<Piece>),
    /// The response that streamed is complete and valid.
    End,
    /// The response that streamed went wrong; the line is skipped.
    Broken(WireError),
    /// A line that is no message was skipped; nothing of it was handed out.
    Skipped(WireError),
}

impl Decoder {
    /// A decoder at the start of a stream; see [`crate::Assembler::new`].
    #[must_use]
    pub fn new(limits: Limits, hold: usize, need_id: bool) -> Self {
        let _ = (hold, need_id);
        Self { limits }
    }
    /// Takes the next chunk; all items of the previous one must have been taken.
    pub fn push(&mut self, chunk: Bytes) {
        let _ = (chunk, self.limits);
    }
    /// The next item, or None when another chunk is needed.
    #[expect(clippy::should_implement_trait, reason = "resumable, not an iterator")]
    pub fn next(&mut self) -> Option<Item> {
        None
    }
    /// The stream ended: what the last line without a newline amounts to.
    pub fn finish(&mut self) -> Option<Item> {
        None
    }
}
