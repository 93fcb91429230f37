//! Whether headers say what a body says.

use std::borrow::Cow;

use super::value::{decode, encode, trimmed};
use super::{METHOD, NAME};
use crate::{Message, Object, method};

/// How headers and a body differ. It repeats no value: only names that we know.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// The body says something that a header has to repeat.
    #[error("the header {0} is missing")]
    Missing(Box<str>),
    /// Two readers could take two different lines.
    #[error("the header {0} is there twice")]
    Twice(Box<str>),
    /// The header's value cannot be decoded.
    #[error("the value of the header {0} is malformed")]
    Malformed(Box<str>),
    /// The header says something else.
    #[error("the header {0} and the body differ")]
    Differs(Box<str>),
    /// The body says nothing that the header could repeat.
    #[error("the header {0} repeats nothing in the body")]
    Unfounded(Box<str>),
    /// The body says it twice, so that two readers could take two different values.
    #[error("what the header {0} repeats is in the body twice")]
    Ambiguous(Box<str>),
}

/// The member of a request's params that [`NAME`] repeats.
#[must_use]
pub fn name_member(method: &str) -> Option<&'static str> {
    match method {
        method::TOOLS_CALL | method::PROMPTS_GET => Some("name"),
        method::RESOURCES_READ => Some("uri"),
        method::TASKS_GET | method::TASKS_UPDATE | method::TASKS_CANCEL => Some("taskId"),
        _ => None,
    }
}

/// The value of [`NAME`] for a request with these raw params; `None` if it needs none, or the params lack what it
/// would repeat.
#[must_use]
pub fn name_value(method: &str, params: &[u8]) -> Option<String> {
    let member = name_member(method)?;
    let params = Object::parse(params).ok()?;
    let name = params.get(member)?.as_str()?;
    Some(encode(&name).into_owned())
}

/// The one line of a header.
///
/// # Errors
/// [`Mismatch::Twice`].
pub fn single<'h>(
    name: &str,
    lines: impl IntoIterator<Item = &'h [u8]>,
) -> Result<Option<&'h [u8]>, Mismatch> {
    let mut lines = lines.into_iter();
    let line = lines.next();
    match lines.next() {
        Some(_) => Err(Mismatch::Twice(name.into())),
        None => Ok(line),
    }
}

/// Checks that the header called `name`, of which `lines` are all lines, is there once and says `text` plainly.
///
/// # Errors
/// When it is not.
pub fn check<'h>(
    name: &str,
    text: &str,
    lines: impl IntoIterator<Item = &'h [u8]>,
) -> Result<(), Mismatch> {
    let line = single(name, lines)?.ok_or_else(|| Mismatch::Missing(name.into()))?;
    match trimmed(line) == text.as_bytes() {
        true => Ok(()),
        false => Err(Mismatch::Differs(name.into())),
    }
}

/// The same for a header that may be [encoded](encode).
///
/// # Errors
/// When it is not there once, cannot be decoded, or says something else.
pub fn check_encoded<'h>(
    name: &str,
    text: &str,
    lines: impl IntoIterator<Item = &'h [u8]>,
) -> Result<(), Mismatch> {
    match text == said(name, lines)? {
        true => Ok(()),
        false => Err(Mismatch::Differs(name.into())),
    }
}

/// Checks [`METHOD`] and, where the method has one, [`NAME`] of a request.
///
/// `lines` gives all lines of the header of a name. Params that lack what [`NAME`] would repeat pass if the header is
/// missing as well: what they are wrong in is something else.
///
/// # Errors
/// When the headers do not say what the message says.
pub fn check_request<'h, L>(message: &Message, lines: impl Fn(&str) -> L) -> Result<(), Mismatch>
where
    L: IntoIterator<Item = &'h [u8]>,
{
    check(METHOD, message.method(), lines(METHOD))?;
    let Some(member) = name_member(message.method()) else { return Ok(()) };
    let params = message.params().unwrap_or_default();
    let params = Object::parse(&params).ok();
    let named = match &params {
        Some(params) => params.unique(member).map_err(|_| Mismatch::Ambiguous(NAME.into()))?,
        None => None,
    };
    match named.and_then(|member| member.as_str()) {
        Some(name) => check_encoded(NAME, &name, lines(NAME)),
        None => match single(NAME, lines(NAME))? {
            Some(_) => Err(Mismatch::Unfounded(NAME.into())),
            None => Ok(()),
        },
    }
}

/// What the one line of a header says.
pub(super) fn said<'h>(
    name: &str,
    lines: impl IntoIterator<Item = &'h [u8]>,
) -> Result<Cow<'h, str>, Mismatch> {
    let line = single(name, lines)?.ok_or_else(|| Mismatch::Missing(name.into()))?;
    decode(line).ok_or_else(|| Mismatch::Malformed(name.into()))
}
