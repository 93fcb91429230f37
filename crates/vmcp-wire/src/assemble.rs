//! Chunks of one message in; a whole message, or a stream of pieces, out.

use bytes::Bytes;

use crate::{Kind, Limits, Message, RawId, WireError};

/// Puts the chunks of ONE message together, without keeping a long response in memory.
#[derive(Debug)]
pub struct Assembler {
    limits: Limits,
}

/// What is known of a long response when it starts to stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Its id, when it was seen already and is not null.
    pub id: Option<RawId>,
    /// [`Kind::Success`] or [`Kind::Failure`].
    pub kind: Kind,
}

/// A part of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// Bytes to pass on as they are.
    Bytes(Bytes),
    /// The place of the id: write the receiver's own here. Holds the id that stood there.
    Id(RawId),
}

/// What came out in the end.
#[derive(Debug, Clone)]
pub enum Assembled {
    /// The message, complete in memory.
    Whole(Message),
    /// A batch, complete in memory.
    Batch(Vec<Result<Message, WireError>>),
    /// The last pieces of a message that was streamed.
    Streamed(Vec<Piece>),
}

impl Assembler {
    /// Bytes kept back by default before a response starts to stream.
    pub const DEFAULT_HOLD: usize = 64 << 10;

    /// An assembler for one message. A response longer than `hold` streams; with `need_id` only
    /// after its id was seen.
    #[must_use]
    pub fn new(limits: Limits, hold: usize, need_id: bool) -> Self {
        let _ = (hold, need_id);
        Self { limits }
    }
    /// Bounds the size of a streamed response, which has none by default.
    #[must_use]
    pub fn with_max_streamed(self, max: Option<u64>) -> Self {
        let _ = max;
        self
    }
    /// Takes the next chunk. Some(head), once, when the response streams from now on.
    ///
    /// # Errors
    /// When the bytes so far cannot become a message. The assembler is of no use after that.
    pub fn push(&mut self, chunk: Bytes) -> Result<Option<Head>, WireError> {
        let _ = (chunk, self.limits);
        Ok(None)
    }
    /// The pieces that are ready, after a head was returned.
    pub fn take_pieces(&mut self) -> Vec<Piece> {
        Vec::new()
    }
    /// No more chunks.
    ///
    /// # Errors
    /// When the message is cut off or turns out to be none.
    pub fn finish(&mut self) -> Result<Assembled, WireError> {
        Err(WireError::Truncated)
    }
}
