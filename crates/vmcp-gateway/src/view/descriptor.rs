//! A backend's descriptor under its advertised name: the members vmcp owns are rewritten, every other byte stays.

use bytes::Bytes;
use vmcp_config::Override;
use vmcp_wire::{Edits, Object, quote};

use crate::naming::Named;

/// The advertised descriptor of a tool or prompt.
pub(super) fn descriptor(named: &Named<'_>) -> Bytes {
    let raw = &named.item.raw;
    let renamed = named.name != *named.item.key;
    if !renamed && named.with.is_none() {
        return raw.clone();
    }
    // The key was read from this object, so it parses; should it not, the backend's own words are the best there is.
    let Ok(object) = Object::parse(raw) else { return raw.clone() };
    let mut edits = Edits::new();
    if renamed && let Some(member) = object.get("name") {
        edits.replace(member.span, quote(&named.name));
    }
    if let Some(with) = named.with {
        overrule(&object, with, &mut edits);
    }
    edits.apply(raw)
}

fn overrule(object: &Object<'_>, with: &Override, edits: &mut Edits) {
    let mut added: Vec<(&str, Bytes)> = Vec::new();
    if let Some(text) = &with.description {
        let text = quote(text);
        match object.get("description") {
            Some(member) => edits.replace(member.span, text),
            None => added.push(("description", text)),
        }
    }
    if let Some(ours) = &with.annotations {
        let theirs = object.get("annotations");
        match theirs.as_ref().and_then(|member| member.as_object().map(|object| (member, object))) {
            Some((member, theirs)) => edits.replace(member.span.clone(), merged(&theirs, ours)),
            None if theirs.is_some() => {
                let span = theirs.map(|member| member.span).unwrap_or_default();
                edits.replace(span, Bytes::copy_from_slice(ours.as_bytes()));
            }
            None => added.push(("annotations", Bytes::copy_from_slice(ours.as_bytes()))),
        }
    }
    let added: Vec<(&str, &[u8])> = added.iter().map(|(key, raw)| (*key, raw.as_ref())).collect();
    if !added.is_empty() {
        edits.rewrite(object, &[], &added);
    }
}

/// The backend's annotations with the members that the configuration gives put in place or added.
fn merged(theirs: &Object<'_>, ours: &str) -> Bytes {
    let mut out = vec![b'{'];
    let push = |out: &mut Vec<u8>, key: &str, raw: &[u8]| {
        if out.len() > 1 {
            out.push(b',');
        }
        out.extend_from_slice(&quote(key));
        out.push(b':');
        out.extend_from_slice(raw);
    };
    let Ok(ours) = Object::parse(ours.as_bytes()) else { return Bytes::from_static(b"{}") };
    for (key, member) in theirs.iter() {
        let raw = ours.get(&key).map_or(member.raw, |own| own.raw);
        push(&mut out, &key, raw);
    }
    for (key, member) in ours.iter() {
        if theirs.get(&key).is_none() {
            push(&mut out, &key, member.raw);
        }
    }
    out.push(b'}');
    out.into()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use vmcp_config::Override;

    use super::descriptor;
    use crate::catalogue::Item;
    use crate::naming::Named;

    fn check(raw: &'static str, name: &str, with: Option<&Override>, expected: &str) {
        let item = Item { key: "x".into(), raw: Bytes::from_static(raw.as_bytes()) };
        let named = Named { backend: 0, item: &item, name: name.into(), with };
        assert_eq!(std::str::from_utf8(&descriptor(&named)).unwrap(), expected);
    }

    fn description(text: &str) -> Override {
        Override { description: Some(text.into()), ..Override::default() }
    }

    fn annotations(raw: &str) -> Override {
        Override { annotations: Some(raw.into()), ..Override::default() }
    }

    #[test]
    fn only_the_name_changes() {
        check(
            r#"{ "inputSchema":{"name":"x", "n":1.0}, "name" : "x" ,"zz":[1e3]}"#,
            "a_x",
            None,
            r#"{ "inputSchema":{"name":"x", "n":1.0}, "name" : "a_x" ,"zz":[1e3]}"#,
        );
    }

    #[test]
    fn nothing_to_say_is_the_same_bytes() {
        check(r#"{"name":"x" }"#, "x", None, r#"{"name":"x" }"#);
    }

    #[test]
    fn a_description_is_replaced_or_added() {
        check(
            r#"{"description":null,"name":"x"}"#,
            "x",
            Some(&description("a \"b\"")),
            r#"{"description":"a \"b\"","name":"x"}"#,
        );
        check(r#"{"name":"x"}"#, "x", Some(&description("b")), r#"{"name":"x","description":"b"}"#);
    }

    #[test]
    fn annotations_are_replaced_by_member() {
        check(
            r#"{"name":"x","annotations":{"title":"T","readOnlyHint":true}}"#,
            "x",
            Some(&annotations(r#"{"readOnlyHint":false,"openWorldHint":true}"#)),
            r#"{"name":"x","annotations":{"title":"T","readOnlyHint":false,"openWorldHint":true}}"#,
        );
        check(
            r#"{"name":"x"}"#,
            "y",
            Some(&annotations(r#"{"title":"T"}"#)),
            r#"{"name":"y","annotations":{"title":"T"}}"#,
        );
        check(
            r#"{"name":"x","annotations":3}"#,
            "x",
            Some(&annotations("{}")),
            r#"{"name":"x","annotations":{}}"#,
        );
    }
}
