//! Stage *respond*: the only place where a failure becomes an HTTP status and a JSON-RPC code.
//!
//! Two kinds of failure leave this house. A [`Rejection`] is vmcp's own refusal of a request: it has a 4xx or
//! 5xx status. A [`CallError`] belongs to one call of a healthy session: it is an ordinary JSON-RPC error with
//! HTTP 200, because clients take other statuses for the death of the session. Texts are vmcp's own; what an
//! error says internally, addresses above all, goes to the log only.
//!
//! Codes of ours stand outside the range that JSON-RPC and the protocol reserve (-32768 to -32000):
//!
//! | code | `data.reason` |
//! | --- | --- |
//! | 1001 | `unavailable`: the backend cannot be reached or went away |
//! | 1002 | `timeout`: the backend was silent for too long |
//! | 1003 | kept for refusals by policy |
//! | 1004 | `too_large`: something crossed a size bound |
//! | 1005 | `protocol`: the backend's answer was none |
//! | 1006 | `unauthorized`: the backend refused vmcp's credentials |
//! | 1007 | `busy`: too much at once |
//! | 1008 | `closed`, `cancelled`: the session ended under the call |

use std::borrow::Cow;

use bytes::Bytes;
use http::StatusCode;
use http::header::HeaderValue;
use vmcp_auth::{AuthError, AuthFailure};
use vmcp_backend::{CallError, ErrorKind, Executed};
use vmcp_wire::{RawId, WireError, quote, rpc};

pub(crate) mod body;
pub(crate) mod page;

/// Codes outside the reserved range.
const UNAVAILABLE: i64 = 1001;
const TIMEOUT: i64 = 1002;
const TOO_LARGE: i64 = 1004;
const PROTOCOL: i64 = 1005;
const UNAUTHORIZED: i64 = 1006;
const BUSY: i64 = 1007;
const CLOSED: i64 = 1008;

/// The longest piece of a client's own text that is repeated to it.
const MAX_ECHO: usize = 256;

/// vmcp's own refusal of one HTTP request.
#[derive(Debug)]
pub(crate) struct Rejection {
    status: StatusCode,
    code: i64,
    text: Cow<'static, str>,
    id: Option<RawId>,
    /// Raw JSON for whoever can act on it.
    data: Option<Box<[u8]>>,
    /// Whether coming back later helps.
    retry: bool,
    /// Whether the connection cannot be used any more.
    close: bool,
    /// What the client should do instead.
    instead: Option<Box<Instead>>,
}

/// What a refused client should do instead, as HTTP says it.
#[derive(Debug)]
enum Instead {
    /// Ask with one of the verbs that this path takes.
    Ask(&'static str),
    /// Get a credential there; and the body that says the same.
    Authenticate(HeaderValue, Bytes),
}

// === impl Rejection ===

impl Rejection {
    /// A refusal with this status; JSON-RPC calls it an invalid request.
    pub(crate) fn new(status: StatusCode, text: impl Into<Cow<'static, str>>) -> Self {
        let (text, code) = (text.into(), rpc::INVALID_REQUEST);
        let (id, data, instead) = (None, None, None);
        Self { status, code, text, id, data, retry: false, close: false, instead }
    }

    /// The verb is none of `allow`.
    pub(crate) fn method_not_allowed(allow: &'static str) -> Self {
        let text = "this method is not allowed here";
        let instead = Some(Box::new(Instead::Ask(allow)));
        Self { instead, ..Self::new(StatusCode::METHOD_NOT_ALLOWED, text) }
    }

    /// A bound was reached that will have room again.
    pub(crate) fn busy(text: &'static str) -> Self {
        Self { code: BUSY, retry: true, ..Self::new(StatusCode::SERVICE_UNAVAILABLE, text) }
    }

    /// The client itself has taken everything that it may have.
    pub(crate) fn too_many(text: &'static str) -> Self {
        Self { status: StatusCode::TOO_MANY_REQUESTS, ..Self::busy(text) }
    }

    /// The body is no message.
    pub(crate) fn wire(error: &WireError) -> Self {
        let status = match error {
            WireError::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            _ => StatusCode::BAD_REQUEST,
        };
        Self { code: error.code(), ..Self::new(status, error.to_string()) }
    }

    /// No such session: the client has to begin a new one. Whose it may be, or was, is not told.
    pub(crate) fn no_such_session() -> Self {
        let code = rpc::SESSION_NOT_FOUND;
        Self { code, ..Self::new(StatusCode::NOT_FOUND, "session not found") }
    }

    /// Something of ours broke.
    pub(crate) fn internal() -> Self {
        let code = rpc::INTERNAL_ERROR;
        Self { code, ..Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal error") }
    }

    /// The same with another JSON-RPC code.
    pub(crate) fn with_code(mut self, code: i64) -> Self {
        self.code = code;
        self
    }

    /// The same for the request with this id.
    pub(crate) fn with_id(mut self, id: Option<RawId>) -> Self {
        self.id = id;
        self
    }

    /// The same with raw JSON as the error's `data`.
    pub(crate) fn with_data(mut self, data: impl Into<Vec<u8>>) -> Self {
        self.data = Some(data.into().into());
        self
    }

    /// The same, ending the connection: what follows on it cannot be trusted to be a request.
    pub(crate) fn and_close(mut self) -> Self {
        self.close = true;
        self
    }

    /// The same as the answer of a protected resource (RFC 6750 §3): no message of JSON-RPC.
    pub(crate) fn with_challenge(mut self, header: HeaderValue, body: Bytes) -> Self {
        self.instead = Some(Box::new(Instead::Authenticate(header, body)));
        self
    }

    /// The HTTP status.
    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }

