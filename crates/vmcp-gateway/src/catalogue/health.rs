//! How one backend's attempts went, and when the next one is due.

use std::time::{Duration, SystemTime};

use tokio::time::Instant;
use vmcp_auth::{AuthError, AuthFailure};
use vmcp_backend::{CallError, ConnectError, ConnectErrorKind, ErrorKind};

use crate::status::{BackendState, Reason, Source};

/// How one backend's attempts went.
#[derive(Debug, Clone)]
pub(crate) struct Health {
    /// How it is.
    pub state: BackendState,
    /// Why the last attempt failed.
    pub reason: Option<Reason>,
    /// When an attempt failed last.
    pub last_error: Option<SystemTime>,
    /// When the next attempt is due.
    pub next_try: Option<Instant>,
    /// Attempts that failed since the last success.
    pub failures: u32,
    /// Since when what is known is shown without doubt: the last attempt that succeeded, or the start with what was kept.
    pub last_success: Option<Instant>,
    /// When the backend confirmed last what is known of it.
    pub listed: Option<SystemTime>,
    /// Who was told that.
    pub source: Source,
}

/// How long ago that was; nothing if it is still to come, as after a change of the clock.
pub(crate) fn age(time: SystemTime) -> Duration {
    SystemTime::now().duration_since(time).unwrap_or_default()
}

// === impl Health ===

impl Health {
    /// Nothing tried yet.
    pub(crate) fn new() -> Self {
        Self {
            state: BackendState::Connecting,
            reason: None,
            last_error: None,
            next_try: None,
            failures: 0,
            last_success: None,
            listed: None,
            source: Source::Backend,
        }
    }

    /// What is known was confirmed then, to a vmcp before this one. It is shown until it is known to be too old.
    pub(crate) fn restored(&mut self, listed: SystemTime) {
        self.state = BackendState::Stale;
        self.last_success = Some(Instant::now());
        self.listed = Some(listed);
        self.source = Source::Index;
    }

    /// An attempt succeeded; the next is due after `ttl`.
    pub(crate) fn succeeded(&mut self, ttl: Duration) {
        let now = Instant::now();
        self.state = BackendState::Ready;
        self.reason = None;
        self.failures = 0;
        self.last_success = Some(now);
        self.listed = Some(SystemTime::now());
        self.source = Source::Backend;
        self.next_try = now.checked_add(ttl);
    }

    /// It answered that it tells nobody in particular what it offers; it is asked again after `ttl`.
    pub(crate) fn withheld(&mut self, ttl: Duration) {
        self.succeeded(ttl);
        self.state = BackendState::PerCaller;
    }

    /// An attempt failed; the next is due after `pause`. `stale`: what was known is still shown.
    pub(crate) fn failed(&mut self, reason: Reason, state: BackendState, pause: Duration) {
        self.state = state;
        self.reason = Some(reason);
        self.failures = self.failures.saturating_add(1);
        self.last_error = Some(SystemTime::now());
        self.next_try = Instant::now().checked_add(pause);
    }
}

// === impl Reason ===

impl Reason {
    /// Why no session could be opened.
    pub(crate) fn of_connect(error: &ConnectError) -> Self {
        match &error.kind {
            ConnectErrorKind::Config(_) | ConnectErrorKind::Unreachable(_) => Self::Unreachable,
            ConnectErrorKind::Timeout(_) => Self::Timeout,
            ConnectErrorKind::Unauthorized(_) => Self::Unauthorized,
            ConnectErrorKind::NoCredentials(error) => Self::of_auth(error),
            ConnectErrorKind::Status { .. }
            | ConnectErrorKind::Handshake(_)
            | ConnectErrorKind::List(_) => Self::Protocol,
        }
    }

    /// Why there were no credentials.
    fn of_auth(error: &AuthError) -> Self {
        match error.failure() {
            Some(AuthFailure::LoginRequired(_)) => Self::LoginRequired,
            Some(AuthFailure::Refused(_) | AuthFailure::Unavailable(_)) => Self::Issuer,
            Some(AuthFailure::NoToken(_)) | None => Self::Unauthorized,
        }
    }

    /// Why a list could not be read.
    pub(crate) fn of_call(error: &CallError) -> Self {
        match &error.kind {
            ErrorKind::Timeout(_) => Self::Timeout,
            ErrorKind::Unauthorized => Self::Unauthorized,
            ErrorKind::NoCredentials(error) => Self::of_auth(error),
            ErrorKind::TooLarge { .. } => Self::TooLarge,
            ErrorKind::Busy => Self::Busy,
            ErrorKind::Closed | ErrorKind::Cancelled => Self::Closed,
            ErrorKind::Unavailable => Self::Unreachable,
            ErrorKind::UnknownTool(_)
            | ErrorKind::UnknownPrompt(_)
            | ErrorKind::UnknownResource(_)
            | ErrorKind::InvalidParams(_)
            | ErrorKind::MethodNotFound(_)
            | ErrorKind::TaskRequired(_)
            | ErrorKind::Misconfigured(_)
            | ErrorKind::Answered(_)
            | ErrorKind::Protocol(_) => Self::Protocol,
        }
    }
}
