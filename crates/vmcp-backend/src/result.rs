//! What backends answer to the typed operations: raw bytes kept whole, and readers over them.
//!
//! A result stays the JSON that the backend sent. Readers look at it when they are asked and give slices of it, so a
//! member that nobody here knows, the spelling of a number or the order of keys is never lost: take it with `get` or
//! `raw`. A reader never fails: what is not of the shape that the protocol asks for is absent, or
//! [`ContentKind::Other`], and still there raw.
//!
//! Each reader goes over the bytes once more; keep what it gives.

use bytes::Bytes;
use vmcp_wire::{Object, WireError};

use crate::{CallError, ErrorKind, Executed, Side};

mod content;
mod prompt;
mod resource;
#[cfg(feature = "rmcp")]
pub(crate) mod rmcp;
mod tool;

pub use content::{Blob, Content, ContentKind, ResourceLink};
pub use prompt::{PromptMessage, PromptResult, Role};
pub use resource::{ResourceBody, ResourceContents, ResourceResult};
pub use tool::ToolResult;

/// A result that is no JSON object.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a result must be a JSON object: {0}")]
pub struct ResultError(#[from] WireError);

// === impl ResultError ===

impl From<ResultError> for CallError {
    fn from(error: ResultError) -> Self {
        let kind = ErrorKind::Protocol("the result is no JSON object".to_owned());
        Self::new(Side::Backend, kind, Executed::Unknown).with_internal(error.to_string())
    }
}

/// The raw value of a member of a raw object, sharing its memory.
fn member(raw: &Bytes, key: &str) -> Option<Bytes> {
    let span = Object::parse(raw).ok()?.get(key)?.span;
    Some(raw.slice(span))
}

/// As [`member`], if it is an object.
fn object(raw: &Bytes, key: &str) -> Option<Bytes> {
    member(raw, key).filter(|value| value.starts_with(b"{"))
}

/// The raw elements of an array that is a member; none if there is no such array.
fn elements(raw: &Bytes, key: &str) -> Vec<Bytes> {
    let Ok(members) = Object::parse(raw) else { return Vec::new() };
    let array = members.get(key).and_then(|array| array.as_array()).unwrap_or_default();
    array.into_iter().map(|element| raw.slice_ref(element)).collect()
}

/// A string that is a member.
fn string(members: &Object<'_>, key: &str) -> Option<String> {
    Some(members.get(key)?.as_str()?.into_owned())
}

/// Defines what all results have in common.
macro_rules! result {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq)]
        pub struct $name {
            raw: bytes::Bytes,
        }

        impl $name {
            /// Takes a raw result object as it is.
            ///
            /// # Errors
            /// When it is no JSON object.
            pub fn from_raw(raw: impl Into<bytes::Bytes>) -> Result<Self, crate::ResultError> {
                let raw = raw.into();
                vmcp_wire::Object::parse(&raw)?;
                Ok(Self { raw })
            }

            /// The whole result object, byte for byte as the backend sent it.
            pub fn raw(&self) -> &bytes::Bytes {
                &self.raw
            }

            /// The raw value of any member, whether or not the protocol knows it.
            pub fn get(&self, key: &str) -> Option<bytes::Bytes> {
                super::member(&self.raw, key)
            }

            /// `_meta`, a raw JSON object.
            pub fn meta(&self) -> Option<bytes::Bytes> {
                super::object(&self.raw, "_meta")
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_tuple(stringify!($name)).field(&String::from_utf8_lossy(&self.raw)).finish()
            }
        }
    };
}

use result;

#[cfg(test)]
mod tests;
