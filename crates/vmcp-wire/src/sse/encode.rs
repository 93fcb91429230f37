//! Writes server-sent events.

use std::time::Duration;

use bytes::Bytes;

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
        Bytes::copy_from_slice(data)
    }
    /// The start of an event whose data follows in [`part`]s, closed by [`end`].
    #[must_use]
    pub fn begin(&self) -> Bytes {
        Bytes::new()
    }
}

/// A part of the data of an event that was begun. Line breaks become new `data` lines.
#[must_use]
pub fn part(data: Bytes) -> Bytes {
    data
}
/// The end of an event that was begun.
#[must_use]
pub fn end() -> Bytes {
    Bytes::from_static(b"\n\n")
}
/// A comment; receivers ignore it.
#[must_use]
pub fn comment(text: &str) -> Bytes {
    Bytes::from(format!(": {text}\n\n"))
}
/// The shortest thing that keeps a connection alive.
#[must_use]
pub fn keep_alive() -> Bytes {
    Bytes::from_static(b":\n\n")
}
/// Asks for a reconnection time, outside any event.
#[must_use]
pub fn retry(time: Duration) -> Bytes {
    Bytes::from(format!("retry: {}\n\n", time.as_millis()))
}
/// An event with an id and empty data, so that the receiver can resume before anything happened.
#[must_use]
pub fn priming(id: &str, retry: Option<Duration>) -> Bytes {
    EventHead { event: None, id: Some(id), retry }.whole(b"")
}
