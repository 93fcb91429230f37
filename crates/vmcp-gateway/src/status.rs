//! What operators see of the backends: states and reasons, never addresses.

use std::time::{Duration, SystemTime};

use vmcp_config::BackendId;

use crate::naming::conflict::Conflict;

/// The gateway at one moment.
#[derive(Debug, Clone)]
pub struct Status {
    /// The name of this virtual server.
    pub name: String,
    /// Open client sessions.
    pub sessions: usize,
    /// The backends, in config order.
    pub backends: Vec<BackendStatus>,
    /// Names that not everybody who wanted them could have.
    pub conflicts: Vec<Conflict>,
    /// What is advertised now.
    pub advertised: Counts,
}

/// One backend at one moment.
#[derive(Debug, Clone)]
pub struct BackendStatus {
    /// Its name.
    pub id: BackendId,
    /// How it is.
    pub state: BackendState,
    /// Why it is not `Ready`.
    pub reason: Option<Reason>,
    /// When it failed last.
    pub last_error: Option<SystemTime>,
    /// How long until it is tried again (`Failed`, `Stale`) or listed again (`Ready`).
    pub next_try: Option<Duration>,
    /// What it offers, before rules.
    pub offers: Counts,
    /// The protocol revision it speaks.
    pub revision: Option<&'static str>,
    /// Sessions open to it.
    pub sessions: usize,
}

/// How a backend is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BackendState {
    /// Not yet tried to an end.
    Connecting,
    /// Listed, and the last attempt succeeded.
    Ready,
    /// The last attempt failed; what it offered before is still advertised.
    Stale,
    /// The last attempt failed and nothing of it is advertised.
    Failed,
}

/// Why an attempt failed: the kind only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// It cannot be reached, or the process cannot be started.
    Unreachable,
    /// It did not answer in time.
    Timeout,
    /// It does not accept vmcp's credentials.
    Unauthorized,
    /// What it says is not MCP.
    Protocol,
    /// It says more than the limits allow.
    TooLarge,
    /// It is busy.
    Busy,
    /// It ended the connection.
    Closed,
}

/// Numbers of capabilities.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Tools.
    pub tools: usize,
    /// Resources.
    pub resources: usize,
    /// Resource templates.
    pub templates: usize,
    /// Prompts.
    pub prompts: usize,
}

// === impl BackendState ===

impl BackendState {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Connecting, Self::Ready, Self::Stale, Self::Failed];

    /// One word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connecting => "connecting",
            Self::Ready => "ready",
            Self::Stale => "stale",
            Self::Failed => "failed",
        }
    }
}

// === impl Reason ===

impl Reason {
    /// One word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::Timeout => "timeout",
            Self::Unauthorized => "unauthorized",
            Self::Protocol => "protocol",
            Self::TooLarge => "too_large",
            Self::Busy => "busy",
            Self::Closed => "closed",
        }
    }
}
