//! What vmcp says of tasks at the handshake: what the client's revision has for them, if any backend has them at all.

use bytes::Bytes;
use vmcp_wire::revision::Revision;
use vmcp_wire::{Edits, Object, quote, task};

use crate::catalogue::Offers;
use crate::route::has_tasks;

/// The whole of it, for clients that ask for tasks. They are listed from vmcp's own memory, and cancelled at their backends.
const REQUESTED: &[u8] = br#"{"list":{},"cancel":{},"requests":{"tools":{"call":{}}}}"#;

/// What there is of tasks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct TasksKnown {
    /// Some backend has them.
    any: bool,
}

// === impl TasksKnown ===

impl TasksKnown {
    pub(super) fn of(known: &[Option<&Offers>]) -> Self {
        Self { any: known.iter().flatten().any(|offers| has_tasks(offers)) }
    }

    /// The capabilities as a client of this revision is told them.
    pub(crate) fn advertise(self, capabilities: &Bytes, revision: Revision) -> Bytes {
        let Ok(object) = Object::parse(capabilities) else { return capabilities.clone() };
        let extensions = object.get("extensions").and_then(|member| member.as_object());
        let known = extensions.as_ref().is_some_and(|all| all.get(task::EXTENSION).is_some());
        let is_offered = self.any && revision.stateless();
        let mut edits = Edits::new();
        let whole = [b"{", &quote(task::EXTENSION)[..], b":{}}"].concat();
        let mut insert: Vec<(&str, &[u8])> = Vec::new();
        let mut remove = Vec::new();
        match &extensions {
            Some(_) if known == is_offered => {}
            Some(all) if is_offered => edits.insert_member(all, task::EXTENSION, b"{}"),
            Some(all) if all.len() > 1 => edits.remove_member(all, task::EXTENSION),
            Some(_) => remove.push("extensions"),
            None if is_offered => insert.push(("extensions", &whole)),
            None => {}
        }
        if self.any && revision.tasks() {
            insert.push((task::CAPABILITY, REQUESTED));
        }
        if !insert.is_empty() || !remove.is_empty() {
            edits.rewrite(&object, &remove, &insert);
        }
        match edits.is_empty() {
            true => capabilities.clone(),
            false => edits.apply(capabilities),
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use vmcp_wire::revision::Revision;

    use super::TasksKnown;

    #[test]
    fn each_client_is_told_what_its_revision_has_for_tasks() {
        const EXTENSION: &str = r#""io.modelcontextprotocol/tasks":{}"#;
        const REQUESTED: &str =
            r#""tasks":{"list":{},"cancel":{},"requests":{"tools":{"call":{}}}}"#;
        let told = |any: bool, capabilities: &str, revision| {
            let told =
                TasksKnown { any }.advertise(&Bytes::from(capabilities.to_owned()), revision);
            String::from_utf8(told.to_vec()).unwrap()
        };
        let extended = format!(r#"{{"tools":{{}},"extensions":{{{EXTENSION}}}}}"#);
        let others = format!(r#"{{"extensions":{{"a/b":{{}},{EXTENSION}}}}}"#);
        let (new, old) = (Revision::STATELESS, Revision::LATEST_HANDSHAKE);
        assert_eq!(told(true, &extended, new), extended);
        assert_eq!(told(true, r#"{"tools":{}}"#, new), extended);
        assert_eq!(told(true, r#"{"extensions":{"a/b":{}}}"#, new), others);
        assert_eq!(told(true, &extended, old), format!(r#"{{"tools":{{}},{REQUESTED}}}"#));
        assert_eq!(told(true, "{}", old), format!("{{{REQUESTED}}}"));
        assert_eq!(
            told(true, &others, old),
            format!(r#"{{"extensions":{{"a/b":{{}}}},{REQUESTED}}}"#)
        );
        for revision in [Revision::V2024_11_05, Revision::V2025_06_18] {
            assert_eq!(told(true, &extended, revision), r#"{"tools":{}}"#);
        }
        for revision in Revision::ALL {
            assert_eq!(told(false, r#"{"tools":{}}"#, revision), r#"{"tools":{}}"#);
        }
    }
}
