//! What calls have in common that are made for the same request of somebody.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use vmcp_auth::Caller;

use super::{Call, TraceContext};

/// For whom, in which trace and for how long calls are made: see [`Session::with`](crate::Session::with).
///
/// What a [`Call`] says itself wins over its context.
#[derive(Debug, Clone, Default)]
pub struct CallContext {
    /// Who the calls are made for; see [`Call::caller`].
    pub caller: Option<Caller>,
    /// The trace they belong to.
    pub trace: Option<TraceContext>,
    /// How long the backend may be silent.
    pub timeout: Option<Duration>,
}

/// On whose behalf a request goes out, and in which trace.
#[derive(Clone, Copy)]
pub(crate) struct Behalf<'a> {
    pub(crate) caller: &'a Caller,
    pub(crate) trace: Option<&'a TraceContext>,
    /// Set when the request is about to be written: from then on the backend may have it.
    pub(crate) sent: Option<&'a AtomicBool>,
}

// === impl CallContext ===

impl CallContext {
    /// Calls for `caller`.
    pub fn of(caller: impl Into<Caller>) -> Self {
        Self { caller: Some(caller.into()), ..Self::default() }
    }

    /// The same, in this trace.
    #[must_use]
    pub fn with_trace(mut self, trace: TraceContext) -> Self {
        self.trace = Some(trace);
        self
    }

    /// The same, with this timeout.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Fills in what `call` leaves open.
    pub(crate) fn complete(&self, call: &mut Call) {
        if call.caller.is_none() {
            call.caller.clone_from(&self.caller);
        }
        if call.trace.is_none() {
            call.trace.clone_from(&self.trace);
        }
        call.timeout = call.timeout.or(self.timeout);
    }
}

impl From<Caller> for CallContext {
    fn from(caller: Caller) -> Self {
        Self::of(caller)
    }
}

// === impl Behalf ===

impl<'a> Behalf<'a> {
    /// A message of `caller`'s that nobody waits for.
    pub(crate) fn of(caller: &'a Caller) -> Self {
        Self { caller, trace: None, sent: None }
    }

    /// Whether the backend may have the request.
    pub(crate) fn set_sent(&self, sent: bool) {
        if let Some(flag) = self.sent {
            flag.store(sent, Ordering::Relaxed);
        }
    }
}
