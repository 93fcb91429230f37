//! The few params that routing reads, and what is said when they are not there.

use std::borrow::Cow;

use bytes::Bytes;
use vmcp_backend::{Call, CallError, ErrorKind};
use vmcp_wire::{Member, Object};

/// The params object.
pub(super) fn object(call: &Call) -> Result<Object<'_>, CallError> {
    let raw: &Bytes = call.params.as_ref().ok_or_else(|| invalid("params are missing"))?;
    Object::parse(raw).map_err(|_| invalid("params must be an object"))
}

/// A member that must be a string.
///
/// Two members that somebody could take for it are refused: vmcp would route by one, and the backend act on the other.
pub(super) fn text<'a>(
    object: &Object<'a>,
    key: &str,
) -> Result<(Cow<'a, str>, Member<'a>), CallError> {
    let member = member(object, key)?.ok_or_else(|| invalid(format!("{key} is missing")))?;
    let text = member.as_str().ok_or_else(|| invalid(format!("{key} must be a string")))?;
    Ok((text, member))
}

/// A member that may be missing.
pub(super) fn member<'a>(object: &Object<'a>, key: &str) -> Result<Option<Member<'a>>, CallError> {
    object.unique(key).map_err(|_| invalid(format!("{key} is ambiguous")))
}

/// The client's fault.
pub(super) fn invalid(text: impl Into<String>) -> CallError {
    CallError::client(ErrorKind::InvalidParams(text.into()))
}
