//! Writes server-sent events.

use std::time::Duration;

use bytes::Bytes;
use memchr::memchr2;

/// How the line of an id starts.
const ID: &[u8] = b"id: ";
/// What goes between two lines of data.
const NEXT_LINE: &[u8] = b"\ndata: ";

/// The fields before an event's data.
#[derive(Debug, Clone, Copy, Default)]
pub struct EventHead<'a> {
    /// The event's name; without it the receiver assumes `message`.
    pub event: Option<&'a str>,
    /// The id to resume after.
    pub id: Option<&'a str>,
    /// The reconnection time asked for.
    pub retry: Option<Duration>,
}

impl EventHead<'_> {
    /// One complete event.
    #[must_use]
    pub fn whole(&self, data: &[u8]) -> Bytes {
        let mut out = self.fields(data.len());
        push_data(&mut out, data);
        out.extend_from_slice(b"\n\n");
        out.into()
    }

    /// The start of an event whose data follows in [`part`]s, closed by [`end`].
    #[must_use]
    pub fn begin(&self) -> Bytes {
        self.fields(0).into()
    }

    fn fields(&self, data: usize) -> Vec<u8> {
        let fields = self.event.map_or(0, str::len) + self.id.map_or(0, str::len);
        let mut out = Vec::with_capacity(fields + data + 64);
        push_field(&mut out, b"event: ", self.event);
        push_field(&mut out, ID, self.id);
        if let Some(retry) = self.retry {
            push_field(&mut out, b"retry: ", Some(&retry.as_millis().to_string()));
        }
        out.extend_from_slice(b"data: ");
        out
    }
}

/// A part of the data of an event that was begun. Line breaks become new `data` lines.
///
/// JSON has line breaks between tokens only. A carriage return cannot be carried and becomes a
/// line feed; with a line feed behind it in the same part, the two become one.
#[must_use]
pub fn part(data: Bytes) -> Bytes {
    if memchr2(b'\n', b'\r', &data).is_none() {
        return data;
    }
    let mut out = Vec::with_capacity(data.len() + 64);
    push_data(&mut out, &data);
    out.into()
}

/// The end of an event that was begun.
#[must_use]
pub fn end() -> Bytes {
    Bytes::from_static(b"\n\n")
}

/// A comment; receivers ignore it.
#[must_use]
pub fn comment(text: &str) -> Bytes {
    let mut out = Vec::with_capacity(text.len() + 4);
    push_field(&mut out, b": ", Some(text));
    out.push(b'\n');
    out.into()
}

/// The shortest thing that keeps a connection alive.
#[must_use]
pub fn keep_alive() -> Bytes {
    Bytes::from_static(b":\n\n")
}

/// Asks for a reconnection time, outside any event.
#[must_use]
pub fn retry(time: Duration) -> Bytes {
    format!("retry: {}\n\n", time.as_millis()).into()
}

/// An event with an id and empty data, so that the receiver can resume before anything happened.
#[must_use]
pub fn priming(id: &str, retry: Option<Duration>) -> Bytes {
    EventHead { event: None, id: Some(id), retry }.whole(b"")
}

fn push_data(out: &mut Vec<u8>, mut data: &[u8]) {
    while let Some(at) = memchr2(b'\n', b'\r', data) {
        out.extend_from_slice(&data[..at]);
        out.extend_from_slice(NEXT_LINE);
        let pair = data[at..].starts_with(b"\r\n");
        data = &data[at + 1 + usize::from(pair)..];
    }
    out.extend_from_slice(data);
}

/// One line. What would end it is left out of the text, and so is what makes a receiver ignore an id.
fn push_field(out: &mut Vec<u8>, name: &[u8], text: Option<&str>) {
    let Some(text) = text else { return };
    let fits = |byte: &u8| match byte {
        b'\n' | b'\r' => false,
        0 => name != ID,
        _ => true,
    };
    out.extend_from_slice(name);
    out.extend(text.bytes().filter(fits));
    out.push(b'\n');
}
