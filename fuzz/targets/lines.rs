//! Lines on a pipe: each is a message, a batch or nothing, however the stream is cut.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use vmcp_fuzz::{Input, joined};
use vmcp_wire::lines::{Decoder, Item};
use vmcp_wire::{Body, Limits, Message, Piece, WireError, parse_body};

/// Small, so that inputs reach them.
const LIMITS: Limits = Limits { max_bytes: 200, max_depth: 9, max_batch: 5 };
/// A response may be as long as it likes.
const STREAMED: Limits = Limits { max_bytes: usize::MAX, ..LIMITS };

/// What one line came to.
#[derive(Debug, PartialEq, Eq)]
enum Line {
    Message(Vec<u8>),
    Batch(Vec<Option<Vec<u8>>>),
    Streamed(Vec<u8>),
    Wrong,
}

fuzz_target!(|bytes: &[u8]| {
    let input = Input::split(bytes);
    let expected = by_the_book(input.text);
    for cut in input.cuts() {
        for hold in [usize::MAX, input.number(1)] {
            let read = read(cut.clone(), hold);
            assert_eq!(read.len(), expected.len(), "{read:?}");
            for (read, expected) in read.iter().zip(&expected) {
                alike(read, expected);
            }
        }
    }
});

/// What streams is the same message; what is longer than a message may be can only stream.
fn alike(read: &Line, (expected, too_long): &(Line, bool)) {
    match (read, expected) {
        (Line::Streamed(text), Line::Streamed(expected)) => assert_eq!(text, expected),
        (Line::Streamed(text), Line::Message(expected)) => {
            let message = Message::parse(expected.clone().into(), &STREAMED).expect("a message");
            assert_eq!(*text, joined(&message.pieces(), b"@"));
        }
        (Line::Wrong, Line::Streamed(_)) => assert!(too_long, "a short message is wrong"),
        _ => assert_eq!(read, expected),
    }
}

/// Line by line over the whole text; with each whether it is longer than what is kept.
fn by_the_book(text: &[u8]) -> Vec<(Line, bool)> {
    let lines = text.split(|byte| *byte == b'\n').map(trimmed);
    lines
        .filter(|line| !line.is_empty())
        .map(|line| {
            let too_long = line.len() > LIMITS.max_bytes;
            (one_line(line, too_long), too_long)
        })
        .collect()
}

fn one_line(line: &[u8], too_long: bool) -> Line {
    let bytes = Bytes::copy_from_slice(line);
    match parse_body(bytes.clone(), &LIMITS) {
        Ok(Body::One(message)) => Line::Message(message.bytes().to_vec()),
        Ok(Body::Batch(messages)) => Line::Batch(messages.into_iter().map(kept).collect()),
        Err(_) => match Message::parse(bytes, &STREAMED) {
            Ok(message) if too_long && message.method().is_empty() => {
                Line::Streamed(joined(&message.pieces(), b"@"))
            }
            _ => Line::Wrong,
        },
    }
}

fn kept(message: Result<Message, WireError>) -> Option<Vec<u8>> {
    message.ok().map(|message| message.bytes().to_vec())
}

/// Whitespace before a message is passed over; one carriage return belongs to the line's end.
fn trimmed(line: &[u8]) -> &[u8] {
    let line = line.trim_ascii_start();
    line.strip_suffix(b"\r").unwrap_or(line)
}

fn read(chunks: Vec<Bytes>, hold: usize) -> Vec<Line> {
    let mut decoder = Decoder::new(LIMITS, hold, false);
    let mut lines = Vec::new();
    let mut streaming: Option<Vec<Piece>> = None;
    for chunk in chunks {
        decoder.push(chunk);
        while let Some(item) = decoder.next() {
            take(item, &mut lines, &mut streaming);
        }
    }
    while let Some(item) = decoder.finish() {
        take(item, &mut lines, &mut streaming);
    }
    assert!(streaming.is_none(), "a stream without an end");
    lines
}

fn take(item: Item, lines: &mut Vec<Line>, streaming: &mut Option<Vec<Piece>>) {
    let line = match item {
        Item::Head(_) => {
            assert!(streaming.replace(Vec::new()).is_none(), "a head within a stream");
            return;
        }
        Item::Pieces(pieces) => {
            streaming.as_mut().expect("pieces without a head").extend(pieces);
            return;
        }
        Item::End => {
            let pieces = streaming.take().expect("an end without a head");
            Line::Streamed(joined(&pieces, b"@"))
        }
        Item::Broken(_) => {
            streaming.take().expect("broken without a head");
            Line::Wrong
        }
        Item::Message(message) => Line::Message(message.bytes().to_vec()),
        Item::Batch(messages) => Line::Batch(messages.into_iter().map(kept).collect()),
        Item::Skipped(_) => Line::Wrong,
    };
    assert!(streaming.is_none(), "another item within a stream");
    lines.push(line);
}
