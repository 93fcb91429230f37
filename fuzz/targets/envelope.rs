//! Messages: the same verdict as another parser, in one piece and in any chunks, and rewriting that
//! touches nothing but what it rewrites.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use vmcp_fuzz::{Expected, Input, joined, json, message};
use vmcp_wire::{Assembler, Body, Kind, Limits, Message, Piece, RawId, WireError, parse_body};

#[path = "../../crates/vmcp-wire/tests/it/chunked.rs"]
mod chunked;
use chunked::{Outcome, assemble};

/// Small, so that inputs reach them.
const LIMITS: Limits = Limits { max_bytes: 1 << 12, max_depth: 9, max_batch: 5 };

fuzz_target!(|bytes: &[u8]| {
    let input = Input::split(bytes);
    let text = Bytes::copy_from_slice(input.text);
    let expected = message(&text, &LIMITS);
    let parsed = Message::parse(text.clone(), &LIMITS);
    agree(&text, &parsed, expected.as_ref());
    if let (Ok(parsed), Some(expected)) = (&parsed, &expected) {
        rewritten(&text, parsed, expected);
    }
    let batch = batch(&text);
    for cut in input.cuts() {
        for hold in [usize::MAX, input.number(1)] {
            for need_id in [false, true] {
                let outcome = assemble(Assembler::new(LIMITS, hold, need_id), cut.clone());
                same(&text, &parsed, batch.as_deref(), outcome, need_id);
            }
        }
    }
});

fn agree(text: &[u8], parsed: &Result<Message, WireError>, expected: Option<&Expected>) {
    let (parsed, expected) = match (parsed, expected) {
        (Ok(parsed), Some(expected)) => (parsed, expected),
        (Err(_), None) => return,
        (ours, other) => panic!("ours: {ours:?}, other: {other:?}"),
    };
    let main = &text[expected.main.clone()];
    assert_eq!(parsed.kind(), expected.kind);
    assert_eq!(parsed.method(), expected.method);
    assert_eq!(parsed.result().as_deref(), (expected.kind == Kind::Success).then_some(main));
    assert_eq!(parsed.error().as_deref(), (expected.kind == Kind::Failure).then_some(main));
    let id = expected.id.clone().map(|span| &text[span]).filter(|id| *id != b"null");
    assert_eq!(parsed.id().as_ref().map(RawId::as_bytes), id);
    let is_call = matches!(expected.kind, Kind::Request | Kind::Notification);
    let params = expected.params.clone().map(|span| &text[span]).filter(|_| is_call);
    assert_eq!(parsed.params().as_deref(), params);
    assert_eq!(&parsed.bytes()[..], text);
}

/// Each way of rewriting against the text cut and pasted by hand.
fn rewritten(text: &[u8], parsed: &Message, expected: &Expected) {
    let id = RawId::number(77);
    let params: &[u8] = br#"{"new":[1]}"#;
    let replaced = |span: &Option<std::ops::Range<usize>>, key: &str, value: &[u8]| match span {
        Some(span) => [&text[..span.start], value, &text[span.end..]].concat(),
        None => {
            let (before, behind) = text.split_at(expected.main.end);
            [before, key.as_bytes(), value, behind].concat()
        }
    };
    let with_id = match expected.kind {
        Kind::Notification => text.to_vec(),
        _ => replaced(&expected.id, ",\"id\":", id.as_bytes()),
    };
    let with_params = match expected.kind {
        Kind::Request | Kind::Notification => replaced(&expected.params, ",\"params\":", params),
        Kind::Success | Kind::Failure => text.to_vec(),
    };
    assert_eq!(&parsed.with_id(&id)[..], with_id);
    assert_eq!(&parsed.with_params(params)[..], with_params);
    // Both at once is one after the other.
    let both = parsed.rewrite(Some(&id), Some(params));
    let unlimited = Limits { max_bytes: usize::MAX, ..LIMITS };
    let again = Message::parse(with_id.into(), &unlimited).expect("the rewritten message is one");
    assert_eq!(again.with_params(params), both);
    assert_eq!(&joined(&parsed.pieces(), b"@")[..], &at_id(text, parsed, expected)[..]);
}

/// The text with `@` for an id that is not null.
fn at_id(text: &[u8], parsed: &Message, expected: &Expected) -> Vec<u8> {
    match &expected.id {
        Some(span) if parsed.id().is_some() => {
            [&text[..span.start], b"@", &text[span.end..]].concat()
        }
        _ => text.to_vec(),
    }
}

/// The messages of a batch, None when the text is none. They are compared with the other parser's.
fn batch(text: &Bytes) -> Option<Vec<Result<Message, WireError>>> {
    let elements = std::str::from_utf8(text)
        .ok()
        .and_then(|text| serde_json::from_str::<Vec<&serde_json::value::RawValue>>(text).ok())
        .filter(|elements| !elements.is_empty() && elements.len() <= LIMITS.max_batch)
        .filter(|_| text.len() <= LIMITS.max_bytes && json(text, LIMITS.max_depth));
    let ours = match parse_body(text.clone(), &LIMITS) {
        Ok(Body::Batch(ours)) => Some(ours),
        Ok(Body::One(_)) | Err(_) => None,
    };
    assert_eq!(ours.is_some(), elements.is_some());
    for (ours, element) in ours.iter().flatten().zip(elements.into_iter().flatten()) {
        let element = element.get().as_bytes();
        agree(element, ours, message(element, &LIMITS).as_ref());
    }
    ours
}

/// What came of the chunks is what came of the whole.
fn same(
    text: &Bytes,
    parsed: &Result<Message, WireError>,
    batch: Option<&[Result<Message, WireError>]>,
    outcome: Result<Outcome, WireError>,
    need_id: bool,
) {
    match outcome {
        Ok(Outcome::Whole(message)) => {
            let parsed = parsed.as_ref().expect("the whole is a message");
            assert_eq!(message.bytes(), parsed.bytes());
            assert_eq!(message.kind(), parsed.kind());
            assert_eq!(message.id(), parsed.id());
            assert_eq!(message.method(), parsed.method());
            assert_eq!(message.params(), parsed.params());
            assert_eq!(message.pieces(), parsed.pieces());
        }
        Ok(Outcome::Batch(messages)) => {
            let batch = batch.expect("the whole is a batch");
            assert_eq!(messages.len(), batch.len());
            for (one, other) in messages.iter().zip(batch) {
                let bytes = |message: &Result<Message, WireError>| {
                    message.as_ref().map(|message| message.bytes().clone()).map_err(Clone::clone)
                };
                assert_eq!(bytes(one), bytes(other));
            }
        }
        Ok(Outcome::Streamed(head, pieces)) => {
            // A long response has no bound but this one way of crossing it.
            let unlimited = Limits { max_bytes: usize::MAX, ..LIMITS };
            let whole = Message::parse(text.clone(), &unlimited).expect("the whole is a message");
            assert!(matches!(whole.kind(), Kind::Success | Kind::Failure));
            assert_eq!(head.kind, whole.kind());
            assert!(head.id.is_none() || head.id == whole.id());
            assert!(head.id.is_some() || !need_id || whole.id().is_none());
            assert_eq!(joined(&pieces, b"@"), joined(&whole.pieces(), b"@"));
            let ids = pieces.iter().filter(|piece| matches!(piece, Piece::Id(_))).count();
            assert_eq!(ids, usize::from(whole.id().is_some()));
        }
        Err(error) => {
            assert!(parsed.is_err() && batch.is_none(), "{error} in chunks only");
        }
    }
}
