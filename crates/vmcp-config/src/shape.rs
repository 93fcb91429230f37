//! Shapes of sections that are known but not built: enough to find a typo before the section is.

use crate::field::Field;
use crate::nearest;
use crate::report::Report;
use crate::tree::{Kind, Node, Value};

/// What a value looks like.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Shape {
    /// Anything at all.
    Any,
    Text,
    Bool,
    /// A number, or one in quotes.
    Number,
    Duration,
    OneOf(&'static [&'static str]),
    List(&'static Shape),
    /// A map whose keys are the user's own.
    Dict(&'static Shape),
    /// A map of these keys; a `*` at the end of one makes it mandatory.
    Map(&'static [(&'static str, Shape)]),
    /// A shape that contains itself.
    Ref(&'static Shape),
}

/// Reports where `field` does not have the shape.
pub(crate) fn check(field: Field<'_>, shape: &Shape, report: &mut Report) {
    match shape {
        Shape::Any => {}
        Shape::Ref(shape) => check(field, shape, report),
        Shape::Text => {
            field.spelled(report);
        }
        Shape::Bool => {
            field.bool(report);
        }
        Shape::Number => {
            let number = match &field.node.value {
                Value::Scalar { text, .. } => text.parse::<f64>().is_ok(),
                _ => false,
            };
            if !number {
                field.wrong("a number", report);
            }
        }
        Shape::Duration => {
            field.duration(report);
        }
        Shape::OneOf(words) => {
            if let Some(word) = field.text(report)
                && !words.contains(&word)
            {
                report
                    .error(field.at(), format!("`{}` cannot be `{word}`", field.key))
                    .hint(nearest::hint(word, words));
            }
        }
        Shape::List(shape) => {
            for item in field.items(report) {
                check(item, shape, report);
            }
        }
        Shape::Dict(shape) => {
            for member in field.members(report) {
                check(member, shape, report);
            }
        }
        Shape::Map(known) => check_map(field, known, report),
    }
}

fn check_map(field: Field<'_>, known: &'static [(&'static str, Shape)], report: &mut Report) {
    let Some(mut fields) = field.fields(format!("`{}`", field.key), report) else { return };
    for (key, shape) in known {
        let found = match key.strip_suffix('*') {
            Some(key) => fields.require(key, report),
            None => fields.get(key),
        };
        if let Some(found) = found {
            check(found, shape, report);
        }
    }
    fields.finish(report);
}

/// Whether a section is there but switched off: empty, or `enabled: false`.
pub(crate) fn is_off(node: &Node) -> bool {
    match &node.value {
        Value::Seq(items) => items.is_empty(),
        Value::Map(entries) => {
            entries.is_empty()
                || entries.iter().any(|entry| entry.key == "enabled" && is_false(&entry.node))
        }
        Value::Scalar { text, .. } => text.is_empty() || is_false(node),
    }
}

fn is_false(node: &Node) -> bool {
    match &node.value {
        Value::Scalar { text, .. } => {
            node.kind() == Kind::Bool && text.eq_ignore_ascii_case("false")
        }
        _ => false,
    }
}
