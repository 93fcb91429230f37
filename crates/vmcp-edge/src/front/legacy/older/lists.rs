//! The list of tools.

use bytes::Bytes;
use memchr::memmem;
use vmcp_wire::revision::Revision;
use vmcp_wire::{Edits, Object};

/// A page of the list of tools as a client of this revision gets it, without schemas of results that it cannot read; the
/// same if there is none.
pub(super) fn convert(revision: Revision, page: Bytes) -> Bytes {
    let concerns =
        || memmem::find(&page, b"outputSchema").is_some() || memmem::find(&page, b"\\u").is_some();
    if revision.structured_values() || !concerns() {
        return page;
    }
    let edits = edits(&page).unwrap_or_default();
    if edits.is_empty() { page } else { edits.apply(&page) }
}

fn edits(page: &[u8]) -> Option<Edits> {
    let mut edits = Edits::new();
    for tool in Object::parse(page).ok()?.get("tools")?.items()? {
        let Some(tool) = tool.as_object() else { continue };
        let Some(schema) = tool.get("outputSchema") else { continue };
        let kind = schema.as_object().and_then(|schema| schema.get("type"));
        if kind.is_none_or(|kind| kind.as_str().as_deref() != Some("object")) {
            edits.remove_member(&tool, "outputSchema");
        }
    }
    Some(edits)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use vmcp_wire::revision::Revision;

    use super::convert;

    #[track_caller]
    fn check(revision: Revision, page: &'static str, expected: &str) {
        let page = convert(revision, Bytes::from_static(page.as_bytes()));
        assert_eq!(page, expected);
    }

    #[test]
    fn only_schemas_of_objects_are_told() {
        let page = r#"{"tools":[ {"name":"a","outputSchema":{"type":"array"},"n":1.0},{"name":"b", "outputSchema":{"type":"object","properties":{"outputSchema":{"type":"array"}}}} ,{"outputSchema":{"anyOf":[]}},{"outputSchema":true,"name":"d"}],"nextCursor":"x"}"#;
        let without = r#"{"tools":[ {"name":"a","n":1.0},{"name":"b", "outputSchema":{"type":"object","properties":{"outputSchema":{"type":"array"}}}} ,{},{"name":"d"}],"nextCursor":"x"}"#;
        for revision in Revision::HANDSHAKES {
            check(revision, page, without);
        }
        check(Revision::STATELESS, page, page);
        let hidden = r#"{"tools":[{"output\u0053chema":{"type":["object"]}}]}"#;
        check(Revision::LATEST_HANDSHAKE, hidden, r#"{"tools":[{}]}"#);
    }

    #[test]
    fn a_page_without_them_is_the_same_bytes() {
        for page in [
            r#"{"tools":[]}"#,
            r#"{"tools":[{"name":"outputSchema"}]}"#,
            r#"{"tools":[{"name":"a","outputSchema":{"$defs":{},"type":"object"}}]}"#,
            r#"{"tools":{"outputSchema":1}}"#,
        ] {
            check(Revision::V2024_11_05, page, page);
        }
    }
}
