//! What fails, whose fault it is, and whether the call may have run.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use vmcp_auth::AuthError;
use vmcp_config::BackendId;
use vmcp_wire::{Object, WireError};

mod rpc_error;

pub use rpc_error::RpcError;

/// Why a call has no response from the backend.
///
/// `Display` is for logs: it may name addresses. Only the edge decides what a client is told.
#[derive(Debug, Clone)]
pub struct CallError {
    /// Whose fault it is.
    pub side: Side,
    /// What happened.
    pub kind: ErrorKind,
    /// Whether the backend may have run the call.
    pub executed: Executed,
    /// The backend the call was for.
    pub backend: Option<BackendId>,
    internal: Option<Arc<str>>,
    retry_after: Option<Duration>,
    /// What was being done.
    doing: Option<Arc<str>>,
}

/// Whose fault an error is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// The client's.
    Client,
    /// vmcp's.
    Gateway,
    /// The backend's, or the way to it.
    Backend,
}

/// Whether a backend may have run a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Executed {
    /// Provably not: repeating it is safe.
    No,
    /// It may have.
    Unknown,
}

/// What happened to a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ErrorKind {
    /// No such tool.
    UnknownTool(String),
    /// No such prompt.
    UnknownPrompt(String),
    /// No such resource.
    UnknownResource(String),
    /// The params are not what the method needs.
    InvalidParams(String),
    /// No such method here.
    MethodNotFound(String),
    /// This tool can be called as a task only, and the caller did not say that it can follow one. Nothing was sent.
    TaskRequired(String),
    /// The backend cannot be reached, or went away.
    Unavailable,
    /// The backend was silent for this long.
    Timeout(Duration),
    /// The caller took it back.
    Cancelled,
    /// Something is larger than its bound.
    TooLarge {
        /// The bound, in bytes.
        limit: usize,
    },
    /// The backend said something that is no answer. The text is vmcp's own and safe to show.
    Protocol(String),
    /// The backend does not accept vmcp's credentials.
    Unauthorized,
    /// There are no credentials for the backend, or it refused them and there can be no better ones. Nothing ran.
    NoCredentials(Arc<AuthError>),
    /// What is configured for the backend does not allow this call. Nothing was sent. The text is vmcp's own and safe
    /// to show.
    Misconfigured(String),
    /// The backend answered with this error. Only operations that read an answer whole give this;
    /// [`Session::forward`](crate::Session::forward) gives the response itself.
    Answered(RpcError),
    /// Too much at once.
    Busy,
    /// The session was closed.
    Closed,
}

/// Why no session could be opened.
#[derive(Debug, Clone, thiserror::Error)]
#[error("backend {backend}: {kind}")]
pub struct ConnectError {
    /// The backend.
    pub backend: BackendId,
    /// What happened.
    pub kind: ConnectErrorKind,
}

/// What happened while a session was being opened. Texts are for logs and may name addresses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConnectErrorKind {
    /// Found before anything was dialled.
    #[error("invalid configuration: {0}")]
    Config(String),
    /// Nobody there: no connection, no process.
    #[error("cannot be reached: {0}")]
    Unreachable(String),
    /// No session in time.
    #[error("no session within {0:?}")]
    Timeout(Duration),
    /// Credentials refused.
    #[error("credentials refused (HTTP {0})")]
    Unauthorized(u16),
    /// There are no credentials; nothing was sent, or it was refused and there can be no better ones.
    #[error("{0}")]
    NoCredentials(Arc<AuthError>),
    /// An HTTP status that is no answer to a handshake.
    #[error("answered HTTP {status}: {detail}")]
    Status {
        /// The status.
        status: u16,
        /// A bounded, printable piece of what came with it.
        detail: String,
    },
    /// The backend answered the handshake with an error, or with something that is no answer.
    #[error("handshake failed: {0}")]
    Handshake(String),
    /// The session was open, and what the backend offers could not be listed whole.
    #[error("list failed: {0}")]
    List(String),
}

// === impl CallError ===

impl CallError {
    /// An error without a backend and without internal text.
    pub fn new(side: Side, kind: ErrorKind, executed: Executed) -> Self {
        Self { side, kind, executed, backend: None, internal: None, retry_after: None, doing: None }
    }

    /// The client's fault; nothing ran.
    pub fn client(kind: ErrorKind) -> Self {
        Self::new(Side::Client, kind, Executed::No)
    }

    /// vmcp's own; nothing ran.
    pub fn gateway(kind: ErrorKind) -> Self {
        Self::new(Side::Gateway, kind, Executed::No)
    }

    /// The backend's.
    pub fn backend(backend: &BackendId, kind: ErrorKind, executed: Executed) -> Self {
        Self { backend: Some(backend.clone()), ..Self::new(Side::Backend, kind, executed) }
    }

