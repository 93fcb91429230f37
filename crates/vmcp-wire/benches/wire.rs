//! What the wire costs: reading messages, writing them under another id, long replies in chunks, event streams, names.
//!
//! ```text
//! cargo bench -p vmcp-wire --bench wire
//! ```
//!
//! Times are of one machine at one moment: compare two builds side by side.
#![expect(clippy::unwrap_used, reason = "a measurement that cannot be made has nothing to say")]

use std::hint::black_box;

use bytes::Bytes;
use divan::Bencher;
use divan::counter::BytesCount;
use vmcp_wire::sse::{Decoder, EventHead};
use vmcp_wire::{Assembler, Edits, Limits, Message, Object, RawId, ResultWatch, quote};

/// What a connection gives at one time.
const CHUNK: usize = 16 << 10;
/// Lengths of the text in a reply.
const SIZES: [usize; 3] = [100, 10_000, 1_000_000];
const PARAMS: &[u8] = br#"{"name":"files_read","arguments":{"path":"/srv/a.txt","limit":1e3,"lines":[1,2,3]},"_meta":{"progressToken":7}}"#;

fn main() {
    divan::main();
}

/// A call as clients send it.
fn call() -> Bytes {
    let params = String::from_utf8_lossy(PARAMS);
    format!(r#"{{"jsonrpc":"2.0","id":1000001,"method":"tools/call","params":{params}}}"#).into()
}

/// A reply with so much text, every fiftieth character of which is escaped.
fn reply(length: usize) -> Bytes {
    let text: String = "All work and no play makes a gateway a dull process\n"
        .chars()
        .cycle()
        .take(length)
        .collect();
    let text = quote(&text);
    let text = String::from_utf8_lossy(&text);
    format!(r#"{{"jsonrpc":"2.0","id":7,"result":{{"content":[{{"type":"text","text":{text}}}],"isError":false}}}}"#)
        .into()
}

fn chunks(whole: &Bytes) -> Vec<Bytes> {
    (0..whole.len()).step_by(CHUNK).map(|at| whole.slice(at..whole.len().min(at + CHUNK))).collect()
}

/// Scans a request and finds its members.
#[divan::bench]
fn parse_call(bencher: Bencher<'_, '_>) {
    let (call, limits) = (call(), Limits::default());
    bencher
        .counter(BytesCount::new(call.len()))
        .bench_local(|| Message::parse(black_box(call.clone()), &limits).unwrap());
}

/// Scans a response and finds its members.
#[divan::bench(args = SIZES)]
fn parse_reply(bencher: Bencher<'_, '_>, size: usize) {
    let (reply, limits) = (reply(size), Limits::default());
    bencher
        .counter(BytesCount::new(reply.len()))
        .bench_local(|| Message::parse(black_box(reply.clone()), &limits).unwrap());
}

/// Writes a response under another id: a copy, or pieces around it.
#[divan::bench(args = SIZES)]
fn splice(bencher: Bencher<'_, '_>, size: usize) {
    let message = Message::parse(reply(size), &Limits::default()).unwrap();
    let id = RawId::from_token(b"\"call-1\"").unwrap();
    bencher.bench_local(|| black_box(&message).with_id(&id));
}

/// A response in chunks, long ones handed on as they come.
#[divan::bench(args = SIZES)]
fn assemble(bencher: Bencher<'_, '_>, size: usize) {
    let reply = reply(size);
    let chunks = chunks(&reply);
    bencher.counter(BytesCount::new(reply.len())).bench_local(|| {
        let mut assembler = Assembler::new(Limits::default(), Assembler::DEFAULT_HOLD, false);
        for chunk in &chunks {
            assembler.push(black_box(chunk.clone())).unwrap();
            black_box(assembler.take_pieces());
        }
        assembler.finish().unwrap()
    });
}

/// One event with a response in it.
#[divan::bench(args = SIZES)]
fn sse(bencher: Bencher<'_, '_>, size: usize) {
    let event =
        EventHead { event: Some("message"), id: Some("s.1"), retry: None }.whole(&reply(size));
    let chunks = chunks(&event);
    bencher.counter(BytesCount::new(event.len())).bench_local(|| {
        let mut decoder = Decoder::new();
        for chunk in &chunks {
            decoder.push(black_box(chunk.clone()));
            while let Some(item) = decoder.next().unwrap() {
                black_box(item);
            }
        }
    });
}

/// Finds the name in the params of a call and writes the backend's own in its place.
#[divan::bench]
fn rename() -> Bytes {
    let params = black_box(PARAMS);
    let object = Object::parse(params).unwrap();
    let name = object.unique("name").unwrap().unwrap();
    let mut edits = Edits::new();
    edits.replace(name.span, "\"read\"");
    edits.apply(params)
}

/// Looks at the outermost members of a response that streams by.
#[divan::bench(args = SIZES)]
fn watch(bencher: Bencher<'_, '_>, size: usize) {
    let reply = reply(size);
    let chunks = chunks(&reply);
    bencher.counter(BytesCount::new(reply.len())).bench_local(|| {
        let (mut watch, mut seen) = (ResultWatch::new(), 0);
        for chunk in &chunks {
            watch.read(black_box(chunk), |_, _| seen += 1);
        }
        seen
    });
}
