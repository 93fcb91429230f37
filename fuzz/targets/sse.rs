//! Event streams: what the standard says, however the stream is cut; and what we write is read.

#![no_main]

use std::time::Duration;

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use vmcp_fuzz::Input;
use vmcp_wire::WireError;
use vmcp_wire::sse::{self, Decoder, Dispatch, EventHead, Item};

/// One event with its data put together.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Event {
    head: Dispatch,
    data: Vec<u8>,
}

/// All that came out of a stream.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    events: Vec<Event>,
    /// Data of an event that was not complete.
    rest: Vec<u8>,
    last_event_id: Option<String>,
    retry: Option<Duration>,
    error: Option<WireError>,
}

fuzz_target!(|bytes: &[u8]| {
    let input = Input::split(bytes);
    let max_field = match input.number(0) {
        0 => Decoder::MAX_FIELD,
        small => small,
    };
    let whole = decode(input.whole(), max_field);
    for cut in input.cuts() {
        assert_eq!(decode(cut, max_field), whole);
    }
    if whole.error.is_none() {
        assert_eq!(whole.events, by_the_book(input.text));
    }
    for event in &whole.events {
        round_trip(event);
    }
});

fn decode(chunks: Vec<Bytes>, max_field: usize) -> Outcome {
    let mut decoder = Decoder::new().with_max_field(max_field);
    let (mut events, mut data, mut error) = (Vec::new(), Vec::new(), None);
    'stream: for chunk in chunks {
        decoder.push(chunk);
        loop {
            match decoder.next() {
                Ok(Some(Item::Data(part))) => data.extend_from_slice(&part),
                Ok(Some(Item::Dispatch(head))) => {
                    assert!(head.has_data || data.is_empty(), "data without a data line");
                    events.push(Event { head, data: std::mem::take(&mut data) });
                }
                Ok(None) => break,
                Err(found) => {
                    error = Some(found);
                    break 'stream;
                }
            }
        }
    }
    Outcome {
        events,
        rest: data,
        last_event_id: decoder.last_event_id().map(str::to_owned),
        retry: decoder.retry(),
        error,
    }
}

/// The algorithm of the standard (HTML §9.2.6), line by line over the whole text.
fn by_the_book(text: &[u8]) -> Vec<Event> {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let mut events = Vec::new();
    let (mut head, mut data) = (Dispatch::default(), Vec::new());
    for line in lines(text) {
        if line.is_empty() {
            let head = std::mem::take(&mut head);
            let mut data = std::mem::take(&mut data);
            data.pop();
            if head.has_data || head.id.is_some() || head.retry.is_some() {
                events.push(Event { head, data });
            }
            continue;
        }
        let colon = line.iter().position(|byte| *byte == b':');
        let (name, value) = match colon {
            Some(at) => (&line[..at], &line[at + 1..]),
            None => (line, &b""[..]),
        };
        let value = value.strip_prefix(b" ").unwrap_or(value);
        let text = String::from_utf8_lossy(value).into_owned();
        match name {
            b"event" => head.event = (!text.is_empty()).then_some(text),
            b"data" => {
                head.has_data = true;
                data.extend_from_slice(value);
                data.push(b'\n');
            }
            b"id" if !value.contains(&0) => head.id = Some(text),
            b"retry" if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) => {
                head.retry = Some(Duration::from_millis(text.parse().unwrap_or(u64::MAX)));
            }
            _ => {}
        }
    }
    events
}

/// The complete lines of a text.
fn lines(text: &[u8]) -> Vec<&[u8]> {
    let mut lines = Vec::new();
    let mut start = 0;
    let mut at = 0;
    while at < text.len() {
        if matches!(text[at], b'\r' | b'\n') {
            lines.push(&text[start..at]);
            at += usize::from(text[at..].starts_with(b"\r\n"));
            start = at + 1;
        }
        at += 1;
    }
    lines
}

/// What was read can be written, whole and in parts, and is then read as the same.
fn round_trip(event: &Event) {
    if !event.head.has_data {
        return;
    }
    let (name, id, retry) =
        (event.head.event.as_deref(), event.head.id.as_deref(), event.head.retry);
    let head = EventHead { event: name, id, retry };
    let in_parts = [head.begin(), sse::part(event.data.clone().into()), sse::end()].concat();
    for written in [head.whole(&event.data), in_parts.into()] {
        let read = decode(vec![written], usize::MAX);
        assert_eq!(read.events, std::slice::from_ref(event));
        assert_eq!(read.error, None);
    }
}
