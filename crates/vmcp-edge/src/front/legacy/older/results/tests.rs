//! What becomes of results that the revision of a client cannot say.

use proptest::prelude::{ProptestConfig, any, prop_assert_eq, proptest};
use vmcp_wire::revision::Revision;
use vmcp_wire::{Limits, Message, RawId, rpc};

use super::Kind;

const OLDEST: Revision = Revision::V2024_11_05;
/// The SHA-256 of `UklGRg==`.
const HASH: &str = "aa40ebcc97ccf9ef866d1b5a161c39dc5cb008a9c275191497227ffa219cf1a9";

fn message(result: &str) -> Message {
    let bytes = rpc::success(&RawId::number(1), result.as_bytes());
    Message::parse(bytes, &Limits::default()).unwrap()
}

#[track_caller]
fn check(kind: Kind, revision: Revision, result: &str, expected: &str) {
    let converted = kind.convert(revision, message(result), &Limits::default());
    assert_eq!(converted.result().unwrap(), expected, "{revision:?}");
    assert_eq!(converted.id(), Some(RawId::number(1)));
}

fn same(kind: Kind, revision: Revision, result: &str) {
    check(kind, revision, result, result);
}

#[test]
fn audio_becomes_an_embedded_resource_with_the_same_data() {
    let result = r#"{"n":1.0,"content":[ {"type":"text","text":"\"audio\""} ,{"x":1e3,"data":"UklGRg==","type":"audio", "mimeType":"audio/wav","annotations":{"priority":1.0}}],"isError":false}"#;
    let expected = format!(
        r#"{{"n":1.0,"content":[ {{"type":"text","text":"\"audio\""}} ,{{"x":1e3,"type":"resource", "annotations":{{"priority":1.0}},"resource":{{"uri":"vmcp://inline/{HASH}","mimeType":"audio/wav","blob":"UklGRg=="}}}}],"isError":false}}"#
    );
    check(Kind::Tool, OLDEST, result, &expected);
    for revision in &Revision::HANDSHAKES[1..] {
        same(Kind::Tool, *revision, result);
    }
    let hidden = r#"{"content":[{"type":"\u0061udio","data":"UklGRg=="}]}"#;
    let expected = format!(
        r#"{{"content":[{{"type":"resource","resource":{{"uri":"vmcp://inline/{HASH}","blob":"UklGRg=="}}}}]}}"#
    );
    check(Kind::Tool, OLDEST, hidden, &expected);
}

#[test]
fn a_link_becomes_a_text_with_all_that_it_says() {
    let result = r#"{"content":[{"type":"resource_link","uri":"file:///a\"b","name":"n","title":"T","description":"d\nd","mimeType":"text/plain","size":3,"icons":[],"_meta":{"k":1.0}},{"uri":"u:","type":"resource_link"}]}"#;
    let expected = r#"{"content":[{"type":"text","_meta":{"k":1.0},"text":"n: file:///a\"b (text/plain)\nT\nd\nd"},{"type":"text","text":"u:"}]}"#;
    for revision in [Revision::V2024_11_05, Revision::V2025_03_26] {
        check(Kind::Tool, revision, result, expected);
    }
    for revision in [Revision::V2025_06_18, Revision::V2025_11_25] {
        assert_eq!(Kind::of(revision, "tools/call"), None, "nothing is looked at");
        same(Kind::Tool, revision, result);
    }
}

