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
    /// Who was told what it offers; `None` while that is not known.
    pub source: Option<Source>,
    /// How long ago it confirmed that.
    pub age: Option<Duration>,
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
    /// It tells nobody in particular what it offers: each client sees what it offers to that client.
    PerCaller,
    /// What it offered before is still advertised: the last attempt failed, or there was none since a restart.
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
    /// Whoever runs vmcp has to log in to it first.
    LoginRequired,
    /// Its authorization server gives no token, or cannot be reached.
    Issuer,
    /// What it says is not MCP.
    Protocol,
    /// It says more than the limits allow.
    TooLarge,
    /// It is busy.
    Busy,
    /// It ended the connection.
    Closed,
}

/// Who was told what a backend offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Source {
    /// This vmcp, by the backend.
    Backend,
    /// One before it, which kept it.
    Index,
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

// === impl BackendStatus ===

impl BackendStatus {
    /// What its operator can do, or should know, as a sentence; `None` if there is nothing special.
    pub fn advice(&self) -> Option<String> {
        match (self.state, self.reason) {
            (_, Some(Reason::LoginRequired)) => Some(format!("run `vmcp auth login {}`", self.id)),
            (_, Some(Reason::Issuer)) => {
                Some("its authorization server gives no token; the log says why".to_owned())
            }
            (_, Some(Reason::Unauthorized)) => {
                let id = &self.id;
                Some(format!(
                    "does not take what `outgoingAuth.backends.{id}` says; `type: oauth` if it wants a login"
                ))
            }
            (BackendState::PerCaller, _) => {
                Some("offers its tools only to callers with a token of their own".to_owned())
            }
            _ => None,
        }
    }
}

// === impl BackendState ===

impl BackendState {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Connecting, Self::Ready, Self::PerCaller, Self::Stale, Self::Failed];

    /// Whether the last attempt found it in order.
    pub fn is_fine(self) -> bool {
        matches!(self, Self::Ready | Self::PerCaller)
    }

    /// One word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connecting => "connecting",
            Self::Ready => "ready",
            Self::PerCaller => "per_caller",
            Self::Stale => "stale",
            Self::Failed => "failed",
        }
    }
}

// === impl Source ===

impl Source {
    /// One word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Backend => "backend",
            Self::Index => "index",
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
            Self::LoginRequired => "login_required",
            Self::Issuer => "issuer",
            Self::Protocol => "protocol",
            Self::TooLarge => "too_large",
            Self::Busy => "busy",
            Self::Closed => "closed",
        }
    }
}
