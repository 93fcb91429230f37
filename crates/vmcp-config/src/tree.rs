//! A text as a small tree in which every key and every value knows its place.
//!
//! A deserializer stops at its first error; a tree can be walked to the end. YAML and JSON become the same
//! tree, so there is one walker and one quality of error. The tree keeps scalars as they are spelled; what
//! they mean is decided by whoever reads them, and by YAML's core schema where that is asked.

mod json;
mod yaml;

pub(crate) use json::parse as parse_json;
pub(crate) use yaml::parse as parse_yaml;

use crate::report::{Place, Report};

/// Nesting of a configuration; deeper texts are refused before they can exhaust a stack.
const MAX_DEPTH: usize = 64;
/// Nodes of a configuration, aliases expanded.
const MAX_NODES: usize = 200_000;

/// A value and its place.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    pub(crate) at: Place,
    pub(crate) value: Value,
}

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    /// A scalar as it is spelled, escapes resolved. Only a plain one can be anything but a string.
    Scalar {
        text: String,
        plain: bool,
    },
    Seq(Vec<Node>),
    Map(Vec<Entry>),
}

/// One member of a map.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) at: Place,
    pub(crate) node: Node,
}

/// What a value is, in words of the core schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Null,
    Bool,
    Number,
    Text,
    Seq,
    Map,
}

/// A text that is not even a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SyntaxError {
    pub(crate) at: Place,
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
}

// === impl Node ===

impl Node {
    pub(crate) fn kind(&self) -> Kind {
        match &self.value {
            Value::Seq(_) => Kind::Seq,
            Value::Map(_) => Kind::Map,
            Value::Scalar { plain: false, .. } => Kind::Text,
            Value::Scalar { text, .. } => plain_kind(text),
        }
    }

    pub(crate) fn is_null(&self) -> bool {
        self.kind() == Kind::Null
    }

    /// The value as JSON. Numbers keep their spelling where JSON allows it.
    pub(crate) fn to_json(&self) -> serde_json::Value {
        use serde_json::Value as Json;
        match &self.value {
            Value::Seq(items) => Json::Array(items.iter().map(Self::to_json).collect()),
            Value::Map(entries) => {
                Json::Object(entries.iter().map(|e| (e.key.clone(), e.node.to_json())).collect())
            }
            Value::Scalar { text, .. } => match self.kind() {
                Kind::Null => Json::Null,
                Kind::Bool => Json::Bool(text.eq_ignore_ascii_case("true")),
                Kind::Number => {
                    serde_json::from_str(text).unwrap_or_else(|_| Json::String(text.clone()))
                }
                _ => Json::String(text.clone()),
            },
        }
    }
}

/// Adds a member to a map. A second one of the same name is an error, and the first one counts.
fn insert(entries: &mut Vec<Entry>, entry: Entry, report: &mut Report) {
    if let Some(first) = entries.iter().find(|first| first.key == entry.key) {
        let first = report.name(first.at);
        report
            .error(entry.at, format!("`{}` is here a second time", entry.key))
            .hint(format!("the first one is at {first}"));
        return;
    }
    entries.push(entry);
}

/// YAML 1.2 core schema, which contains JSON's.
fn plain_kind(text: &str) -> Kind {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Kind::Null,
        "true" | "True" | "TRUE" | "false" | "False" | "FALSE" => Kind::Bool,
        _ if is_number(text) => Kind::Number,
        _ => Kind::Text,
    }
}

fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    digits.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && digits.contains(|c: char| c.is_ascii_digit())
        && digits.parse::<f64>().is_ok()
}

// === impl Kind ===

impl Kind {
    /// As it reads in "found …".
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Bool => "true or false",
            Self::Number => "a number",
            Self::Text => "a string",
            Self::Seq => "a list",
            Self::Map => "a map",
        }
    }
}
