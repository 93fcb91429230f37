//! What becomes of params: small cases, and a slow model that they are compared with.

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Map, Value};
use vmcp_wire::{Message, RawId};

use super::{RESERVED, TOKEN, TRAVELLING, outgoing, restore, without_reserved};
use crate::TraceContext;
use crate::transport::Framing;

const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

fn check(params: &str) -> (String, Option<String>) {
    sent(params, None)
}

fn sent(params: &str, trace: Option<&TraceContext>) -> (String, Option<String>) {
    let (params, token) =
        outgoing(Some(&Bytes::copy_from_slice(params.as_bytes())), 7, trace, None);
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (text(&params.unwrap()), token.map(|token| text(token.as_bytes())))
}

fn trace(state: Option<&str>) -> TraceContext {
    TraceContext::parse(PARENT, state).unwrap()
}

#[test]
fn replaces_only_the_token() {
    let (params, token) =
        check(r#"{"name":"x", "_meta" : {"a":1.0,"progressToken":"t", "b":[]},"arguments":{}}"#);
    let expected = r#"{"name":"x", "_meta" : {"a":1.0,"progressToken":7, "b":[]},"arguments":{}}"#;
    assert_eq!((params.as_str(), token.as_deref()), (expected, Some("\"t\"")));
}

#[test]
fn keeps_the_spelling_of_the_token() {
    assert_eq!(check(r#"{"_meta":{"progressToken":0}}"#).1.as_deref(), Some("0"));
    let big = "18446744073709551616";
    let params = format!(r#"{{"_meta":{{"progressToken":{big}}}}}"#);
    assert_eq!(check(&params).1.as_deref(), Some(big));
}

#[test]
fn finds_a_token_behind_escapes_and_twice() {
    let escaped = "{\"\\u005fmeta\":{\"progress\\u0054oken\":1}}";
    assert_eq!(check(escaped).0, "{\"\\u005fmeta\":{\"progress\\u0054oken\":7}}");
    let twice = r#"{"_meta":{"progressToken":1},"_meta":{"progressToken":2}}"#;
    assert_eq!(check(twice).0, r#"{"_meta":{"progressToken":7},"_meta":{"progressToken":7}}"#);
}

#[test]
fn leaves_other_places_alone() {
    for params in [
        r#"{"arguments":{"_meta":{"progressToken":1,"io.modelcontextprotocol/x":1}}}"#,
        r#"{"progressToken":1,"io.modelcontextprotocol/x":1}"#,
        r#"["_meta","progressToken"]"#,
        r#"{"_meta":null,"progressToken":1}"#,
        r#"{"_meta":[{"progressToken":1}]}"#,
    ] {
        assert_eq!(check(params), (params.to_owned(), None));
    }
}

#[test]
fn strips_reserved_keys_but_those_of_the_call() {
    let table = [
        (
            r#"{"_meta":{"io.modelcontextprotocol/protocolVersion":"x","a":1.0}}"#,
            r#"{"_meta":{"a":1.0}}"#,
        ),
        (
            r#"{"_meta":{"a":1.0,"io.modelcontextprotocol/x":{"y":[]}} ,"n":1}"#,
            r#"{"_meta":{"a":1.0} ,"n":1}"#,
        ),
        (r#"{"_meta":{"io.modelcontextprotocol/x":1}}"#, r#"{"_meta":{}}"#),
        (
            r#"{"_meta":{"io.modelcontextprotocol\/x":1,"io.modelcontextprotocol/":2}}"#,
            r#"{"_meta":{}}"#,
        ),
        (r#"{"_meta":{"\u0069o.modelcontextprotocol/x":1}}"#, r#"{"_meta":{}}"#),
        (
            r#"{"_meta":{"io.modelcontextprotocol/related-task":{"taskId":"t"},"io.modelcontextprotocol/model-immediate-response":"r","io.modelcontextprotocol/z":0}}"#,
            r#"{"_meta":{"io.modelcontextprotocol/related-task":{"taskId":"t"},"io.modelcontextprotocol/model-immediate-response":"r"}}"#,
        ),
        (
            r#"{"_meta":{"io.modelcontextprotocol/x":1,"progressToken":1,"io.modelcontextprotocol/y":1}}"#,
            r#"{"_meta":{"progressToken":7}}"#,
        ),
    ];
    for (params, expected) in table {
        assert_eq!(check(params).0, expected, "{params}");
    }
    for alike in [
        r#"{"_meta":{"io.modelcontextprotocolx":1}}"#,
        r#"{"_meta":{"com.x/io.modelcontextprotocol/y":1}}"#,
    ] {
        assert_eq!(check(alike).0, alike);
    }
}

#[test]
fn puts_a_trace_in_where_there_is_none() {
    let own = trace(Some("a=\"1\""));
    let table = [
        (
            r#"{"name":"x"}"#,
            format!(
                r#"{{"name":"x","_meta":{{"traceparent":"{PARENT}","tracestate":"a=\"1\""}}}}"#
            ),
        ),
        (r#"{}"#, format!(r#"{{"_meta":{{"traceparent":"{PARENT}","tracestate":"a=\"1\""}}}}"#)),
        (
            r#"{"_meta":{}}"#,
            format!(r#"{{"_meta":{{"traceparent":"{PARENT}","tracestate":"a=\"1\""}}}}"#),
        ),
        (
            r#"{"_meta":{"progressToken":1,"io.modelcontextprotocol/x":1}}"#,
            format!(
                r#"{{"_meta":{{"progressToken":7,"traceparent":"{PARENT}","tracestate":"a=\"1\""}}}}"#
            ),
        ),
        (
            r#"{"_meta":{"traceparent":"theirs"}}"#,
            r#"{"_meta":{"traceparent":"theirs"}}"#.to_owned(),
        ),
        (
            r#"{"_meta":{"tracestate":"theirs"}}"#,
            format!(r#"{{"_meta":{{"tracestate":"theirs","traceparent":"{PARENT}"}}}}"#),
        ),
        (r#"[1]"#, "[1]".to_owned()),
    ];
    for (params, expected) in table {
        assert_eq!(sent(params, Some(&own)).0, expected, "{params}");
    }
    let (made, _) = outgoing(None, 7, Some(&trace(None)), None);
    assert_eq!(made.unwrap(), format!(r#"{{"_meta":{{"traceparent":"{PARENT}"}}}}"#));
    assert_eq!(outgoing(None, 7, None, None), (None, None));
}

#[test]
fn what_is_not_concerned_is_not_even_copied() {
    let params = Bytes::from_static(br#"{"name":"x","arguments":{"k":"v"},"_meta":{"custom":1}}"#);
    let (same, _) = outgoing(Some(&params), 7, None, None);
    assert_eq!(same.unwrap().as_ptr(), params.as_ptr());
}

#[test]
fn notifications_and_answers_lose_reserved_keys_alone() {
    let table = [
        (
            r#"{"progressToken":1,"_meta":{"io.modelcontextprotocol/x":1,"a":1.0}}"#,
            r#"{"progressToken":1,"_meta":{"a":1.0}}"#,
        ),
        (
            r#"{"_meta":{"io.modelcontextprotocol/related-task":{}}}"#,
            r#"{"_meta":{"io.modelcontextprotocol/related-task":{}}}"#,
        ),
        (r#"{"_meta":{"progressToken":1}}"#, r#"{"_meta":{"progressToken":1}}"#),
        (r#"{"a":"io.modelcontextprotocol/x"}"#, r#"{"a":"io.modelcontextprotocol/x"}"#),
    ];
    for (params, expected) in table {
        assert_eq!(without_reserved(params.into()), expected);
    }
    let answer = Bytes::from_static(br#"{"action":"accept","_meta":{"custom":1}}"#);
    assert_eq!(without_reserved(answer.clone()).as_ptr(), answer.as_ptr());
}

#[test]
fn restores_the_callers_token() {
    let framing = Framing::from(&crate::TargetLimits::default());
    let message = |token: &str| {
        let text = format!(
            r#"{{"jsonrpc":"2.0","method":"notifications/progress","params":{{"progress":0.50,"progressToken":{token}}}}}"#
        );
        Message::parse(text.into(), &framing.limits).unwrap()
    };
    let own = RawId::from_token(b"\"mine\"").unwrap();
    let restored = restore(&message("7"), 7, &own, &framing).unwrap();
    assert_eq!(restored.params().unwrap(), r#"{"progress":0.50,"progressToken":"mine"}"#);
    assert!(restore(&message("8"), 7, &own, &framing).is_none());
}

/// A JSON value in odd but valid spelling.
fn json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("1.50e+3".to_owned()),
        Just("-0".to_owned()),
        Just("\"\\u00e9\\/ \\\"_meta\\\" progressToken\"".to_owned()),
        any::<u32>().prop_map(|number| number.to_string()),
        "[ a-z]{0,8}".prop_map(|text| format!("\"{text}\"")),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4)
                .prop_map(|items| format!("[ {} ]", items.join(" ,"))),
            prop::collection::vec((key(), inner), 0..4).prop_map(|members| written(&members)),
        ]
    })
}

fn key() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("_meta".to_owned()),
        Just(TOKEN.to_owned()),
        Just("traceparent".to_owned()),
        Just(format!("{RESERVED}x")),
        Just(TRAVELLING[0].to_owned()),
        "[a-z./]{1,10}",
    ]
}

fn written(members: &[(String, String)]) -> String {
    let members: Vec<String> =
        members.iter().map(|(key, value)| format!("\"{key}\" : {value}")).collect();
    format!("{{{} }}", members.join(", "))
}

/// What must come of params, told the slow way: with a tree of values.
fn model(params: &str, trace: Option<&TraceContext>) -> Value {
    let mut root: Map<String, Value> = serde_json::from_str(params).unwrap();
    if let (false, Some(_)) = (root.contains_key("_meta"), trace) {
        root.insert("_meta".to_owned(), Value::Object(Map::new()));
    }
    if let Some(Value::Object(meta)) = root.get_mut("_meta") {
        meta.retain(|key, _| !key.starts_with(RESERVED) || TRAVELLING.contains(&key.as_str()));
        if meta.contains_key(TOKEN) {
            meta.insert(TOKEN.to_owned(), 7.into());
        }
        if let (false, Some(trace)) = (meta.contains_key("traceparent"), trace) {
            meta.insert("traceparent".to_owned(), trace.traceparent().into());
        }
    }
    Value::Object(root)
}

proptest! {
    #[test]
    fn says_what_the_model_says(members in prop::collection::btree_map(key(), json(), 0..6), traced: bool) {
        let members: Vec<_> = members.into_iter().collect();
        let params = written(&members);
        let trace = traced.then(|| trace(None));
        // Members that stand there twice have no model.
        let depth_two = |value: &str| serde_json::from_str::<Value>(value).unwrap().to_string();
        prop_assume!(members.iter().all(|(key, value)| key != "_meta" || keys_differ(value)));
        let (text, _) = sent(&params, trace.as_ref());
        prop_assert_eq!(depth_two(&text), model(&params, trace.as_ref()).to_string());
    }

    #[test]
    fn everything_but_meta_is_the_same_byte_for_byte(
        before in json(), after in json(), meta in prop::collection::vec((key(), json()), 0..5), traced: bool,
    ) {
        let trace = traced.then(|| trace(None));
        let params = format!(r#"{{ "name":{before}, "_meta" :{}, "arguments": {after} }}"#, written(&meta));
        let (text, _) = sent(&params, trace.as_ref());
        let head = format!(r#"{{ "name":{before}, "_meta" :{{"#);
        let tail = format!(r#"}}, "arguments": {after} }}"#);
        prop_assert!(text.starts_with(&head) && text.ends_with(&tail), "{}", text);
        // And within `_meta`, each custom member is there as it was spelled.
        for (key, value) in meta.iter().filter(|(key, _)| !key.starts_with(RESERVED) && key != TOKEN) {
            let member = format!("\"{key}\" : {value}");
            prop_assert!(text.contains(&member), "{} lost from {}", member, text);
        }
    }
}

fn keys_differ(raw: &str) -> bool {
    let Ok(members) = vmcp_wire::Object::parse(raw.as_bytes()) else { return true };
    let mut keys: Vec<_> = members.iter().map(|(key, _)| key.into_owned()).collect();
    keys.sort();
    let all = keys.len();
    keys.dedup();
    keys.len() == all
}
