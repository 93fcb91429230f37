//! Event streams: round trips, and agreement with the standard's text read literally.

use std::time::Duration;

use bytes::Bytes;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::{Strategy, any, prop_assert_eq, prop_oneof, proptest};
use proptest::sample::select;
use vmcp_wire::WireError;
use vmcp_wire::sse::{self, Decoder, Dispatch, EventHead, Item};

use crate::book::{Event, by_the_book};
use crate::json::{cases, chunks, sizes, value};

fn decode(mut decoder: Decoder, bytes: &[u8], sizes: &[usize]) -> Vec<Event> {
    let mut events = Vec::new();
    let mut data = Vec::new();
    for chunk in chunks(bytes, sizes) {
        decoder.push(chunk);
        while let Some(item) = decoder.next().unwrap() {
            match item {
                Item::Data(part) => data.extend_from_slice(&part),
                Item::Dispatch(head) => {
                    events.push(Event { head, data: std::mem::take(&mut data) });
                }
            }
        }
    }
    events
}

fn field() -> impl Strategy<Value = String> {
    vec(any::<char>(), 0..6).prop_map(|letters| {
        letters.into_iter().filter(|letter| !matches!(letter, '\n' | '\r' | '\0')).collect()
    })
}

/// Fields, then data.
type Sent = (Option<String>, Option<String>, Option<u16>, String);

fn sent() -> impl Strategy<Value = Sent> {
    let data = prop_oneof![
        value(),
        vec(select(vec!["a", " ", "\n", ":", "", "data: x", "é"]), 0..8)
            .prop_map(|parts| parts.concat()),
    ];
    // A pair of line breaks that a cut tears apart would be two, so there are no pairs.
    let data = data.prop_map(|data| data.replace('\n', " \n"));
    (option::of(field()), option::of(field()), option::of(any::<u16>()), data)
}

fn expected((event, id, retry, data): &Sent) -> Event {
    let head = Dispatch {
        event: event.clone().filter(|event| !event.is_empty()),
        id: id.clone(),
        retry: retry.map(|retry| Duration::from_millis(retry.into())),
        has_data: true,
    };
    Event { head, data: data.replace('\r', "\n").into_bytes() }
}

proptest! {
    #![proptest_config(cases(1000))]

    #[test]
    fn what_is_encoded_is_decoded(
        sent in vec((sent(), any::<bool>(), sizes()), 0..5),
        cuts in sizes(),
        break_with in select(vec!["\n", "\r\n", "\r"]),
    ) {
        let mut stream = Vec::new();
        for ((event, id, retry, data), whole, parts) in &sent {
            let head = EventHead {
                event: event.as_deref(),
                id: id.as_deref(),
                retry: retry.map(|retry| Duration::from_millis(retry.into())),
            };
            if *whole {
                stream.extend_from_slice(&head.whole(data.as_bytes()));
            } else {
                stream.extend_from_slice(&head.begin());
                for part in chunks(data.as_bytes(), parts) {
                    stream.extend_from_slice(&sse::part(part));
                }
                stream.extend_from_slice(&sse::end());
            }
            stream.extend_from_slice(&sse::keep_alive());
            stream.extend_from_slice(&sse::comment("a\nb"));
        }
        // All line breaks are ours, so they may be any of the three.
        let stream = replace(&stream, b"\n", break_with.as_bytes());
        let expected: Vec<_> = sent.iter().map(|(sent, _, _)| expected(sent)).collect();
        prop_assert_eq!(decode(Decoder::new(), &stream, &cuts), expected);
    }

    #[test]
    fn decodes_by_the_book(
        pieces in vec(select(vec![
            "data", "event", "id", "retry", ":", ": ", "\n", "\r", "\r\n", "\n\n", "x", " ", "12",
            "\0", "\u{feff}", "é", "datas", "dat", "data: {}\n", "id: 7\n", "retry: 9\n", "\n\n",
        ]), 0..24),
        raw in vec(any::<u8>(), 0..3),
        cuts in sizes(),
    ) {
        let mut stream = pieces.concat().into_bytes();
        let middle = stream.len() / 2;
        stream.splice(middle..middle, raw);
        prop_assert_eq!(decode(Decoder::new(), &stream, &cuts), by_the_book(&stream));
    }
}

fn replace(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut parts = bytes.split(|byte| [*byte] == *from);
    let mut out = parts.next().unwrap_or_default().to_vec();
    for part in parts {
        out.extend_from_slice(to);
        out.extend_from_slice(part);
    }
    out
}

