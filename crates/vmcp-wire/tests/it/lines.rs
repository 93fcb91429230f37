//! Lines: a bad one costs itself only.

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::{prop_assert_eq, proptest};
use vmcp_wire::lines::{Decoder, Item};
use vmcp_wire::{Kind, Limits, WireError};

use crate::json::{cases, chunks, message, sizes};
use crate::message::joined_bytes;

/// What each line came to: the text of a message, or "?" for a skipped one.
fn read(mut decoder: Decoder, bytes: &[u8], sizes: &[usize]) -> Vec<String> {
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let mut out = Vec::new();
    let mut streamed: Option<Vec<u8>> = None;
    let mut take = |item: Item| match item {
        Item::Message(message) => out.push(text(message.bytes().to_vec())),
        Item::Batch(list) => out.push(format!("batch of {}", list.len())),
        Item::Head(_) => assert!(streamed.replace(Vec::new()).is_none()),
        Item::Pieces(pieces) => streamed.as_mut().unwrap().extend(joined_bytes(&pieces, "@")),
        Item::End => out.push(text(streamed.take().unwrap())),
        Item::Broken(_) => out.push(format!("{}!", text(streamed.take().unwrap()))),
        Item::Skipped(_) => out.push("?".to_owned()),
    };
    for chunk in chunks(bytes, sizes) {
        decoder.push(chunk);
        while let Some(item) = decoder.next() {
            take(item);
        }
    }
    while let Some(item) = decoder.finish() {
        take(item);
    }
    out
}

proptest! {
    #![proptest_config(cases(500))]

    #[test]
    fn lines_come_out_as_they_went_in(parts in vec(message(), 0..4), sizes in sizes(), hold in 0..200usize) {
        let mut bytes = Vec::new();
        let mut expected = Vec::new();
        for parts in &parts {
            // Within a line there is no line feed; other whitespace may stay.
            let line = parts.with_id("@").replace('\n', " ");
            bytes.extend_from_slice(line.replace('@', "4").as_bytes());
            bytes.extend_from_slice(b"\r\n \r\n\nnoise {\n");
            expected.extend([line.replace('@', "4").trim().to_owned(), "?".to_owned()]);
        }
        let lines = read(Decoder::new(Limits::default(), hold, false), &bytes, &sizes);
        let lines: Vec<_> = lines.iter().map(|line| line.replace('@', "4").trim().to_owned()).collect();
        prop_assert_eq!(lines, expected);
    }
}

const GOOD: &str = r#"{"jsonrpc":"2.0","id":1,"result":{}}"#;

#[test]
fn bad_lines_are_skipped() {
    let long = "x".repeat(10_000);
    let request = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{long}"}}"#);
    let limits = Limits { max_bytes: 1000, ..Limits::default() };
    for bad in [
        "Server listening on stdio",
        "{\"jsonrpc\":",
        &format!("{GOOD}{GOOD}"),
        "{}",
        "[]",
        "\u{feff}{}",
        &long,
        &request,
    ] {
        let text = format!("{GOOD}\n{bad}\n{GOOD}\r\n\r\n{GOOD}");
        for size in [1, 7, 100_000] {
            let lines = read(Decoder::new(limits, 100, false), text.as_bytes(), &[size]);
            assert_eq!(lines, [GOOD, "?", GOOD, GOOD], "{bad}");
        }
    }
}

#[test]
fn a_line_that_breaks_while_it_streams_says_so() {
    let start = r#"{"jsonrpc":"2.0","id":1,"result":"0123456789"#;
    let text = format!("{start}\u{1}\",\n{GOOD}\n{start}\n{GOOD}\n{start}");
    let lines = read(Decoder::new(Limits::default(), 40, false), text.as_bytes(), &[1]);
    let broken = format!("{}!", start.replace("1,", "@,"));
    assert_eq!(lines, [&broken, GOOD, &broken, GOOD, &broken]);
}

#[test]
fn a_long_line_streams_and_a_batch_arrives() {
    let text = format!(
        "{{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":\"{}\"}}\n[{GOOD},1]\n",
        "x".repeat(5000)
    );
    let mut decoder = Decoder::new(Limits::default(), 100, true);
    let mut kinds = Vec::new();
    for chunk in chunks(text.as_bytes(), &[64]) {
        decoder.push(chunk);
        while let Some(item) = decoder.next() {
            match item {
                Item::Head(head) => assert_eq!(head.kind, Kind::Success),
                Item::Pieces(_) => continue,
                ref other => kinds.push(format!("{other:?}").chars().take(3).collect::<String>()),
            }
        }
    }
    assert_eq!(kinds, ["End", "Bat"]);
}

#[test]
fn a_capped_stream_breaks_off() {
    let text =
        format!("{{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":\"{}\"}}\n{GOOD}\n", "x".repeat(5000));
    let mut decoder = Decoder::new(Limits::default(), 100, true).with_max_streamed(Some(3000));
    let mut ends = Vec::new();
    for chunk in chunks(text.as_bytes(), &[64]) {
        decoder.push(chunk);
        while let Some(item) = decoder.next() {
            match item {
                Item::Broken(error) => ends.push(Err(error)),
                Item::Message(message) => ends.push(Ok(message.kind())),
                _ => {}
            }
        }
    }
    assert_eq!(ends, [Err(WireError::TooLarge { limit: 3000 }), Ok(Kind::Success)]);
}

#[test]
fn nothing_is_nothing() {
    let mut decoder = Decoder::new(Limits::default(), 100, true);
    assert!(decoder.next().is_none());
    decoder.push(Bytes::from_static(b" \r\n\n"));
    assert!(decoder.next().is_none());
    assert!(decoder.finish().is_none());
}
