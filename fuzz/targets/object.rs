//! One level of JSON: found where another parser finds it, and changed without touching the rest.

#![no_main]

use libfuzzer_sys::fuzz_target;
use vmcp_fuzz::{json, members};
use vmcp_wire::{Edits, Object, RawId, UriTemplate, quote, validate};

/// Small, so that inputs reach it.
const DEPTH: usize = 9;

fuzz_target!(|text: &[u8]| {
    assert_eq!(validate(text, DEPTH).is_ok(), json(text, DEPTH));
    object(text);
    token(text);
    if let Ok(text) = std::str::from_utf8(text) {
        let quoted = quote(text);
        assert_eq!(serde_json::from_slice::<String>(&quoted).ok().as_deref(), Some(text));
        template(text);
    }
});

fn object(text: &[u8]) {
    let (object, members) = match (Object::parse(text), members(text)) {
        (Ok(object), Some(members)) => (object, members),
        (Err(_), None) => return,
        (ours, other) => panic!("ours: {ours:?}, other: {other:?}"),
    };
    assert_eq!(object.len(), members.len());
    for ((key, member), other) in object.iter().zip(&members) {
        assert_eq!(member.span, other.span);
        assert_eq!(member.raw, &text[other.span.clone()]);
        let Ok(name) = std::str::from_utf8(&other.key) else { continue };
        assert_eq!(key, name);
        let first = members.iter().find(|first| first.key == other.key);
        assert_eq!(object.get(name).map(|member| member.span), first.map(|m| m.span.clone()));
        let twice = members.iter().filter(|twin| twin.key == other.key).count() > 1;
        assert!(!twice || object.unique(name).is_err());
        removed(text, &object, &members, name);
        typed(&member);
    }
}

/// Without `name` and with something new, the other members stay as they were spelled.
fn removed(text: &[u8], object: &Object<'_>, members: &[vmcp_fuzz::Value], name: &str) {
    let mut edits = Edits::new();
    edits.rewrite(object, &[name], &[("new", b"[1]"), (name, b"true")]);
    let edited = edits.apply(text);
    let after = self::members(&edited).expect("the edited object is one");
    let kept = members.iter().filter(|member| member.key != name.as_bytes());
    let mut expected: Vec<(&[u8], &[u8])> =
        kept.map(|member| (&member.key[..], &text[member.span.clone()])).collect();
    expected.extend([(&b"new"[..], &b"[1]"[..]), (name.as_bytes(), b"true")]);
    let after: Vec<(&[u8], &[u8])> =
        after.iter().map(|member| (&member.key[..], &edited[member.span.clone()])).collect();
    assert_eq!(after, expected);

    let mut edits = Edits::new();
    edits.remove_member(object, name);
    let edited = edits.apply(text);
    let after = self::members(&edited).expect("the edited object is one");
    assert_eq!(after.len() + 2, expected.len());
}

fn typed(member: &vmcp_wire::Member<'_>) {
    let text = member.as_str();
    assert_eq!(text.as_deref(), serde_json::from_slice::<String>(member.raw).ok().as_deref());
    assert_eq!(member.as_bool(), serde_json::from_slice::<bool>(member.raw).ok());
    assert_eq!(member.as_u64(), serde_json::from_slice::<u64>(member.raw).ok());
    assert_eq!(member.as_object().is_some(), member.raw.starts_with(b"{"));
    assert_eq!(member.as_array().is_some(), member.raw.starts_with(b"["));
    for (_, inner) in member.as_object().iter().flat_map(Object::iter) {
        assert!(inner.span.start > member.span.start && inner.span.end < member.span.end);
    }
}

fn token(text: &[u8]) {
    let Ok(id) = RawId::from_token(text) else { return };
    assert_eq!(id.as_bytes(), text);
    assert!(json(text, 0), "an id that is no JSON");
    if let Some(number) = id.as_u64() {
        let float = std::str::from_utf8(text).ok().and_then(|text| text.parse::<f64>().ok());
        assert_eq!(float, Some(number as f64));
    }
}

/// A template and a URI that is tried with it, on two lines.
fn template(text: &str) {
    let Some((template, uri)) = text.split_once('\n') else { return };
    if let Ok(parsed) = UriTemplate::parse(template) {
        let _ = parsed.matches(uri);
        if !template.contains(['{', '}', '%']) && template.is_ascii() {
            assert_eq!(parsed.matches(uri), uri == template);
        }
    }
}
