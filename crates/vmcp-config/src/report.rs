//! Where findings are collected while a configuration is read.

use crate::diagnostic::{Diagnostic, Diagnostics, Severity};

/// A place in one of the texts. Lines and columns count from 1, columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct Place {
    /// Index of the source.
    pub(crate) file: usize,
    pub(crate) line: usize,
    pub(crate) column: usize,
    /// Characters to underline, on this line only.
    pub(crate) len: usize,
}

/// The findings so far.
#[derive(Debug, Default)]
pub(crate) struct Report {
    files: Vec<String>,
    found: Vec<(Place, Diagnostic)>,
}

// === impl Place ===

impl Place {
    /// For what is wrong with everything.
    pub(crate) const START: Self = Self { file: 0, line: 1, column: 1, len: 1 };
}

// === impl Report ===

impl Report {
    pub(crate) fn new(files: Vec<String>) -> Self {
        Self { files, found: Vec::new() }
    }

    /// Notes an error; the caller may add a hint to what is returned.
    pub(crate) fn error(&mut self, at: Place, message: impl Into<String>) -> &mut Diagnostic {
        self.push(at, Severity::Error, message.into())
    }

    /// Notes something that does not stop vmcp from running.
    pub(crate) fn warning(&mut self, at: Place, message: impl Into<String>) -> &mut Diagnostic {
        self.push(at, Severity::Warning, message.into())
    }

    /// `key` belongs to a part of the product that does not exist yet.
    pub(crate) fn not_yet(&mut self, at: Place, key: &str) -> &mut Diagnostic {
        self.error(at, format!("`{key}` is not supported yet"))
    }

    /// A place as one reads it in a message: `file:line:column`.
    pub(crate) fn name(&self, at: Place) -> String {
        let file = self.files.get(at.file).map_or("", String::as_str);
        format!("{file}:{}:{}", at.line, at.column)
    }

    /// The file of a place.
    pub(crate) fn file(&self, at: Place) -> &str {
        self.files.get(at.file).map_or("", String::as_str)
    }

    pub(crate) fn has_errors(&self) -> bool {
        self.found.iter().any(|(_, found)| found.severity == Severity::Error)
    }

    /// All findings, in the order of sources and places.
    pub(crate) fn finish(self) -> Diagnostics {
        let mut found = self.found;
        found.sort_by_key(|(at, _)| *at);
        Diagnostics(found.into_iter().map(|(_, diagnostic)| diagnostic).collect())
    }

    fn push(&mut self, at: Place, severity: Severity, message: String) -> &mut Diagnostic {
        let file = self.files.get(at.file).cloned().unwrap_or_default();
        let Place { line, column, len, .. } = at;
        let diagnostic = Diagnostic { file, line, column, len, severity, message, hint: None };
        let index = self.found.len();
        self.found.push((at, diagnostic));
        &mut self.found[index].1
    }
}

// === impl Diagnostic ===

impl Diagnostic {
    pub(crate) fn hint(&mut self, hint: impl Into<String>) {
        self.hint = Some(hint.into());
    }
}
