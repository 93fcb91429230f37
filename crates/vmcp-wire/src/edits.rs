//! Changes to raw JSON that leave every other byte alone.

use std::ops::Range;

use bytes::Bytes;

use crate::splice::splice;
use crate::{Object, text};

/// A set of replacements in one slice, applied in one copy.
///
/// Spans come from [`Object`]s parsed from the same slice, nested ones included. Where two edits
/// overlap, the one that starts first wins.
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

    /// Removes and adds members of one object.
    ///
    /// Commas come out right only when one call says all that is removed from and added to an
    /// object: call it, or one of the two above, once per object.
    pub fn rewrite(&mut self, object: &Object<'_>, remove: &[&str], insert: &[(&str, &[u8])]) {
        let members: Vec<_> = object
            .iter()
            .map(|(key, member)| {
                (member.key_span.start..member.span.end, remove.contains(&key.as_ref()))
            })
            .collect();
        let added = added(insert);
        let Some(last_kept) = members.iter().rposition(|(_, removed)| !removed) else {
            if !(members.is_empty() && added.is_empty()) {
                self.replace(object.interior(), added);
            }
            return;
        };
        // Before the last one that stays, each removed member takes its own comma with it ...
        for pair in members[..=last_kept].windows(2) {
            if let [(span, true), (next, _)] = pair {
                self.replace(span.start..next.start, Bytes::new());
            }
        }
        // ... behind it, the whole tail goes, from the comma on.
        let tail = members[last_kept].0.end..members[members.len() - 1].0.end;
        if !added.is_empty() {
            self.replace(tail, [b",", &added[..]].concat());
        } else if !tail.is_empty() {
            self.replace(tail, added);
        }
    }

    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// `raw` with the edits made.
    #[must_use]
    pub fn apply(&self, raw: &[u8]) -> Bytes {
        let mut edits: Vec<(Range<usize>, &[u8])> = self
            .list
            .iter()
            .filter(|(span, _)| span.start <= span.end && span.end <= raw.len())
            .map(|(span, with)| (span.clone(), &with[..]))
            .collect();
        edits.sort_by_key(|(span, _)| span.start);
        let mut done = 0;
        edits.retain(|(span, _)| {
            let apart = span.start >= done;
            if apart {
                done = span.end;
            }
            apart
        });
        splice(raw, &edits)
    }
}

/// Members in JSON, separated by commas.
fn added(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut out = Vec::new();
    for (key, value) in members {
        if !out.is_empty() {
            out.push(b',');
        }
        text::quote_into(&mut out, key);
        out.push(b':');
        out.extend_from_slice(value);
    }
    out
}
