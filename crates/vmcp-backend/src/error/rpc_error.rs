//! A JSON-RPC error, as the other side sent it.

use std::fmt;

use bytes::Bytes;
use vmcp_wire::{Object, rpc};

/// An error that a backend answered with: a raw JSON object, kept whole.
#[derive(Clone, PartialEq, Eq)]
pub struct RpcError {
    raw: Bytes,
}

// === impl RpcError ===

impl RpcError {
    /// Takes a raw error object as it is.
    pub fn from_raw(raw: impl Into<Bytes>) -> Self {
        Self { raw: raw.into() }
    }

    /// Its code (JSON-RPC 2.0, §5.1); that of an internal error if it has none that fits.
    pub fn code(&self) -> i64 {
        super::code_of(&self.raw).unwrap_or(rpc::INTERNAL_ERROR)
    }

    /// Its text, as the backend wrote it: not vmcp's own, and of any length. Empty if there is none.
    pub fn message(&self) -> String {
        let members = Object::parse(&self.raw).ok();
        let text = members.and_then(|members| members.get("message"));
        text.and_then(|text| text.as_str()).unwrap_or_default().into_owned()
    }

    /// What else it says: raw JSON of any type.
    pub fn data(&self) -> Option<Bytes> {
        let data = Object::parse(&self.raw).ok()?.get("data")?;
        Some(self.raw.slice(data.span))
    }

    /// The whole error object.
    pub fn raw(&self) -> &Bytes {
        &self.raw
    }
}

impl fmt::Display for RpcError {
    /// Code and a bounded, printable piece of the text: for logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error {}: {}", self.code(), super::text_of(&self.raw))
    }
}

impl fmt::Debug for RpcError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RpcError").field(&String::from_utf8_lossy(&self.raw)).finish()
    }
}
