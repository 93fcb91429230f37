//! Reading a tree: typed values, and maps that know which keys were asked for.
//!
//! Every reader notes what is wrong and gives `None`; the caller goes on with a default, so that one run
//! finds everything. What a map was asked for is what it knows: [`Fields::finish`] reports the rest.

use std::time::Duration;

use crate::nearest;
use crate::report::{Place, Report};
use crate::tree::{Kind, Node, Value};
use crate::units;

/// A value and the key it stands under: enough to say what is wrong with it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Field<'t> {
    pub(crate) key: &'t str,
    pub(crate) key_at: Place,
    pub(crate) node: &'t Node,
}

/// The members of one map, or of the same map in several files.
#[derive(Debug, Default)]
pub(crate) struct Fields<'t> {
    /// What the map is, as in "unknown key in …".
    what: String,
    pub(crate) at: Place,
    members: Vec<Field<'t>>,
    asked: Vec<&'static str>,
}

// === impl Field ===

impl<'t> Field<'t> {
    /// A whole document.
    pub(crate) fn root(node: &'t Node) -> Self {
        Self { key: "the file", key_at: node.at, node }
    }

    pub(crate) fn at(self) -> Place {
        self.node.at
    }

    /// Notes that the value is of the wrong type.
    pub(crate) fn wrong(self, wanted: &str, report: &mut Report) {
        let found = self.node.kind().words();
        report.error(self.node.at, format!("`{}` must be {wanted}, found {found}", self.key));
    }

    /// A string that is not empty.
    pub(crate) fn text(self, report: &mut Report) -> Option<&'t str> {
        match &self.node.value {
            Value::Scalar { text, .. } if self.node.kind() == Kind::Text => {
                if text.trim().is_empty() {
                    report.error(self.node.at, format!("`{}` is empty", self.key));
                    return None;
                }
                Some(text)
            }
            _ => {
                self.wrong("a string", report);
                None
            }
        }
    }

    /// A scalar as it is spelled: what becomes an argument, a variable or a header needs no quotes.
    pub(crate) fn spelled(self, report: &mut Report) -> Option<&'t str> {
        match &self.node.value {
            Value::Scalar { text, plain } if !(*plain && self.node.is_null()) => Some(text),
            _ => {
                self.wrong("a string", report);
                None
            }
        }
    }

    pub(crate) fn bool(self, report: &mut Report) -> Option<bool> {
        match &self.node.value {
            Value::Scalar { text, .. } if self.node.kind() == Kind::Bool => {
                Some(text.eq_ignore_ascii_case("true"))
            }
            _ => {
                self.wrong("true or false", report);
                None
            }
        }
    }

    /// A whole number from 1.
    pub(crate) fn count(self, report: &mut Report) -> Option<usize> {
        let number = match &self.node.value {
            Value::Scalar { text, .. } if self.node.kind() == Kind::Number => text.parse().ok(),
            _ => None,
        };
        let number = number.filter(|number| *number > 0);
        if number.is_none() {
            self.wrong("a whole number above 0", report);
        }
        number
    }

    /// A TCP port.
    pub(crate) fn port(self, report: &mut Report) -> Option<u16> {
        let number = match &self.node.value {
            Value::Scalar { text, .. } if self.node.kind() == Kind::Number => text.parse().ok(),
            _ => None,
        };
        let number = number.filter(|number| *number > 0);
        if number.is_none() {
            self.wrong("a port from 1 to 65535", report);
        }
        number
    }

    pub(crate) fn bytes(self, report: &mut Report) -> Option<usize> {
        let size = match &self.node.value {
            Value::Scalar { text, .. } => units::bytes(text).filter(|size| *size > 0),
            _ => None,
        };
        if size.is_none() {
            self.wrong("a size above 0 such as 65536 or \"8MiB\"", report);
        }
        size
    }

    pub(crate) fn duration(self, report: &mut Report) -> Option<Duration> {
        let Value::Scalar { text, .. } = &self.node.value else {
            self.wrong("a duration such as \"30s\"", report);
            return None;
        };
        let duration = units::duration(text);
        if duration.is_none() {
            let hint = if self.node.kind() == Kind::Number {
                format!("a duration has a unit: `{text}s` or `{text}ms`")
            } else {
                "durations are spelled like `300ms`, `30s`, `1m30s`, `1h`".to_owned()
            };
            report.error(self.node.at, format!("`{}` is not a duration", self.key)).hint(hint);
        }
        duration
    }

    /// One of a few words.
    pub(crate) fn choice<T: Copy>(self, known: &[(&str, T)], report: &mut Report) -> Option<T> {
        let text = self.text(report)?;
        if let Some((_, meaning)) = known.iter().find(|(word, _)| *word == text) {
            return Some(*meaning);
        }
        let words: Vec<&str> = known.iter().map(|(word, _)| *word).collect();
        report
            .error(self.node.at, format!("`{}` cannot be `{text}`", self.key))
            .hint(nearest::hint(text, &words));
        None
    }

    /// The items of a list; they go by the list's name.
    pub(crate) fn items(self, report: &mut Report) -> Vec<Field<'t>> {
        match &self.node.value {
            Value::Seq(items) => {
                items.iter().map(|node| Field { key: self.key, key_at: node.at, node }).collect()
            }
            _ => {
                self.wrong("a list", report);
                Vec::new()
            }
        }
    }

    /// The members of a map whose keys are the user's own.
    pub(crate) fn members(self, report: &mut Report) -> Vec<Field<'t>> {
        match &self.node.value {
            Value::Map(entries) => entries
                .iter()
                .map(|entry| Field { key: &entry.key, key_at: entry.at, node: &entry.node })
                .collect(),
            _ => {
                self.wrong("a map", report);
                Vec::new()
            }
        }
    }

    /// A map whose keys are ours.
    pub(crate) fn fields(self, what: impl Into<String>, report: &mut Report) -> Option<Fields<'t>> {
        match self.node.kind() {
            Kind::Map => Some(Fields {
                what: what.into(),
                at: self.node.at,
                members: self.members(report),
                asked: Vec::new(),
            }),
            _ => {
                self.wrong("a map", report);
                None
            }
        }
    }
}