    /// The JSON-RPC error message.
    pub(crate) fn message(&self) -> Bytes {
        rpc::failure(self.id.as_ref(), self.code, &self.text, self.data.as_deref())
    }
}

/// The error message that answers the call `id`.
pub(crate) fn failure(id: &RawId, error: &CallError) -> Bytes {
    failure_as(id, error, |code| code).1
}

/// The same with codes as the client's revision spells them, and the code.
pub(crate) fn failure_as(
    id: &RawId,
    error: &CallError,
    spelled: impl FnOnce(i64) -> i64,
) -> (i64, Bytes) {
    let (code, text, reason) = translate(&error.kind);
    let code = spelled(code);
    let data = match &error.kind {
        ErrorKind::Answered(answered) => answered.data().map(Vec::from),
        _ => data(error, reason),
    };
    (code, rpc::failure(Some(id), code, &text, data.as_deref()))
}

/// Code, text, and the reason in our own words where the protocol has no code.
fn translate(kind: &ErrorKind) -> (i64, Cow<'static, str>, Option<&'static str>) {
    let (code, text, reason) = match kind {
        ErrorKind::UnknownTool(name) => return client(rpc::INVALID_PARAMS, "unknown tool", name),
        ErrorKind::UnknownPrompt(name) => {
            return client(rpc::INVALID_PARAMS, "unknown prompt", name);
        }
        ErrorKind::UnknownResource(uri) => {
            return client(rpc::RESOURCE_NOT_FOUND, "resource not found", uri);
        }
        ErrorKind::InvalidParams(text) => {
            return client(rpc::INVALID_PARAMS, "invalid params", text);
        }
        ErrorKind::MethodNotFound(name) => {
            return client(rpc::METHOD_NOT_FOUND, "method not found", name);
        }
        ErrorKind::TaskRequired(name) => {
            return client(rpc::METHOD_NOT_FOUND, "the tool can be called as a task only", name);
        }
        ErrorKind::Protocol(text) => return (PROTOCOL, echo(text).into(), Some("protocol")),
        ErrorKind::Unavailable => (UNAVAILABLE, "the backend is unavailable", "unavailable"),
        ErrorKind::Timeout(_) => (TIMEOUT, "the backend did not answer in time", "timeout"),
        ErrorKind::Cancelled => (CLOSED, "the call was cancelled", "cancelled"),
        ErrorKind::TooLarge { .. } => (TOO_LARGE, "the message is too large", "too_large"),
        ErrorKind::Unauthorized => {
            (UNAUTHORIZED, "the backend refused the gateway's credentials", "unauthorized")
        }
        ErrorKind::NoCredentials(error) => {
            return (UNAUTHORIZED, no_credentials(error), Some("unauthorized"));
        }
        ErrorKind::Misconfigured(text) => {
            return (UNAVAILABLE, echo(text).into(), Some("misconfigured"));
        }
        ErrorKind::Answered(error) => return (error.code(), error.message().into(), None),
        ErrorKind::Busy => (BUSY, "too many calls at once", "busy"),
        ErrorKind::Closed => (CLOSED, "the session was closed", "closed"),
    };
    (code, text.into(), Some(reason))
}

/// What can be done about it; who the issuer is, is not the client's business.
fn no_credentials(error: &AuthError) -> Cow<'static, str> {
    let text = match error.failure() {
        Some(AuthFailure::NoToken(_)) => {
            "the backend needs a token of the caller, and there is none"
        }
        Some(AuthFailure::LoginRequired(_)) => {
            let name = error.backend();
            return format!("backend \"{name}\" needs a login: run `vmcp auth login {name}`")
                .into();
        }
        Some(AuthFailure::Refused(_)) => "the issuer refused a token for the backend",
        Some(AuthFailure::Unavailable(_)) => "the issuer of tokens for the backend is unavailable",
        None => "the gateway has no credentials for the backend",
    };
    text.into()
}

fn client(code: i64, what: &str, text: &str) -> (i64, Cow<'static, str>, Option<&'static str>) {
    (code, format!("{what}: {}", echo(text)).into(), None)
}

fn echo(text: &str) -> String {
    match text.char_indices().nth(MAX_ECHO) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// What a program can act on: whether the call may have run, and where; when to come back, in seconds, if the backend
/// said so.
fn data(error: &CallError, reason: Option<&str>) -> Option<Vec<u8>> {
    if let ErrorKind::UnknownResource(uri) = &error.kind {
        return Some([b"{\"uri\":", &quote(uri)[..], b"}"].concat());
    }
    let reason = reason?;
    let executed = match error.executed {
        Executed::No => "no",
        Executed::Unknown => "unknown",
    };
    let mut data = format!("{{\"reason\":\"{reason}\",\"executed\":\"{executed}\"").into_bytes();
    if let Some(backend) = &error.backend {
        data.extend_from_slice(b",\"backend\":");
        data.extend_from_slice(&quote(&backend.to_string()));
    }
    if let Some(after) = error.retry_after() {
        data.extend_from_slice(format!(",\"retryAfter\":{}", after.as_secs()).as_bytes());
    }
    data.push(b'}');
    Some(data)
}

/// The error message for a response that was once there and is not kept any more.
pub(crate) fn not_kept(id: &RawId) -> Bytes {
    let text = "the response was too long to be kept for a second delivery";
    let data = br#"{"reason":"not_kept","executed":"unknown"}"#;
    rpc::failure(Some(id), TOO_LARGE, text, Some(data))
}

#[cfg(test)]
mod tests;
