//! Reads a stream of server-sent events without holding an event's data.
//!
//! The standard's algorithm (HTML §9.2.6) with one addition: an event without data is not an event
//! to a browser, but its id is a place to resume from, so it is reported too.

use std::mem;
use std::time::Duration;

use bytes::Bytes;
use memchr::memchr2;

use crate::WireError;

/// Reads an event stream chunk by chunk: `push`, then `next` until it gives None.
///
/// Event names and ids are decoded with replacement characters, as the standard says; data is
/// handed on as the bytes it is.
#[derive(Debug)]
pub struct Decoder {
    chunk: Bytes,
    /// How much of the chunk was read.
    at: usize,
    line: Line,
    /// Whether the last byte was a carriage return, so that a line feed belongs to it.
    after_return: bool,
    /// Bytes of the byte order mark seen at the start of the stream.
    mark: usize,
    name: Name,
    /// The value of a short field, as far as it was read.
    value: Vec<u8>,
    data_lines: usize,
    event: Option<String>,
    id: Option<String>,
    event_retry: Option<Duration>,
    last_event_id: Option<String>,
    /// The reconnection time asked for last.
    retry: Option<Duration>,
    max_field: usize,
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

/// Where in a line the decoder is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line {
    /// Before the end of a possible byte order mark.
    Mark,
    Name,
    /// Behind the colon, where one space is dropped.
    Space(Field),
    Value(Field),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    Data,
    Event,
    Id,
    Retry,
    /// A comment, or a field that nobody knows.
    Ignored,
}

/// A field name; what is longer than every known name is unknown and not kept.
#[derive(Debug, Clone, Copy, Default)]
struct Name {
    bytes: [u8; Self::LONGEST + 1],
    length: usize,
}

const BYTE_ORDER_MARK: [u8; 3] = [0xef, 0xbb, 0xbf];

impl Decoder {
    /// Longest `event`, `id` or `retry` value by default.
    pub const MAX_FIELD: usize = 8 << 10;

    /// A decoder at the start of a stream.
    #[must_use]
    pub fn new() -> Self {
        Self {
            chunk: Bytes::new(),
            at: 0,
            line: Line::Mark,
            after_return: false,
            mark: 0,
            name: Name::default(),
            value: Vec::new(),
            data_lines: 0,
            event: None,
            id: None,
            event_retry: None,
            last_event_id: None,
            retry: None,
            max_field: Self::MAX_FIELD,
        }
    }

    /// Bounds `event`, `id` and `retry` values to `max` bytes.
    #[must_use]
    pub fn with_max_field(mut self, max: usize) -> Self {
        self.max_field = max;
        self
    }

    /// Takes the next chunk; all items of the previous one must have been taken.
    pub fn push(&mut self, chunk: Bytes) {
        self.chunk = chunk;
        self.at = 0;
    }

    /// The next item, or None when another chunk is needed.
    ///
    /// At the end of the stream an event that is not complete is dropped, as the standard says:
    /// there is nothing to finish.
    ///
    /// # Errors
    /// When a field other than data is too long. The decoder is of no use after that.
    #[expect(clippy::should_implement_trait, reason = "fallible and resumable, not an iterator")]
    pub fn next(&mut self) -> Result<Option<Item>, WireError> {
        while let Some(&byte) = self.chunk.get(self.at) {
            if mem::take(&mut self.after_return) && byte == b'\n' {
                self.at += 1;
                continue;
            }
            let item = match self.line {
                Line::Mark => {
                    self.byte_order_mark(byte);
                    None
                }
                Line::Name => {
                    self.at += 1;
                    self.name(byte)
                }
                Line::Space(field) => {
                    self.at += usize::from(byte == b' ');
                    self.line = Line::Value(field);
                    None
                }
                Line::Value(field) => self.value(field)?,
            };
            if item.is_some() {
                return Ok(item);
            }
        }
        Ok(None)
    }

    /// The id to resume from: the last one that came with a complete event.
    #[must_use]
    pub fn last_event_id(&self) -> Option<&str> {
        self.last_event_id.as_deref()
    }

    /// The reconnection time the stream asked for last. Clamp it: it may be anything.
    #[must_use]
    pub fn retry(&self) -> Option<Duration> {
        self.retry
    }

