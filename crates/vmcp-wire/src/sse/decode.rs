//! Reads a stream of server-sent events without holding an event's data.

use std::time::Duration;

use bytes::Bytes;

use crate::WireError;

/// Reads an event stream chunk by chunk: `push`, then `next` until it gives None.
#[derive(Debug, Default)]
pub struct Decoder {
    chunk: Bytes,
}

/// What comes out of a [`Decoder`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// The next part of the current event's data. Line breaks between `data` lines are included.
    Data(Bytes),
    /// The current event is complete.
    Dispatch(Dispatch),
}

/// The end of an event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dispatch {
    /// The `event` field; None means `message`.
    pub event: Option<String>,
    /// The `id` field, when this event carries one.
    pub id: Option<String>,
    /// The `retry` field, when this event carries one.
    pub retry: Option<Duration>,
    /// Whether there was a `data` line. Without one a browser would not see an event, only the id.
    pub has_data: bool,
}

impl Decoder {
    /// Longest `event` or `id` value by default.
    pub const MAX_FIELD: usize = 8 << 10;

    /// A decoder at the start of a stream.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
    /// Takes the next chunk; all items of the previous one must have been taken.
    pub fn push(&mut self, chunk: Bytes) {
        self.chunk = chunk;
    }
    /// The next item, or None when another chunk is needed.
    ///
    /// # Errors
    /// When an `event` or `id` value is too long. The decoder is of no use after that.
    #[expect(clippy::should_implement_trait, reason = "fallible and resumable, not an iterator")]
    pub fn next(&mut self) -> Result<Option<Item>, WireError> {
        Ok(None)
    }
    /// The id to resume from: the last one that came with a complete event.
    #[must_use]
    pub fn last_event_id(&self) -> Option<&str> {
        None
    }
    /// The reconnection time the stream asked for last.
    #[must_use]
    pub fn retry(&self) -> Option<Duration> {
        None
    }
    /// The `event` field of the event being read, as far as it was seen.
    #[must_use]
    pub fn event(&self) -> Option<&str> {
        None
    }
}
