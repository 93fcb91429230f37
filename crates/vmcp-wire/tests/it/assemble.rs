//! Chunks, however cut, give what the whole gives.

use bytes::Bytes;
use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};
use vmcp_wire::{Assembled, Assembler, Head, Kind, Limits, Message, Piece, RawId, WireError};

use crate::chunked::{Outcome, assemble};
use crate::json::{cases, chunks, damage, message, sizes};
use crate::message::joined;

proptest! {
    #![proptest_config(cases(1500))]

    #[test]
    fn chunks_give_the_whole(parts in message(), sizes in sizes()) {
        let text = parts.text();
        let assembler = Assembler::new(Limits::default(), usize::MAX, false);
        let outcome = assemble(assembler, chunks(text.as_bytes(), &sizes)).unwrap();
        let Outcome::Whole(message) = outcome else { panic!("streamed") };
        prop_assert_eq!(message.kind(), parts.kind);
        prop_assert_eq!(message.with_id(&RawId::number(7)), parts.with_id("7"));
    }

    #[test]
    fn streams_give_every_byte(
        parts in message(), sizes in sizes(), hold in 0..60usize, need_id in any::<bool>(),
    ) {
        let text = parts.text();
        let assembler = Assembler::new(Limits::default(), hold, need_id);
        let id = RawId::from_token(parts.id.as_bytes()).unwrap();
        match assemble(assembler, chunks(text.as_bytes(), &sizes)).unwrap() {
            Outcome::Batch(_) => panic!("no batch was sent"),
            Outcome::Whole(message) => prop_assert_eq!(message.bytes(), &text),
            Outcome::Streamed(head, pieces) => {
                prop_assert!(parts.kind != Kind::Request);
                prop_assert_eq!(head.kind, parts.kind);
                prop_assert!(head.id.is_some() || !need_id);
                prop_assert!(head.id.is_none_or(|head| head == id));
                prop_assert_eq!(joined(&pieces, "@"), parts.with_id("@"));
                prop_assert!(pieces.contains(&Piece::Id(id)));
            }
        }
    }

    #[test]
    fn faults_are_found_in_chunks_too(
        parts in message(), damage in damage(), sizes in sizes(), hold in 0..60usize,
    ) {
        let mut bytes = parts.text().into_bytes();
        damage.iter().for_each(|damage| damage.apply(&mut bytes));
        let whole = Message::parse(bytes.clone().into(), &Limits::default());
        let assembler = Assembler::new(Limits::default(), hold, false);
        // Damage may have made an array of it.
        if bytes.trim_ascii_start().starts_with(b"[") {
            return Ok(());
        }
        let chunked = assemble(assembler, chunks(&bytes, &sizes));
        prop_assert_eq!(chunked.is_ok(), whole.is_ok(), "{:?} {:?}", chunked, whole);
        // Where it is found differs by a character at most, when a cut goes through it.
        if let (Err(WireError::Syntax { offset, what }), Err(WireError::Syntax { offset: whole, .. }))
            = (chunked, whole)
        {
            prop_assert!(offset == whole || offset - whole < 4 && what == "not UTF-8", "{} {} {}", offset, whole, what);
        }
    }
}

#[test]
fn a_batch_in_chunks_gives_its_messages() {
    let text = r#"[{"jsonrpc":"2.0","id":1,"result":{}}, 7,{"jsonrpc":"2.0","method":"m"}]"#;
    for size in [1, 5, 1000] {
        let assembler = Assembler::new(Limits::default(), 4, false);
        let outcome = assemble(assembler, chunks(text.as_bytes(), &[size])).unwrap();
        let Outcome::Batch(messages) = outcome else { panic!("no batch") };
        let kinds: Vec<Option<Kind>> =
            messages.iter().map(|message| message.as_ref().ok().map(Message::kind)).collect();
        assert_eq!(kinds, [Some(Kind::Success), None, Some(Kind::Notification)]);
    }
}

fn response(text: usize) -> String {
    format!(
        r#"{{"result":{{"text":"{}"}},"id":"a long id that is cut","jsonrpc":"2.0"}}"#,
        "x".repeat(text)
    )
}

#[test]
fn one_chunk_is_not_copied() {
    let bytes = Bytes::from(response(100_000));
    let mut assembler = Assembler::new(Limits::default(), 1000, false);
    assert_eq!(assembler.push(bytes.clone()), Ok(None));
    let Ok(Assembled::Whole(message)) = assembler.finish() else { panic!("not whole") };
    assert_eq!(message.bytes().as_ptr(), bytes.as_ptr());
}

#[test]
fn streamed_pieces_share_memory_with_their_chunks() {
    let text = response(10_000);
    let mut assembler = Assembler::new(Limits::default(), 1000, false);
    let mut held = Some(());
    for chunk in chunks(text.as_bytes(), &[900]) {
        let head = assembler.push(chunk.clone()).unwrap();
        let first = head.is_some();
        for piece in assembler.take_pieces() {
            let Piece::Bytes(bytes) = piece else { continue };
            let same = chunk.as_ptr_range().contains(&bytes.as_ptr());
            // What was held back is the one thing that may be elsewhere.
            assert!(same || first && held.take().is_some());
        }
    }
    assert!(matches!(assembler.finish(), Ok(Assembled::Streamed(_))));
}

