//! Chunks of one message in; a whole message, or a stream of pieces, out.
//!
//! A message is kept until it is complete, so that it can be routed and rewritten. A *response*
//! needs nothing but its id replaced, so once a response outgrows `hold` it streams: chunks are
//! validated and handed on as they come, cut only where the id stands. Memory is then `hold` plus
//! one chunk, whatever the size of the reply. The price: what is wrong behind that point is found
//! after the start has left, so the receiver must be able to see a stream that breaks off.

use std::mem;

use bytes::Bytes;

use crate::body::parse_batch;
use crate::envelope::{Envelope, Slot};
use crate::{Kind, Limits, Message, RawId, WireError};

mod held;
use held::Held;

/// Puts the chunks of ONE message together, without keeping a long response in memory.
#[derive(Debug)]
pub struct Assembler {
    limits: Limits,
    hold: usize,
    need_id: bool,
    max_streamed: u64,
    envelope: Envelope,
    stage: Stage,
    held: Held,
    /// Pieces that were not taken yet.
    ready: Vec<Piece>,
    /// Whether the id went by and became a piece.
    id_done: bool,
}

/// What happens to the bytes.
#[derive(Debug)]
enum Stage {
    Holding,
    Streaming,
    Failed(WireError),
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

    /// An assembler for one message.
    ///
    /// A response longer than `hold` streams; with `need_id` only after its id was seen. Anything
    /// else may be up to `limits.max_bytes` long.
    #[must_use]
    pub fn new(limits: Limits, hold: usize, need_id: bool) -> Self {
        Self {
            limits,
            hold,
            need_id,
            max_streamed: u64::MAX,
            envelope: Envelope::new(limits.max_depth),
            stage: Stage::Holding,
            held: Held::default(),
            ready: Vec::new(),
            id_done: false,
        }
    }

    /// Bounds the size of a streamed response, which has none by default.
    #[must_use]
    pub fn with_max_streamed(mut self, max: Option<u64>) -> Self {
        self.max_streamed = max.unwrap_or(u64::MAX);
        self
    }

    /// Takes the next chunk. Some(head), once, when the response streams from now on.
    ///
    /// # Errors
    /// When the bytes so far cannot become a message. The same error comes again after that.
    pub fn push(&mut self, chunk: Bytes) -> Result<Option<Head>, WireError> {
        match self.take(chunk) {
            Ok(head) => Ok(head),
            Err(error) => {
                self.stage = Stage::Failed(error.clone());
                Err(error)
            }
        }
    }

    /// The pieces that are ready, after a head was returned.
    pub fn take_pieces(&mut self) -> Vec<Piece> {
        mem::take(&mut self.ready)
    }

    /// No more chunks.
    ///
    /// # Errors
    /// When the message is cut off or turns out to be none.
    pub fn finish(&mut self) -> Result<Assembled, WireError> {
        match mem::replace(&mut self.stage, Stage::Failed(WireError::Truncated)) {
            Stage::Failed(error) => Err(error),
            Stage::Streaming => {
                self.envelope.finish()?;
                Ok(Assembled::Streamed(self.take_pieces()))
            }
            Stage::Holding if self.envelope.root() == Some(b'[') => {
                let held = mem::take(&mut self.held).into_bytes();
                parse_batch(&held, &self.limits).map(Assembled::Batch)
            }
            Stage::Holding => {
                let held = mem::take(&mut self.held).into_bytes();
                Message::from_envelope(held, &self.envelope).map(Assembled::Whole)
            }
        }
    }

    fn take(&mut self, chunk: Bytes) -> Result<Option<Head>, WireError> {
        if let Stage::Failed(error) = &self.stage {
            return Err(error.clone());
        }
        let base = self.envelope.length();
        self.envelope.read(&chunk)?;
        if matches!(self.stage, Stage::Streaming) {
            self.check_streamed()?;
            self.cut(chunk, base);
            return Ok(None);
        }
        let length = self.held.len() + chunk.len();
        let fits = length <= self.limits.max_bytes;
        if !fits || length > self.hold && !self.envelope.is_complete() {
            if let Some(head) = self.head() {
                self.check_streamed()?;
                self.stage = Stage::Streaming;
                let held = mem::take(&mut self.held).into_bytes();
                self.cut(held, 0);
                self.cut(chunk, base);
                return Ok(Some(head));
            }
            if !fits {
                return Err(WireError::TooLarge { limit: self.limits.max_bytes as u64 });
            }
        }
        self.held.push(chunk);
        Ok(None)
    }

    /// The head, when what was read so far is the start of a response that may stream.
    fn head(&self) -> Option<Head> {
        let kind = match (self.envelope.has(Slot::Result), self.envelope.has(Slot::Error)) {
            (true, false) => Kind::Success,
            (false, true) => Kind::Failure,
            _ => return None,
        };
        let id_seen = matches!(self.envelope.place(Slot::Id), Some((_, Some(_))));
        if self.envelope.has(Slot::Method) || self.need_id && !id_seen {
            return None;
        }
        Some(Head { id: self.envelope.id().cloned(), kind })
    }

    fn check_streamed(&self) -> Result<(), WireError> {
        if self.envelope.length() > self.max_streamed {
            return Err(WireError::TooLarge { limit: self.max_streamed });
        }
        Ok(())
    }

    /// Makes pieces of bytes that start at `base` and were read.
    fn cut(&mut self, bytes: Bytes, base: u64) {
        let end = base + bytes.len() as u64;
        let (hole_start, hole_end) = match self.envelope.place(Slot::Id) {
            Some((start, hole_end)) if !self.id_done && start < end => (start, hole_end),
            _ => return self.ready(bytes),
        };
        // What stands before the hole goes; the hole itself waits until all of it was read.
        self.ready(bytes.slice(..hole_start.saturating_sub(base) as usize));
        let Some(hole_end) = hole_end.filter(|hole_end| *hole_end <= end) else { return };
        self.id_done = true;
        match self.envelope.id() {
            Some(id) => self.ready.push(Piece::Id(id.clone())),
            // Nobody's id can stand in for null.
            None => self.ready(Bytes::from_static(b"null")),
        }
        self.ready(bytes.slice((hole_end - base) as usize..));
    }

    fn ready(&mut self, bytes: Bytes) {
        if !bytes.is_empty() {
            self.ready.push(Piece::Bytes(bytes));
        }
    }
}
