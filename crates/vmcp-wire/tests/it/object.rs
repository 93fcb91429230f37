//! One level of an object, read without touching the rest.

use proptest::prelude::{prop_assert, prop_assert_eq, proptest};
use vmcp_wire::{Object, WireError};

use crate::json::{cases, object};

proptest! {
    #![proptest_config(cases(500))]

    #[test]
    fn spans_are_where_they_say(raw in object()) {
        let object = Object::parse(raw.as_bytes()).unwrap();
        let theirs: Vec<_> = serde_members(&raw);
        prop_assert_eq!(object.len(), theirs.len());
        for ((key, member), (their_key, value)) in object.iter().zip(theirs) {
            prop_assert_eq!(&raw.as_bytes()[member.span.clone()], member.raw);
            prop_assert_eq!(member.raw, value.as_bytes());
            let key_token = &raw[member.key_span.clone()];
            if let Some(their_key) = their_key {
                prop_assert_eq!(&key, &their_key, "{}", key_token);
                prop_assert!(object.get(&key).is_some());
            }
        }
    }
}

/// Members as `serde_json` sees them; a key it cannot decode is None.
fn serde_members(raw: &str) -> Vec<(Option<String>, String)> {
    use serde_json::value::RawValue;
    // `serde_json` gives no raw keys, so they are cut out between its raw values.
    let mut out = Vec::new();
    let mut rest = raw.trim().strip_prefix('{').unwrap();
    loop {
        rest = rest.trim_start().trim_start_matches(',').trim_start();
        if rest.starts_with('}') {
            return out;
        }
        let mut keys = serde_json::Deserializer::from_str(rest).into_iter::<&RawValue>();
        let key = keys.next().unwrap().unwrap().get();
        rest = rest[keys.byte_offset()..].trim_start().strip_prefix(':').unwrap();
        let mut values = serde_json::Deserializer::from_str(rest).into_iter::<&RawValue>();
        let value = values.next().unwrap().unwrap().get();
        rest = &rest[values.byte_offset()..];
        out.push((serde_json::from_str(key).ok(), value.to_owned()));
    }
}

#[test]
fn unique_means_nothing_else_could_be_meant() {
    let unique = |raw: &'static str, key: &str| {
        let found = Object::parse(raw.as_bytes()).unwrap().unique(key);
        found.map(|member| member.map(|member| member.raw))
    };
    assert_eq!(unique(r#"{"name":1,"names":2}"#, "name"), Ok(Some(&b"1"[..])));
    assert_eq!(unique(r#"{"n\u0061me":1}"#, "name"), Ok(Some(&b"1"[..])));
    assert_eq!(unique(r#"{"other":1}"#, "name"), Ok(None));
    for raw in [
        r#"{"name":1,"name":1}"#,
        r#"{"name":1,"n\u0061me":1}"#,
        r#"{"name":1,"Name":1}"#,
        r#"{"NAME":1,"name":1}"#,
        r#"{"Name":1}"#,
        r#"{"name":1,"\u004eame":1}"#,
    ] {
        assert!(matches!(unique(raw, "name"), Err(WireError::Invalid(_))), "{raw}");
    }
    for raw in [r#"{"task":1,"taſk":1}"#, r#"{"tas\u212a":1,"task":1}"#] {
        assert!(unique(raw, "task").is_err(), "{raw}");
    }
}

#[test]
fn values_are_read_as_what_they_are() {
    let raw =
        br#"{"s":"a\nb","b":true,"n":12,"f":1.0,"z":null,"a":[1, {"x":2} ,"]"],"o":{"p":{}}}"#;
    let object = Object::parse(raw).unwrap();
    let get = |key| object.get(key).unwrap();
    assert_eq!(get("s").as_str().as_deref(), Some("a\nb"));
    assert_eq!((get("b").as_bool(), get("n").as_bool()), (Some(true), None));
    assert_eq!((get("n").as_u64(), get("f").as_u64(), get("s").as_u64()), (Some(12), None, None));
    assert!(get("z").is_null() && !get("b").is_null());
    let array = get("a").as_array().unwrap();
    assert_eq!(array, [&b"1"[..], br#"{"x":2}"#, br#""]""#]);
    assert!(get("o").as_object().unwrap().get("p").unwrap().as_object().unwrap().is_empty());
    assert!(get("n").as_object().is_none() && get("o").as_array().is_none());
    assert!(get("n").as_str().is_none());
}

#[test]
fn only_one_whole_object_is_taken() {
    for raw in ["", "[]", "1", "{", "{}{}", "{\"a\":}", "{\"a\":1,}", "null"] {
        assert!(Object::parse(raw.as_bytes()).is_err(), "{raw}");
    }
    assert!(Object::parse(b" {} ").unwrap().is_empty());
}
