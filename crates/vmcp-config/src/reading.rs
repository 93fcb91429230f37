//! What a reader needs besides the tree: where findings go, and the environment.

use std::io;
use std::path::Path;

use secrecy::SecretString;

use crate::expand::{self, Part};
use crate::field::Field;
use crate::load::Surroundings;
use crate::nearest;
use crate::report::{Place, Report};
use crate::tree::Value;

/// One run over all texts.
pub(crate) struct Reading<'e> {
    pub(crate) report: Report,
    around: Surroundings<'e>,
}

/// Names an editor fills in with what only it knows.
const ONLY_EDITORS: [&str; 5] =
    ["workspaceFolder", "workspaceFolderBasename", "workspaceRoot", "file", "fileDirname"];

// === impl Reading ===

impl<'e> Reading<'e> {
    pub(crate) fn new(files: Vec<String>, around: Surroundings<'e>) -> Self {
        Self { report: Report::new(files), around }
    }

    /// A variable of the environment, if it is set and not empty.
    pub(crate) fn variable(&self, name: &str) -> Option<String> {
        (self.around.env)(name).filter(|value| !value.is_empty())
    }

    /// The text of a file.
    pub(crate) fn file(&self, path: &Path) -> io::Result<String> {
        (self.around.file)(path)
    }

    /// The value with its variables filled in.
    pub(crate) fn expand(&mut self, field: Field<'_>) -> Option<String> {
        let text = field.spelled(&mut self.report)?;
        let mut whole = Some(String::with_capacity(text.len()));
        for (start, part) in expand::parts(text) {
            let value = match part {
                Part::Text(text) => Some(text.to_owned()),
                Part::Escaped => Some("${".to_owned()),
                Part::Variable { name, default } => self.resolve(field, start, name, default),
                Part::Other(inner) => self.refuse(field, start, inner),
            };
            whole = whole.zip(value).map(|(whole, value)| whole + &value);
        }
        whole
    }

    pub(crate) fn expand_secret(&mut self, field: Field<'_>) -> Option<SecretString> {
        self.expand(field).map(SecretString::from)
    }

    fn resolve(
        &mut self,
        field: Field<'_>,
        start: usize,
        name: &str,
        default: Option<&str>,
    ) -> Option<String> {
        let set = match (self.around.env)(name) {
            // As in a shell: `:-` also stands in for an empty value.
            Some(value) if value.is_empty() && default.is_some() => None,
            Some(value) => Some(value),
            None => self.of_editors(name),
        };
        let value = set.or_else(|| default.map(str::to_owned));
        if value.is_none() {
            let at = inside(field, start, name.len() + 3);
            let message = format!("environment variable `{name}` of `{}` is not set", field.key);
            let hint = if ONLY_EDITORS.contains(&name) {
                "only the editor knows this one: write the path itself".to_owned()
            } else {
                format!("set it, or give a default: `${{{name}:-…}}`")
            };
            self.report.error(at, message).hint(hint);
        }
        value
    }

    /// What editors define themselves, and means the same here.
    fn of_editors(&self, name: &str) -> Option<String> {
        match name {
            "userHome" => self.variable("HOME").or_else(|| self.variable("USERPROFILE")),
            "pathSeparator" | "/" => Some(std::path::MAIN_SEPARATOR_STR.to_owned()),
            _ => None,
        }
    }

    fn refuse(&mut self, field: Field<'_>, start: usize, inner: &str) -> Option<String> {
        if let Some(value) = self.of_editors(inner) {
            return Some(value);
        }
        let at = inside(field, start, inner.chars().count() + 3);
        let message = format!("`${{{inner}}}` in `{}` is not a variable", field.key);
        let hint = match inner.strip_prefix("input:") {
            Some(id) => format!(
                "vmcp cannot ask for inputs: use an environment variable, `${{{}}}`",
                variable_for(id)
            ),
            None => format!("write `$${{{inner}}}` for the characters themselves"),
        };
        self.report.error(at, message).hint(hint);
        None
    }

    /// Notes that `word` is none of the backends.
    pub(crate) fn no_such_backend(&mut self, at: Place, word: &str, known: &[&str]) {
        let hint = match nearest::nearest(word, known.iter().copied()) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None if known.is_empty() => "there are no backends".to_owned(),
            None => format!("the backends are {}", nearest::any_of(known.iter().copied())),
        };
        self.report.error(at, format!("no backend is called `{word}`")).hint(hint);
    }
}

/// The place of a part of a value. Only where text and spelling agree can it be told exactly.
fn inside(field: Field<'_>, start: usize, len: usize) -> Place {
    let whole = field.at();
    let Value::Scalar { text, plain } = &field.node.value else { return whole };
    let quotes = if *plain || whole.len == text.chars().count() { 0 } else { 2 };
    if whole.len != text.chars().count() + quotes {
        return whole;
    }
    let before = text[..start].chars().count() + quotes / 2;
    Place { column: whole.column + before, len, ..whole }
}

/// The environment variable for an editor's input: `github-token` becomes `GITHUB_TOKEN`.
pub(crate) fn variable_for(input: &str) -> String {
    let name: String = input
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' })
        .collect();
    if name.starts_with(|c: char| c.is_ascii_digit()) { format!("_{name}") } else { name }
}
