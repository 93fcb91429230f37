//! Secrets: in the text itself, in a variable of the environment, or in a file.

use secrecy::{ExposeSecret, SecretString};

use crate::endpoint::absolute_path;
use crate::field::{Field, Fields};
use crate::reading::Reading;

/// The keys that one secret may stand under.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SecretKeys {
    /// Holds it.
    pub(crate) text: &'static str,
    /// Names a variable that holds it.
    pub(crate) env: &'static str,
    /// Names a file that holds it.
    pub(crate) file: &'static str,
}

/// A secret and where it is given.
#[derive(Debug, Clone)]
pub(crate) struct Secret<'t> {
    pub(crate) field: Field<'t>,
    pub(crate) value: SecretString,
}

/// What came of looking for something that need not be there.
#[derive(Debug, Clone)]
pub(crate) enum Found<T> {
    Absent,
    /// It is there and wrong, which is already reported.
    Bad,
    Good(T),
}

/// Reads a secret, if it stands under one of its keys.
pub(crate) fn read<'t>(
    fields: &mut Fields<'t>,
    keys: &SecretKeys,
    cx: &mut Reading<'_>,
) -> Found<Secret<'t>> {
    read_with(fields, keys, text, cx)
}

/// Reads a secret; `text` reads what stands in the text itself.
pub(crate) fn read_with<'t>(
    fields: &mut Fields<'t>,
    keys: &SecretKeys,
    text: fn(Field<'_>, &mut Reading<'_>) -> Option<SecretString>,
    cx: &mut Reading<'_>,
) -> Found<Secret<'t>> {
    let forms = [fields.get(keys.text), fields.get(keys.env), fields.get(keys.file)];
    let mut given = forms.into_iter().flatten();
    let Some(field) = given.next() else { return Found::Absent };
    if let Some(second) = given.next() {
        let message = format!("`{}` and `{}` exclude each other", field.key, second.key);
        cx.report.error(second.key_at, message);
        return Found::Bad;
    }
    let value = match field.key {
        key if key == keys.env => variable(field, cx),
        key if key == keys.file => file(field, cx),
        _ => text(field, cx),
    };
    value.map_or(Found::Bad, |value| Found::Good(Secret { field, value }))
}

/// A value that is its own text, or a map that says where it is: `{env: NAME}`, `{file: PATH}`.
pub(crate) fn value(field: Field<'_>, cx: &mut Reading<'_>) -> Option<SecretString> {
    if field.node.kind() != crate::tree::Kind::Map {
        return cx.expand_secret(field);
    }
    let mut fields = field.fields(format!("`{}`", field.key), &mut cx.report)?;
    let (env, file_key) = (fields.get("env"), fields.get("file"));
    let at = fields.at;
    fields.finish(&mut cx.report);
    match (env, file_key) {
        (Some(field), None) => variable(field, cx),
        (None, Some(field)) => file(field, cx),
        (Some(_), Some(second)) => {
            cx.report.error(second.key_at, "`env` and `file` exclude each other");
            None
        }
        (None, None) => {
            let message = format!("`{}` needs `env` or `file`", field.key);
            cx.report.error(at, message).hint("or write the value itself");
            None
        }
    }
}

fn text(field: Field<'_>, cx: &mut Reading<'_>) -> Option<SecretString> {
    let value = cx.expand_secret(field)?;
    if value.expose_secret().is_empty() {
        cx.report.error(field.at(), format!("`{}` is empty", field.key));
        return None;
    }
    Some(value)
}

fn variable(field: Field<'_>, cx: &mut Reading<'_>) -> Option<SecretString> {
    let name = field.text(&mut cx.report)?;
    let value = cx.variable(name);
    if value.is_none() {
        let message =
            format!("environment variable `{name}` of `{}` is not set or empty", field.key);
        cx.report.error(field.at(), message);
    }
    value.map(SecretString::from)
}

/// Without the line break that editors and `echo` put at the end of a file.
fn file(field: Field<'_>, cx: &mut Reading<'_>) -> Option<SecretString> {
    let path = absolute_path(field, cx)?;
    match cx.file(&path) {
        Ok(mut text) => {
            if text.ends_with('\n') {
                text.pop();
                if text.ends_with('\r') {
                    text.pop();
                }
            }
            if text.is_empty() {
                cx.report.error(field.at(), format!("the file of `{}` is empty", field.key));
                return None;
            }
            Some(SecretString::from(text))
        }
        Err(error) => {
            let message = format!("cannot read the file of `{}`: {error}", field.key);
            cx.report.error(field.at(), message);
            None
        }
    }
}

// === impl Found ===

impl<T> Found<T> {
    /// What is there; `None` after an error.
    pub(crate) fn optional(self) -> Option<Option<T>> {
        match self {
            Self::Absent => Some(None),
            Self::Bad => None,
            Self::Good(found) => Some(Some(found)),
        }
    }
}

impl<'t> Found<Secret<'t>> {
    /// Where it is given.
    pub(crate) fn field(&self) -> Option<Field<'t>> {
        match self {
            Self::Good(secret) => Some(secret.field),
            Self::Absent | Self::Bad => None,
        }
    }
}