    /// The backend's bytes are not what they should be. They came after the request was sent.
    pub(crate) fn wire(backend: &BackendId, error: &WireError) -> Self {
        Self::unreadable(error).at(backend)
    }

    /// As [`wire`](Self::wire), of whatever backend.
    pub(crate) fn unreadable(error: &WireError) -> Self {
        let kind = match error {
            WireError::TooLarge { limit } => {
                ErrorKind::TooLarge { limit: usize::try_from(*limit).unwrap_or(usize::MAX) }
            }
            WireError::Truncated => ErrorKind::Protocol("the reply is cut off".to_owned()),
            _ => ErrorKind::Protocol("the reply is not a JSON-RPC message".to_owned()),
        };
        Self::new(Side::Backend, kind, Executed::Unknown).with_internal(error.to_string())
    }

    /// The same, of this backend unless it is of one.
    pub(crate) fn at(mut self, backend: &BackendId) -> Self {
        self.backend.get_or_insert_with(|| backend.clone());
        self
    }

    /// The same, saying what was being done: `tool "x" call`. For logs, as all of `Display`.
    #[must_use]
    pub fn during(mut self, doing: impl Into<Arc<str>>) -> Self {
        self.doing = Some(doing.into());
        self
    }

    /// The same with a text for the log.
    #[must_use]
    pub fn with_internal(mut self, text: impl Into<Arc<str>>) -> Self {
        self.internal = Some(text.into());
        self
    }

    /// The same with the time after which the backend wants to be asked again.
    #[must_use]
    pub(crate) fn with_retry_after(mut self, after: Option<Duration>) -> Self {
        self.retry_after = after;
        self
    }

    /// When the backend wants to be asked again, if it said so (`Retry-After`, RFC 9110, §10.2.3), at most a day. Nobody
    /// asks again by himself.
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// The text for the log; never for a client.
    pub fn internal(&self) -> Option<&str> {
        self.internal.as_deref()
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.doing, &self.backend) {
            (Some(doing), Some(backend)) => write!(f, "{doing} failed on backend {backend}: ")?,
            (Some(doing), None) => write!(f, "{doing} failed: ")?,
            (None, Some(backend)) => write!(f, "backend {backend}: ")?,
            (None, None) => {}
        }
        write!(f, "{}", self.kind)?;
        if let Some(internal) = &self.internal {
            write!(f, ": {internal}")?;
        }
        Ok(())
    }
}

impl std::error::Error for CallError {}

// === impl ConnectErrorKind ===

impl ConnectErrorKind {
    /// A message of the handshake failed as calls do.
    pub(crate) fn of_call(error: &CallError) -> Self {
        match &error.kind {
            ErrorKind::NoCredentials(why) => Self::NoCredentials(Arc::clone(why)),
            ErrorKind::Misconfigured(text) => Self::Config(text.clone()),
            // Which of the two it was is in the text only, and says the same.
            ErrorKind::Unauthorized => Self::Unauthorized(401),
            ErrorKind::Unavailable => {
                Self::Unreachable(error.internal().unwrap_or("it went away").to_owned())
            }
            _ => Self::Handshake(error.to_string()),
        }
    }
}

// === impl ErrorKind ===

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownTool(name) => write!(f, "unknown tool \"{name}\""),
            Self::UnknownPrompt(name) => write!(f, "unknown prompt \"{name}\""),
            Self::UnknownResource(uri) => write!(f, "unknown resource \"{uri}\""),
            Self::InvalidParams(text) => write!(f, "invalid params: {text}"),
            Self::MethodNotFound(method) => write!(f, "method not found: {method}"),
            Self::TaskRequired(name) => write!(f, "tool \"{name}\" is a task only"),
            Self::Unavailable => f.write_str("unavailable"),
            Self::Timeout(after) => write!(f, "timed out after {} ms", after.as_millis()),
            Self::Cancelled => f.write_str("cancelled"),
            Self::TooLarge { limit } => write!(f, "larger than {limit} bytes"),
            Self::Protocol(text) => write!(f, "protocol error: {text}"),
            Self::Unauthorized => f.write_str("credentials refused"),
            Self::NoCredentials(_) => f.write_str("no credentials"),
            Self::Misconfigured(text) => f.write_str(text),
            Self::Answered(error) => write!(f, "answered with {error}"),
            Self::Busy => f.write_str("busy"),
            Self::Closed => f.write_str("session closed"),
        }
    }
}

/// The code of a raw JSON-RPC error object.
pub(crate) fn code_of(error: &[u8]) -> Option<i64> {
    let code = Object::parse(error).ok()?.get("code")?;
    std::str::from_utf8(code.raw).ok()?.parse().ok()
}

/// The message of a raw JSON-RPC error object, bounded and printable: for logs.
pub(crate) fn text_of(error: &[u8]) -> String {
    let Ok(members) = Object::parse(error) else { return String::new() };
    let text = members.get("message").and_then(|member| member.as_str()).unwrap_or_default();
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(512).collect()
}
