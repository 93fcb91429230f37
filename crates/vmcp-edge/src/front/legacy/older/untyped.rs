//! Results of backends that say what kind of result each is: for clients that know one kind only.

use bytes::Bytes;
use memchr::memmem;
use vmcp_wire::revision::{COMPLETE, RESULT_TYPE, Revision};
use vmcp_wire::{Edits, Limits, Member, Message, Object};

use super::content;

/// A response as a client of this revision reads it: it does not say of what kind it is, and what a tool gives as
/// structured content is an object. Any other value is said as text. The same if it is so already.
pub(super) fn convert(
    revision: Revision,
    of_a_tool: bool,
    message: Message,
    limits: &Limits,
) -> Message {
    let raw = message.bytes();
    let has = |word: &str| memmem::find(raw, word.as_bytes()).is_some();
    if !has(RESULT_TYPE) && !has("structuredContent") && !has("\\u") {
        return message;
    }
    let edited = || {
        let root = Object::parse(raw).ok()?;
        let result = root.get("result")?.as_object()?;
        let edits = edits(&result, of_a_tool && !revision.structured_values());
        if edits.is_empty() { None } else { content::edited(&message, &edits, limits) }
    };
    edited().unwrap_or(message)
}

fn edits(result: &Object<'_>, objects_only: bool) -> Edits {
    let mut edits = Edits::new();
    let mut remove = Vec::new();
    let mut list = None;
    let kind = result.get(RESULT_TYPE);
    if kind.is_some_and(|kind| kind.as_str().as_deref() == Some(COMPLETE)) {
        remove.push(RESULT_TYPE);
    }
    let structured = result.get("structuredContent").filter(|_| objects_only);
    if let Some(value) = structured.filter(|value| value.as_object().is_none()) {
        remove.push("structuredContent");
        if !value.is_null() {
            list = text(result, value.raw, &mut edits);
        }
    }
    let insert: Vec<(&str, &[u8])> = list.iter().map(|list| ("content", &list[..])).collect();
    if !remove.is_empty() {
        edits.rewrite(result, &remove, &insert);
    }
    edits
}

/// Puts a value behind the content as text, unless it stands there already; gives the content if there was none.
fn text(result: &Object<'_>, value: &[u8], edits: &mut Edits) -> Option<Bytes> {
    let value = std::str::from_utf8(value).ok()?;
    let block = content::text_block(value);
    let list = || [b"[", &block[..], b"]"].concat();
    let Some(content) = result.get("content") else { return Some(list().into()) };
    let blocks = content.items().unwrap_or_default();
    let says = |block: &Member<'_>| {
        let text = block.as_object().and_then(|block| block.get("text"));
        text.is_some_and(|text| text.as_str().as_deref() == Some(value))
    };
    match blocks.last() {
        _ if blocks.iter().any(says) => {}
        Some(last) => {
            edits.replace(last.span.end..last.span.end, [b",", &block[..]].concat());
        }
        None => edits.replace(content.span, list()),
    }
    None
}

#[cfg(test)]
mod tests {
    use vmcp_wire::revision::Revision;
    use vmcp_wire::{Limits, Message, RawId, rpc};

    use super::convert;

    #[track_caller]
    fn check(of_a_tool: bool, result: &str, expected: &str) {
        let bytes = rpc::success(&RawId::number(1), result.as_bytes());
        let message = Message::parse(bytes, &Limits::default()).unwrap();
        for revision in Revision::HANDSHAKES {
            let message = convert(revision, of_a_tool, message.clone(), &Limits::default());
            assert_eq!(message.result().unwrap(), expected, "{revision:?}");
        }
    }

    #[test]
    fn the_kind_of_result_is_not_said_and_all_else_stays() {
        check(
            false,
            r#"{"contents":[ 1.0 ] ,"resultType":"complete", "ttlMs":0,"_meta":{"x":1e3}}"#,
            r#"{"contents":[ 1.0 ] ,"ttlMs":0,"_meta":{"x":1e3}}"#,
        );
        let other = r#"{"resultType":"task","taskId":"t"}"#;
        check(true, other, other);
        let nothing = r#"{"content":[ ], "structuredContent":{"n":1.0}}"#;
        check(true, nothing, nothing);
    }

    #[test]
    fn a_value_that_is_no_object_is_said_as_text() {
        let block = r#"{"type":"text","text":"[1.0, \"x\"]"}"#;
        let table = [
            (r#"{"structuredContent":[1.0, "x"]}"#, format!(r#"{{"content":[{block}]}}"#)),
            (
                r#"{"resultType":"complete","content":[],"structuredContent":[1.0, "x"],"z":1e0}"#,
                format!(r#"{{"content":[{block}],"z":1e0}}"#),
            ),
            (
                r#"{"content":[{"type":"text","text":"y"} ] ,"structuredContent":[1.0, "x"]}"#,
                format!(r#"{{"content":[{{"type":"text","text":"y"}},{block} ]}}"#),
            ),
            (
                r#"{"content":[{"text":"[1.0, \"x\"]"}],"structuredContent":[1.0, "x"]}"#,
                r#"{"content":[{"text":"[1.0, \"x\"]"}]}"#.to_owned(),
            ),
            (r#"{"content":[],"structuredContent":null}"#, r#"{"content":[]}"#.to_owned()),
        ];
        for (result, expected) in table {
            check(true, result, &expected);
        }
        let elsewhere = r#"{"structuredContent":[1]}"#;
        check(false, elsewhere, elsewhere);
    }
}