// === impl Fields ===

impl<'t> Fields<'t> {
    /// Adds the members of the same map in another file.
    pub(crate) fn extend(&mut self, other: Fields<'t>) {
        self.what = other.what;
        self.members.extend(other.members);
    }

    /// The value of `key`. A key without a value is as good as absent.
    pub(crate) fn get(&mut self, key: &'static str) -> Option<Field<'t>> {
        self.all(key).into_iter().next()
    }

    /// The value of `key`, which only one file may give.
    pub(crate) fn only(&mut self, key: &'static str, report: &mut Report) -> Option<Field<'t>> {
        let mut found = self.all(key).into_iter();
        let first = found.next()?;
        for other in found {
            let place = report.name(first.key_at);
            report
                .error(other.key_at, format!("`{key}` is set in two files"))
                .hint(format!("it is also at {place}; keep one of them"));
        }
        Some(first)
    }

    /// The values of `key` in all files.
    pub(crate) fn all(&mut self, key: &'static str) -> Vec<Field<'t>> {
        if !self.asked.contains(&key) {
            self.asked.push(key);
        }
        let found = self.members.iter().filter(|field| field.key == key && !field.node.is_null());
        found.copied().collect()
    }

    /// The value of `key`; its absence is an error.
    pub(crate) fn require(&mut self, key: &'static str, report: &mut Report) -> Option<Field<'t>> {
        let found = self.get(key);
        if found.is_none() {
            report.error(self.at, format!("{} needs `{key}`", self.what));
        }
        found
    }

    /// The members nobody asked for.
    pub(crate) fn unknown(&self) -> Vec<Field<'t>> {
        self.members.iter().filter(|field| !self.asked.contains(&field.key)).copied().collect()
    }

    /// Reports the members nobody asked for.
    pub(crate) fn finish(self, report: &mut Report) {
        for field in self.unknown() {
            self.report_unknown(field, report);
        }
    }

    pub(crate) fn report_unknown(&self, field: Field<'t>, report: &mut Report) {
        report
            .error(field.key_at, format!("unknown key `{}` in {}", field.key, self.what))
            .hint(nearest::hint(field.key, &self.asked));
    }
}
