//! The calls of the typed operations: their params.

use bytes::{Bytes, BytesMut};
use vmcp_wire::{Object, method, quote};

use crate::{Call, CallError, ErrorKind};

impl Call {
    /// A call of a tool. `arguments` and `meta` are raw JSON objects, sent as they are.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidParams`] if one of them is no JSON object.
    pub fn tool(
        name: &str,
        arguments: Option<Bytes>,
        meta: Option<Bytes>,
    ) -> Result<Self, CallError> {
        let (arguments, meta) = (checked("arguments", arguments)?, checked("_meta", meta)?);
        let members = [("name", Some(quote(name))), ("arguments", arguments), ("_meta", meta)];
        Ok(Self::new(method::TOOLS_CALL, Some(object(members))))
    }

    /// A call that reads a resource.
    pub fn resource(uri: &str) -> Self {
        Self::new(method::RESOURCES_READ, Some(object([("uri", Some(quote(uri)))])))
    }

    /// A call that gets a prompt. `arguments` is a raw JSON object, sent as it is.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidParams`] if it is no JSON object.
    pub fn prompt(name: &str, arguments: Option<Bytes>) -> Result<Self, CallError> {
        let arguments = checked("arguments", arguments)?;
        let members = [("name", Some(quote(name))), ("arguments", arguments)];
        Ok(Self::new(method::PROMPTS_GET, Some(object(members))))
    }
}

/// What is put into a message must not be able to end it.
fn checked(key: &str, value: Option<Bytes>) -> Result<Option<Bytes>, CallError> {
    if let Some(Err(error)) = value.as_deref().map(Object::parse) {
        let text = format!("{key} must be a JSON object: {error}");
        return Err(CallError::client(ErrorKind::InvalidParams(text)));
    }
    Ok(value)
}

/// A raw JSON object of raw members.
fn object<const N: usize>(members: [(&str, Option<Bytes>); N]) -> Bytes {
    let mut text = BytesMut::from("{");
    for (key, value) in members {
        let Some(value) = value else { continue };
        if text.len() > 1 {
            text.extend_from_slice(b",");
        }
        text.extend_from_slice(&quote(key));
        text.extend_from_slice(b":");
        text.extend_from_slice(&value);
    }
    text.extend_from_slice(b"}");
    text.freeze()
}