#[test]
fn structured_content_alone_is_said_as_text_besides() {
    let text = r#"{"type":"text","text":"{\"a\": [1.0, \"\\n\"]}"}"#;
    let structured = r#""structuredContent":{"a": [1.0, "\n"]}"#;
    for revision in [Revision::V2024_11_05, Revision::V2025_03_26] {
        let check = |result: &str, expected: &str| check(Kind::Tool, revision, result, expected);
        check(&format!("{{{structured}}}"), &format!(r#"{{{structured},"content":[{text}]}}"#));
        check(
            &format!(r#"{{"content": [ ] ,{structured}}}"#),
            &format!(r#"{{"content": [{text}] ,{structured}}}"#),
        );
        check(
            &format!(r#"{{"content":null,{structured}}}"#),
            &format!(r#"{{"content":[{text}],{structured}}}"#),
        );
        same(Kind::Tool, revision, &format!(r#"{{"content":[{{"type":"text"}}],{structured}}}"#));
        same(Kind::Tool, revision, r#"{"content":[],"structuredContent":null}"#);
    }
    same(Kind::Tool, Revision::V2025_06_18, &format!("{{{structured}}}"));
    same(Kind::Prompt, OLDEST, &format!("{{{structured}}}"));
}

#[test]
fn messages_of_prompts_have_content_too() {
    let result = r#"{"messages":[{"role":"user","content":{"type":"audio","data":"UklGRg==","mimeType":"a/b"}},{"content":{"type":"resource_link","uri":"u:","name":"n"}} ,{"content":{"type":"text","text":"audio"}}]}"#;
    let expected = format!(
        r#"{{"messages":[{{"role":"user","content":{{"type":"resource","resource":{{"uri":"vmcp://inline/{HASH}","mimeType":"a/b","blob":"UklGRg=="}}}}}},{{"content":{{"type":"text","text":"n: u:"}}}} ,{{"content":{{"type":"text","text":"audio"}}}}]}}"#
    );
    check(Kind::Prompt, OLDEST, result, &expected);
}

#[test]
fn what_is_not_what_its_type_says_stays_as_it_is() {
    for result in [
        r#"{"content":[{"type":"audio","data":7}]}"#,
        r#"{"content":[{"type":"audio"}]}"#,
        r#"{"content":[{"type":"resource_link","name":"n"}]}"#,
        r#"{"content":["audio","resource_link",{"type":["audio"]}]}"#,
        r#"{"content":{"type":"audio","data":""}}"#,
        r#"{"content":[{"type":"image","data":"audio"}],"structuredContent":{"type":"audio","data":""}}"#,
    ] {
        same(Kind::Tool, OLDEST, result);
    }
    let failure = rpc::failure(Some(&RawId::number(1)), -32042, "\"audio\"", None);
    let failure = Message::parse(failure, &Limits::default()).unwrap();
    let after = Kind::Tool.convert(OLDEST, failure.clone(), &Limits::default());
    assert_eq!(after.bytes(), failure.bytes());
}

#[test]
fn the_deepest_message_that_is_taken_can_be_converted() {
    let limits = Limits { max_depth: 4, ..Limits::default() };
    let bytes = rpc::success(&RawId::number(1), br#"{"content":[{"type":"audio","data":""}]}"#);
    let message = Message::parse(bytes, &limits).unwrap();
    let converted = Kind::Tool.convert(OLDEST, message, &limits);
    assert!(converted.bytes().windows(8).any(|window| window == b"\"blob\":\""));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    /// Whatever a newer backend sends: without something to convert, not a byte is another.
    #[test]
    fn what_needs_no_conversion_is_the_same_bytes(
        texts in proptest::collection::vec(any::<String>(), 1..4),
        number in any::<f64>(),
        space in "[ \t\n]{0,3}",
    ) {
        let blocks: Vec<String> = texts
            .iter()
            .map(|text| format!(
                r#"{{{space}"text":{},"type":"text",{space}"n":{number:e}}}"#,
                serde_json::Value::from(text.as_str())
            ))
            .collect();
        let words = r#""_meta":{"audio":"\u0061udio","structuredContent":"\"resource_link\""}"#;
        let tool = format!(r#"{{{words},"content":[{}]{space}}}"#, blocks.join(","));
        let prompt = format!(r#"{{"messages":[{{"content":{}}}],{words}}}"#, blocks[0]);
        for revision in Revision::HANDSHAKES {
            for (kind, result) in [(Kind::Tool, &tool), (Kind::Prompt, &prompt)] {
                let message = message(result);
                let after = kind.convert(revision, message.clone(), &Limits::default());
                prop_assert_eq!(after.bytes(), message.bytes());
            }
        }
    }
}
