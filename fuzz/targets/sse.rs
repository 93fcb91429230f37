//! Event streams: what the standard says, however the stream is cut; and what we write is read.

#![no_main]

use std::time::Duration;

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use vmcp_fuzz::Input;
use vmcp_wire::WireError;
use vmcp_wire::sse::{self, Decoder, EventHead, Item};

#[path = "../../crates/vmcp-wire/tests/it/book.rs"]
mod book;
use book::{Event, by_the_book};

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
