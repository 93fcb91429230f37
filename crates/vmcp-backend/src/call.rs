//! One call: what is asked, for how long, and the handle that takes it back.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::Notify;
use vmcp_auth::Caller;

mod asking;
mod context;
mod params;
mod trace;

pub use asking::{Asking, InputGiven, TaskForm};
pub(crate) use context::Behalf;
pub use context::CallContext;
pub use trace::TraceContext;

use crate::peer::Waits;

/// One request to a backend.
#[derive(Debug, Clone)]
pub struct Call {
    /// The method.
    pub method: Cow<'static, str>,
    /// The raw JSON params, sent byte for byte except the progress token; names are the backend's own.
    pub params: Option<Bytes>,
    /// Takes the call back.
    pub cancel: Cancel,
    /// How long the backend may be silent; `None`: as configured for it, or for the tool that is called.
    pub timeout: Option<Duration>,
    /// Who it is made for. Wins, as a whole, over the caller that the session was opened for; `None` falls back on
    /// that one. `Some(Caller::default())` is nobody: no user's credentials are used.
    pub caller: Option<Caller>,
    /// The trace it belongs to: put into `_meta` and into the HTTP request where they have none.
    pub trace: Option<TraceContext>,
    /// How whoever calls can be asked something.
    pub asking: Asking,
    /// How it follows tasks.
    pub tasks: TaskForm,
    /// Its progress is told for as long as the task lives that it becomes, if it does: under its own token, with other
    /// calls of the session or to the sink. Only for a session that has one caller.
    pub keeps_progress: bool,
    /// The least level of log messages that this request alone asks for, by its name on the wire.
    pub log_level: Option<Box<str>>,
    /// What was asked for in an answer to this request before; its params are without it.
    pub input: Option<Box<InputGiven>>,
}

/// Takes a call back. Clones are one handle.
///
/// Firing it tells the backend (`notifications/cancelled`, under the backend's id) and ends the reply.
#[derive(Clone, Default)]
pub struct Cancel(Arc<Shared>);

#[derive(Default)]
struct Shared {
    fired: AtomicBool,
    reason: Mutex<Option<String>>,
    waiters: Notify,
    /// What whoever calls is asked meanwhile, besides what comes with the reply.
    waits: Waits,
}

// === impl Call ===

impl Call {
    /// A call that nobody takes back, with the backend's own timeout.
    pub fn new(method: impl Into<Cow<'static, str>>, params: Option<Bytes>) -> Self {
        let (method, cancel) = (method.into(), Cancel::new());
        Self {
            method,
            params,
            cancel,
            timeout: None,
            caller: None,
            trace: None,
            asking: Asking::Live,
            tasks: TaskForm::Own,
            keeps_progress: false,
            log_level: None,
            input: None,
        }
    }

    /// The same call with this handle.
    #[must_use]
    pub fn with_cancel(mut self, cancel: Cancel) -> Self {
        self.cancel = cancel;
        self
    }

    /// The same call with this timeout.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// The same call for this caller.
    #[must_use]
    pub fn with_caller(mut self, caller: Caller) -> Self {
        self.caller = Some(caller);
        self
    }

    /// The same call in this trace.
    #[must_use]
    pub fn with_trace(mut self, trace: TraceContext) -> Self {
        self.trace = Some(trace);
        self
    }
}

// === impl Cancel ===

impl Cancel {
    /// A handle that has not fired.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the call back. Only the first call of this has an effect.
    pub fn cancel(&self, reason: Option<String>) {
        {
            let mut kept = self.0.reason.lock();
            if self.0.fired.load(Ordering::Acquire) {
                return;
            }
            *kept = reason;
            self.0.fired.store(true, Ordering::Release);
        }
        self.0.waiters.notify_waiters();
    }

    /// What whoever calls is asked meanwhile, besides what comes with the reply.
    pub(crate) fn waits(&self) -> &Waits {
        &self.0.waits
    }

    /// Whether it has fired.
    pub fn is_cancelled(&self) -> bool {
        self.0.fired.load(Ordering::Acquire)
    }

    /// Why, if a reason was given.
    pub fn reason(&self) -> Option<String> {
        self.0.reason.lock().clone()
    }

    /// Returns once it has fired.
    ///
    /// # Cancel safety
    /// Safe: dropping the future loses nothing.
    pub async fn cancelled(&self) {
        loop {
            let mut notified = std::pin::pin!(self.0.waiters.notified());
            // Registered before the flag is read, so that a firing in between is not missed.
            notified.as_mut().enable();
            if self.is_cancelled() {
                return;
            }
            notified.await;
        }
    }
}

impl fmt::Debug for Cancel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Cancel").field(&self.is_cancelled()).finish()
    }
}