#[test]
fn an_id_without_data_is_a_place_to_resume_from() {
    for stream in
        ["id: 5\n\n", "id: 5\ndata:\n\n", "id: 5\ndata: \n\n", "id: 5\nretry: 10\ndata\n\n"]
    {
        let mut decoder = Decoder::new();
        decoder.push(stream.into());
        let Ok(Some(Item::Dispatch(dispatch))) = decoder.next() else { panic!("{stream}") };
        assert_eq!(dispatch.id.as_deref(), Some("5"));
        assert_eq!(dispatch.has_data, stream.contains("data"));
        assert_eq!(decoder.last_event_id(), Some("5"));
        assert_eq!(decoder.next(), Ok(None));
    }
}

#[test]
fn an_id_counts_when_its_event_is_complete() {
    let mut decoder = Decoder::new();
    decoder.push("id: 1\ndata: a\n\nretry: 50\nid: 2\ndata: b\n".into());
    while decoder.next().unwrap().is_some() {}
    assert_eq!(decoder.last_event_id(), Some("1"));
    assert_eq!(decoder.retry(), Some(Duration::from_millis(50)));
    decoder.push("\nid\ndata: c\n\n".into());
    while decoder.next().unwrap().is_some() {}
    assert_eq!(decoder.last_event_id(), Some(""));
}

#[test]
fn the_event_name_is_known_before_the_data() {
    let mut decoder = Decoder::new();
    decoder.push("event: endpoint\ndata: /messages".into());
    assert_eq!(decoder.next(), Ok(Some(Item::Data("/messages".into()))));
    assert_eq!(decoder.event(), Some("endpoint"));
}

#[test]
fn data_is_handed_on_without_a_copy() {
    let chunk = Bytes::from(format!("data: {}", "x".repeat(1000)));
    let mut decoder = Decoder::new();
    decoder.push(chunk.clone());
    let Ok(Some(Item::Data(data))) = decoder.next() else { panic!("no data") };
    assert_eq!(data.as_ptr(), chunk[6..].as_ptr());
    decoder.push(chunk.clone());
    assert_eq!(decoder.next(), Ok(Some(Item::Data(chunk))));
}

#[test]
fn short_fields_are_bounded_and_the_rest_is_not_kept() {
    for field in ["id", "event", "retry"] {
        let mut decoder = Decoder::new().with_max_field(100);
        decoder.push(format!("{field}: ").into());
        assert_eq!(decoder.next(), Ok(None));
        decoder.push("x".repeat(100).into());
        assert_eq!(decoder.next(), Ok(None), "{field}");
        decoder.push("x".into());
        assert_eq!(decoder.next(), Err(WireError::TooLarge { limit: 100 }), "{field}");
    }
    let long = "x".repeat(10_000);
    let stream = format!(":{long}\n{long}: {long}\n{long}\ndata: 1\n\n");
    let events = decode(Decoder::new().with_max_field(100), stream.as_bytes(), &[50]);
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].data, b"1");
}

#[test]
fn empty_events_cost_nothing() {
    let mut decoder = Decoder::new();
    decoder.push("\n".repeat(1_000_000).into());
    assert_eq!(decoder.next(), Ok(None));
    decoder.push(":\n\n".repeat(100_000).into());
    assert_eq!(decoder.next(), Ok(None));
}

#[test]
fn the_encoder_writes_these_bytes() {
    let head = EventHead { event: Some("message"), id: Some("1.7"), ..EventHead::default() };
    assert_eq!(head.whole(b"{}"), "event: message\nid: 1.7\ndata: {}\n\n");
    assert_eq!(
        EventHead::default().whole(b"[\r\n1,\r2,\n3]"),
        "data: [\ndata: 1,\ndata: 2,\ndata: 3]\n\n"
    );
    assert_eq!(
        sse::priming("s.0", Some(Duration::from_secs(2))),
        "id: s.0\nretry: 2000\ndata: \n\n"
    );
    assert_eq!(sse::retry(Duration::from_millis(5)), "retry: 5\n\n");
    assert_eq!(sse::comment("a\n\ndata: b"), ": adata: b\n\n");
    let injected =
        EventHead { event: Some("a\ndata: b\0"), id: Some("1\r\0"), ..EventHead::default() };
    assert_eq!(injected.begin(), "event: adata: b\0\nid: 1\ndata: ");
    let plain = Bytes::from_static(b"no breaks");
    assert_eq!(sse::part(plain.clone()).as_ptr(), plain.as_ptr());
}
