//! Messages made by ourselves, and the JSON-RPC error codes.

use bytes::Bytes;

use crate::RawId;
use crate::text::quote_into;

#[cfg(test)]
mod tests;

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
    let mut draft = Draft::new(method.len() + params.map_or(0, <[u8]>::len));
    draft.raw(",\"id\":", id.as_bytes());
    draft.text(",\"method\":", method);
    draft.optional(",\"params\":", params);
    draft.done()
}

/// A notification. `params` is raw JSON.
#[must_use]
pub fn notification(method: &str, params: Option<&[u8]>) -> Bytes {
    let mut draft = Draft::new(method.len() + params.map_or(0, <[u8]>::len));
    draft.text(",\"method\":", method);
    draft.optional(",\"params\":", params);
    draft.done()
}

/// A response with a raw JSON `result`.
#[must_use]
pub fn success(id: &RawId, result: &[u8]) -> Bytes {
    let mut draft = Draft::new(result.len());
    draft.raw(",\"id\":", id.as_bytes());
    draft.raw(",\"result\":", result);
    draft.done()
}

/// An error response; without an id it says `"id":null`. `data` is raw JSON.
#[must_use]
pub fn failure(id: Option<&RawId>, code: i64, message: &str, data: Option<&[u8]>) -> Bytes {
    let mut draft = Draft::new(message.len() + data.map_or(0, <[u8]>::len));
    draft.raw(",\"id\":", id.map_or(b"null", RawId::as_bytes));
    draft.raw(",\"error\":{\"code\":", code.to_string().as_bytes());
    draft.text(",\"message\":", message);
    draft.optional(",\"data\":", data);
    draft.raw("}", b"");
    draft.done()
}

/// A message that is being written.
struct Draft(Vec<u8>);

impl Draft {
    fn new(payload: usize) -> Self {
        let mut out = Vec::with_capacity(payload + 96);
        out.extend_from_slice(b"{\"jsonrpc\":\"2.0\"");
        Self(out)
    }

    fn raw(&mut self, before: &str, raw: &[u8]) {
        self.0.extend_from_slice(before.as_bytes());
        self.0.extend_from_slice(raw);
    }

    fn text(&mut self, before: &str, text: &str) {
        self.0.extend_from_slice(before.as_bytes());
        quote_into(&mut self.0, text);
    }

    fn optional(&mut self, before: &str, raw: Option<&[u8]>) {
        if let Some(raw) = raw {
            self.raw(before, raw);
        }
    }

    fn done(mut self) -> Bytes {
        self.0.push(b'}');
        self.0.into()
    }
}