#[test]
fn a_long_response_is_not_kept() {
    let mut assembler = Assembler::new(Limits { max_bytes: 4096, ..Limits::default() }, 1000, true);
    let chunk = Bytes::from(vec![b'x'; 1000]);
    assembler.push(Bytes::from_static(br#"{"jsonrpc":"2.0","id":1,"result":""#)).unwrap();
    let mut out = 0;
    for _ in 0..10_000 {
        assembler.push(chunk.clone()).unwrap();
        let pieces = assembler.take_pieces();
        assert!(pieces.len() <= 4);
        out += pieces.len();
    }
    assembler.push(Bytes::from_static(b"\"}")).unwrap();
    assert!(out >= 10_000);
    assert!(matches!(assembler.finish(), Ok(Assembled::Streamed(_))));
}

#[test]
fn what_may_not_stream_is_bounded() {
    let limits = Limits { max_bytes: 2000, ..Limits::default() };
    let too_large = WireError::TooLarge { limit: 2000 };
    let push = |mut assembler: Assembler, text: &str| {
        let result = chunks(text.as_bytes(), &[100]).into_iter().try_for_each(|chunk| {
            assembler.push(chunk)?;
            assembler.take_pieces();
            Ok(())
        });
        result.and_then(|()| assembler.finish().map(|_| ()))
    };
    let request =
        format!(r#"{{"jsonrpc":"2.0","id":1,"method":"a","params":"{}"}}"#, "x".repeat(2000));
    assert_eq!(push(Assembler::new(limits, 100, false), &request), Err(too_large.clone()));
    // The id stands behind the long result, and is needed before.
    assert_eq!(push(Assembler::new(limits, 100, true), &response(3000)), Err(too_large.clone()));
    assert_eq!(push(Assembler::new(limits, 100, false), &response(2000)), Ok(()));
    // An unknown member before anything else could be anything.
    let unknown = format!(r#"{{"x":"{}","id":1,"jsonrpc":"2.0","result":1}}"#, "x".repeat(3000));
    assert_eq!(push(Assembler::new(limits, 100, false), &unknown), Err(too_large));
    let capped = Assembler::new(limits, 100, false).with_max_streamed(Some(2500));
    assert_eq!(push(capped, &response(3000)), Err(WireError::TooLarge { limit: 2500 }));
    let batch = format!("[{}]", [request.as_str(); 2].join(","));
    assert!(push(Assembler::new(limits, 100, false), &batch).is_err());
}

#[test]
fn a_stream_that_goes_wrong_says_so() {
    for (end, error) in [
        ("\"}", None),
        ("\"", Some("cut off")),
        ("\",\"error\":1}", Some("more than one")),
        ("\",\"method\":\"a\"}", Some("more than one")),
        ("\",\"id\":2}", Some("twice")),
        ("\"}}", Some("after the end")),
        ("\u{1}", Some("control character")),
    ] {
        let mut assembler = Assembler::new(Limits::default(), 10, true);
        let start = br#"{"jsonrpc":"2.0","id":1,"result":"abc"#;
        let head = assembler.push(Bytes::from_static(start)).unwrap().unwrap();
        assert_eq!(head, Head { id: Some(RawId::number(1)), kind: Kind::Success });
        let result = assembler.push(Bytes::from_static(end.as_bytes()));
        let result = result.and_then(|_| assembler.finish());
        let text = result.err().map(|error| error.to_string());
        match (text, error) {
            (None, None) => {}
            (Some(text), Some(error)) => assert!(text.contains(error), "{end}: {text}"),
            other => panic!("{end}: {other:?}"),
        }
    }
}

#[test]
fn batches_and_empty_bodies() {
    let mut assembler = Assembler::new(Limits::default(), 10, false);
    for chunk in chunks(br#"[{"jsonrpc":"2.0","id":1,"result":{}},{}]"#, &[7]) {
        assert_eq!(assembler.push(chunk), Ok(None));
    }
    let Ok(Assembled::Batch(list)) = assembler.finish() else { panic!("no batch") };
    assert_eq!((list.len(), list[0].is_ok(), list[1].is_ok()), (2, true, false));
    let mut empty = Assembler::new(Limits::default(), 10, false);
    assert_eq!(empty.finish().err(), Some(WireError::Truncated));
    assert_eq!(empty.push(Bytes::from_static(b"{}")), Err(WireError::Truncated));
}

#[test]
fn an_error_response_without_an_id_streams_as_it_is() {
    let text =
        r#"{"jsonrpc":"2.0","id":null,"error":{"code":1,"message":"long enough to stream"}}"#;
    let outcome =
        assemble(Assembler::new(Limits::default(), 10, true), chunks(text.as_bytes(), &[3]));
    let Ok(Outcome::Streamed(head, pieces)) = outcome else { panic!("{outcome:?}") };
    assert_eq!(head, Head { id: None, kind: Kind::Failure });
    assert_eq!(joined(&pieces, "@"), text);
}