    /// The `event` field of the event being read, as far as it was seen.
    #[must_use]
    pub fn event(&self) -> Option<&str> {
        self.event.as_deref()
    }

    fn byte_order_mark(&mut self, byte: u8) {
        if byte == BYTE_ORDER_MARK[self.mark] {
            self.at += 1;
            self.mark += 1;
            if self.mark == BYTE_ORDER_MARK.len() {
                self.line = Line::Name;
            }
            return;
        }
        // It was none: its bytes are the start of a field name that nobody knows.
        for byte in &BYTE_ORDER_MARK[..self.mark] {
            self.name.push(*byte);
        }
        self.line = Line::Name;
    }

    /// One byte before the colon.
    fn name(&mut self, byte: u8) -> Option<Item> {
        match byte {
            b':' => {
                let field = mem::take(&mut self.name).field();
                self.line = Line::Space(field);
                self.begin_value(field)
            }
            b'\n' | b'\r' => {
                self.after_return = byte == b'\r';
                if self.name.length == 0 {
                    return self.dispatch();
                }
                let field = mem::take(&mut self.name).field();
                let item = self.begin_value(field);
                self.end_value(field);
                item
            }
            _ => {
                self.name.push(byte);
                None
            }
        }
    }

    fn begin_value(&mut self, field: Field) -> Option<Item> {
        self.value.clear();
        if field != Field::Data {
            return None;
        }
        self.data_lines += 1;
        (self.data_lines > 1).then_some(Item::Data(Bytes::from_static(b"\n")))
    }

    /// The value up to the end of the line or of the chunk.
    fn value(&mut self, field: Field) -> Result<Option<Item>, WireError> {
        let rest = &self.chunk[self.at..];
        let length = memchr2(b'\n', b'\r', rest).unwrap_or(rest.len());
        let span = self.at..self.at + length;
        let end = rest.get(length).copied();
        if !matches!(field, Field::Data | Field::Ignored) {
            if self.value.len() + length > self.max_field {
                return Err(WireError::TooLarge { limit: self.max_field as u64 });
            }
            self.value.extend_from_slice(&rest[..length]);
        }
        self.at = span.end;
        if let Some(end) = end {
            self.at += 1;
            self.after_return = end == b'\r';
            self.end_value(field);
            self.line = Line::Name;
        }
        let data = field == Field::Data && length > 0;
        Ok(data.then(|| Item::Data(self.chunk.slice(span))))
    }

    fn end_value(&mut self, field: Field) {
        let text = || String::from_utf8_lossy(&self.value).into_owned();
        match field {
            Field::Event => self.event = Some(text()),
            Field::Id if !self.value.contains(&0) => self.id = Some(text()),
            Field::Retry if !self.value.is_empty() && self.value.iter().all(u8::is_ascii_digit) => {
                // A number that does not fit is as good as endless.
                let time = Duration::from_millis(text().parse().unwrap_or(u64::MAX));
                self.event_retry = Some(time);
                self.retry = Some(time);
            }
            Field::Data | Field::Ignored | Field::Id | Field::Retry => {}
        }
    }

    /// A blank line. Blocks that say nothing are passed over.
    fn dispatch(&mut self) -> Option<Item> {
        let has_data = mem::take(&mut self.data_lines) > 0;
        let event = self.event.take().filter(|event| !event.is_empty());
        let (id, retry) = (self.id.take(), self.event_retry.take());
        if let Some(id) = &id {
            self.last_event_id = Some(id.clone());
        }
        let says_something = has_data || id.is_some() || retry.is_some();
        says_something.then_some(Item::Dispatch(Dispatch { event, id, retry, has_data }))
    }
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new()
    }
}

// === impl Name ===

impl Name {
    const LONGEST: usize = 5;

    fn push(&mut self, byte: u8) {
        if let Some(place) = self.bytes.get_mut(self.length) {
            *place = byte;
            self.length += 1;
        }
    }

    fn field(self) -> Field {
        match &self.bytes[..self.length] {
            b"data" => Field::Data,
            b"event" => Field::Event,
            b"id" => Field::Id,
            b"retry" => Field::Retry,
            _ => Field::Ignored,
        }
    }
}
