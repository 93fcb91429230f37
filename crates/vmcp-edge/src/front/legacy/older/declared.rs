//! Capabilities of the client that its revision has.

use bytes::Bytes;
use vmcp_wire::revision::Revision;
use vmcp_wire::{Edits, Object};

/// What of `declared` a client of this revision can have meant; `None` if that is all of it.
///
/// A server that is told of more would ask for what has to be refused then.
pub(super) fn known(revision: Revision, declared: &[u8]) -> Option<Bytes> {
    let root = Object::parse(declared).ok()?;
    let mut edits = Edits::new();
    let mut unknown = Vec::new();
    if !revision.elicitation() {
        unknown.push("elicitation");
    } else if !revision.elicitation_by_url() {
        without(&root, "elicitation", &["url"], &mut edits);
    }
    if !revision.sampling_tools() {
        without(&root, "sampling", &["tools", "context"], &mut edits);
    }
    if !revision.tasks() && !revision.stateless() {
        unknown.push("tasks");
    }
    unknown.retain(|key| root.get(key).is_some());
    if !unknown.is_empty() {
        edits.rewrite(&root, &unknown, &[]);
    }
    (!edits.is_empty()).then(|| edits.apply(declared))
}

fn without(root: &Object<'_>, key: &str, modes: &[&str], edits: &mut Edits) {
    let Some(members) = root.get(key).and_then(|member| member.as_object()) else { return };
    let there: Vec<&str> =
        modes.iter().copied().filter(|mode| members.get(mode).is_some()).collect();
    if !there.is_empty() {
        edits.rewrite(&members, &there, &[]);
    }
}

#[cfg(test)]
mod tests {
    use vmcp_wire::revision::Revision;

    use super::known;

    const ALL: &str = r#"{"x":{"n":1.0}, "elicitation":{"form":{},"url":{}},"sampling":{"tools":{},"y":1},"tasks":{},"roots":{}}"#;

    #[test]
    fn a_revision_declares_what_it_has() {
        let table = [
            (Revision::V2024_11_05, r#"{"x":{"n":1.0}, "sampling":{"y":1},"roots":{}}"#),
            (Revision::V2025_03_26, r#"{"x":{"n":1.0}, "sampling":{"y":1},"roots":{}}"#),
            (
                Revision::V2025_06_18,
                r#"{"x":{"n":1.0}, "elicitation":{"form":{}},"sampling":{"y":1},"roots":{}}"#,
            ),
        ];
        for (revision, expected) in table {
            assert_eq!(known(revision, ALL.as_bytes()).unwrap(), expected, "{revision:?}");
        }
        assert_eq!(known(Revision::V2025_11_25, ALL.as_bytes()), None);
        assert_eq!(known(Revision::V2026_07_28, ALL.as_bytes()), None);
    }

    #[test]
    fn what_it_has_is_not_copied() {
        for declared in ["{}", r#"{"roots":{"listChanged":true},"sampling":{}}"#, "[]"] {
            assert_eq!(known(Revision::V2024_11_05, declared.as_bytes()), None, "{declared}");
        }
    }
}
