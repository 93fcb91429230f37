//! The progress token of a request: the caller's is replaced by vmcp's and restored on the way back.
//!
//! Every client counts its tokens from 0, so on a connection that several calls share they would collide. The
//! token sent is the request's own id.

use bytes::Bytes;
use memchr::memmem;
use vmcp_wire::{Edits, Message, Object, RawId};

use crate::transport::Framing;

/// The params with `id` as their progress token, and the token that stood there.
pub(crate) fn replace(params: Option<&Bytes>, id: u64) -> (Option<Bytes>, Option<RawId>) {
    let Some(params) = params else { return (None, None) };
    // Most requests have none, and need no look at their members. An escape may hide it.
    if memmem::find(params, b"progressToken").is_none() && memmem::find(params, b"\\u").is_none() {
        return (Some(params.clone()), None);
    }
    let mut edits = Edits::new();
    let mut token = None;
    let members = Object::parse(params);
    // Of members that stand there twice, nobody knows which one a backend takes: all are replaced.
    for (key, meta) in members.iter().flat_map(Object::iter) {
        let Some(meta) = meta.as_object().filter(|_| key == "_meta") else { continue };
        for (key, member) in meta.iter() {
            if key == "progressToken" {
                token = RawId::from_token(member.raw).ok().or(token);
                edits.replace(member.span, RawId::number(id).as_bytes().to_vec());
            }
        }
    }
    if edits.is_empty() {
        return (Some(params.clone()), None);
    }
    (Some(edits.apply(params)), token)
}

/// A progress notification under the caller's own token; `None` if it is not about the call `id`.
pub(crate) fn restore(
    message: &Message,
    id: u64,
    token: &RawId,
    framing: &Framing,
) -> Option<Message> {
    let params = message.params()?;
    let members = Object::parse(&params).ok()?;
    let theirs = members.get("progressToken")?;
    let stated = RawId::from_token(theirs.raw).ok()?;
    if !crate::transport::is_own(&stated, id) {
        return None;
    }
    let mut edits = Edits::new();
    edits.replace(theirs.span, token.as_bytes().to_vec());
    let bytes = message.with_params(&edits.apply(&params));
    Message::parse(bytes, &framing.limits).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(params: &'static str) -> (String, Option<String>) {
        let (params, token) = replace(Some(&Bytes::from_static(params.as_bytes())), 7);
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        (text(&params.unwrap()), token.map(|token| text(token.as_bytes())))
    }

    #[test]
    fn replaces_only_the_token() {
        let (params, token) = check(
            r#"{"name":"x", "_meta" : {"a":1.0,"progressToken":"t", "b":[]},"arguments":{}}"#,
        );
        assert_eq!(
            params,
            r#"{"name":"x", "_meta" : {"a":1.0,"progressToken":7, "b":[]},"arguments":{}}"#
        );
        assert_eq!(token.as_deref(), Some("\"t\""));
    }

    #[test]
    fn keeps_the_spelling_of_the_token() {
        assert_eq!(check(r#"{"_meta":{"progressToken":0}}"#).1.as_deref(), Some("0"));
        let big = "18446744073709551616";
        assert_eq!(
            check(r#"{"_meta":{"progressToken":18446744073709551616}}"#).1.as_deref(),
            Some(big)
        );
    }

    #[test]
    fn finds_a_token_behind_escapes_and_twice() {
        let escaped = "{\"_meta\":{\"progress\\u0054oken\":1}}";
        assert_eq!(check(escaped).0, "{\"_meta\":{\"progress\\u0054oken\":7}}");
        let twice = r#"{"_meta":{"progressToken":1},"_meta":{"progressToken":2}}"#;
        assert_eq!(check(twice).0, r#"{"_meta":{"progressToken":7},"_meta":{"progressToken":7}}"#);
    }

    #[test]
    fn leaves_other_places_alone() {
        for params in [
            r#"{"arguments":{"_meta":{"progressToken":1}}}"#,
            r#"{"progressToken":1}"#,
            r#"["_meta","progressToken"]"#,
        ] {
            assert_eq!(check(params), (params.to_owned(), None));
        }
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
}
