//! Messages made by ourselves, and the JSON-RPC error codes.

use bytes::Bytes;

use crate::{RawId, quote};

/// Not JSON.
pub const PARSE_ERROR: i64 = -32700;
/// JSON, but not a JSON-RPC message.
pub const INVALID_REQUEST: i64 = -32600;
/// No such method.
pub const METHOD_NOT_FOUND: i64 = -32601;
/// The parameters do not fit, or name something unknown.
pub const INVALID_PARAMS: i64 = -32602;
/// Everything else that went wrong on the answering side.
pub const INTERNAL_ERROR: i64 = -32603;
/// No such resource (until it became [`INVALID_PARAMS`]).
pub const RESOURCE_NOT_FOUND: i64 = -32002;
/// No such session, by convention of the SDKs.
pub const SESSION_NOT_FOUND: i64 = -32001;

/// A request. `params` is raw JSON.
#[must_use]
pub fn request(id: &RawId, method: &str, params: Option<&[u8]>) -> Bytes {
    message(Some(id), Some(method), params.map(|raw| (&b"params"[..], raw)))
}

/// A notification. `params` is raw JSON.
#[must_use]
pub fn notification(method: &str, params: Option<&[u8]>) -> Bytes {
    message(None, Some(method), params.map(|raw| (&b"params"[..], raw)))
}

/// A response with a raw JSON `result`.
#[must_use]
pub fn success(id: &RawId, result: &[u8]) -> Bytes {
    message(Some(id), None, Some((b"result", result)))
}

/// An error response; without an id it says `"id":null`. `data` is raw JSON.
#[must_use]
pub fn failure(id: Option<&RawId>, code: i64, text: &str, data: Option<&[u8]>) -> Bytes {
    let mut error = format!("{{\"code\":{code},\"message\":").into_bytes();
    error.extend_from_slice(&quote(text));
    if let Some(data) = data {
        error.extend_from_slice(b",\"data\":");
        error.extend_from_slice(data);
    }
    error.push(b'}');
    match id {
        Some(id) => message(Some(id), None, Some((b"error", &error))),
        None => {
            let mut out = b"{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":".to_vec();
            out.extend_from_slice(&error);
            out.push(b'}');
            out.into()
        }
    }
}

fn message(id: Option<&RawId>, method: Option<&str>, body: Option<(&[u8], &[u8])>) -> Bytes {
    let mut out = b"{\"jsonrpc\":\"2.0\"".to_vec();
    if let Some(id) = id {
        out.extend_from_slice(b",\"id\":");
        out.extend_from_slice(id.as_bytes());
    }
    if let Some(method) = method {
        out.extend_from_slice(b",\"method\":");
        out.extend_from_slice(&quote(method));
    }
    if let Some((key, raw)) = body {
        out.extend_from_slice(b",\"");
        out.extend_from_slice(key);
        out.extend_from_slice(b"\":");
        out.extend_from_slice(raw);
    }
    out.push(b'}');
    out.into()
}
