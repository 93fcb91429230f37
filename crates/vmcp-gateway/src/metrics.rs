//! Counters and histograms with handles bound once: a call looks up no label.
//!
//! Labels are backend ids, method kinds, outcomes and states: all bounded by the configuration. Nothing a client or
//! a backend says becomes a label.

use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use vmcp_backend::{CallError, ErrorKind};
use vmcp_config::BackendId;
use vmcp_wire::method;

use crate::status::BackendState;

type Labels = Vec<(&'static str, String)>;
type Durations = Family<Labels, Histogram, fn() -> Histogram>;

/// The gateway's metrics.
#[derive(Debug)]
pub struct Metrics {
    calls: Family<Labels, Counter>,
    durations: Durations,
    backend_sessions: Family<Labels, Gauge>,
    states: Family<Labels, Gauge>,
    pub(crate) sessions: Gauge,
}

/// The metrics of one backend.
#[derive(Debug)]
pub(crate) struct BackendMetrics {
    calls: [[Counter; Outcome::COUNT]; MethodKind::COUNT],
    durations: [Histogram; MethodKind::COUNT],
    states: [Gauge; BackendState::ALL.len()],
    /// Client sessions open to it.
    pub(crate) sessions: Gauge,
}

/// A method, as a label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MethodKind {
    /// `tools/call`.
    ToolsCall,
    /// `resources/read`.
    ResourcesRead,
    /// `prompts/get`.
    PromptsGet,
    /// `completion/complete`.
    Complete,
    /// Any other.
    Other,
}

/// How a call ended, as a label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The backend gave a result.
    Ok,
    /// The backend gave an error.
    Error,
    /// There was no answer.
    Failed,
    /// There was no answer in time.
    Timeout,
    /// The caller took it back.
    Cancelled,
}

// === impl Metrics ===

impl Metrics {
    pub(crate) fn new() -> Self {
        Self {
            calls: Family::default(),
            durations: Family::new_with_constructor(histogram),
            backend_sessions: Family::default(),
            states: Family::default(),
            sessions: Gauge::default(),
        }
    }

    /// Adds them to the registry that `/metrics` encodes.
    pub fn register(&self, registry: &mut Registry) {
        registry.register(
            "vmcp_backend_calls",
            "Calls forwarded to backends, by how they ended",
            self.calls.clone(),
        );
        registry.register(
            "vmcp_backend_call_duration_seconds",
            "From forwarding a call to the begin of its response",
            self.durations.clone(),
        );
        registry.register(
            "vmcp_backend_sessions",
            "Client sessions that hold a session to the backend",
            self.backend_sessions.clone(),
        );
        registry.register("vmcp_backend_state", "1 for the backend's state", self.states.clone());
        registry.register("vmcp_sessions", "Open client sessions", self.sessions.clone());
    }

    /// Binds the handles of one backend.
    pub(crate) fn bind(&self, id: &BackendId) -> BackendMetrics {
        let labels = |more: &[(&'static str, &str)]| -> Labels {
            let own = std::iter::once(("backend", id.as_str()));
            own.chain(more.iter().copied()).map(|(key, value)| (key, value.to_owned())).collect()
        };
        let bound = BackendMetrics {
            calls: MethodKind::ALL.map(|method| {
                Outcome::ALL.map(|outcome| {
                    let more = [("method", method.as_str()), ("outcome", outcome.as_str())];
                    self.calls.get_or_create_owned(&labels(&more))
                })
            }),
            durations: MethodKind::ALL.map(|method| {
                self.durations.get_or_create_owned(&labels(&[("method", method.as_str())]))
            }),
            states: BackendState::ALL.map(|state| {
                self.states.get_or_create_owned(&labels(&[("state", state.as_str())]))
            }),
            sessions: self.backend_sessions.get_or_create_owned(&labels(&[])),
        };
        bound.state(BackendState::Connecting);
        bound
    }
}

/// From 1 ms to a minute.
fn histogram() -> Histogram {
    Histogram::new([
        0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0,
    ])
}

// === impl BackendMetrics ===

impl BackendMetrics {
    /// A call ended.
    pub(crate) fn call(&self, method: MethodKind, outcome: Outcome, after: Duration) {
        self.calls[method as usize][outcome as usize].inc();
        self.durations[method as usize].observe(after.as_secs_f64());
    }

    /// The backend's state is another one.
    pub(crate) fn state(&self, now: BackendState) {
        for (state, gauge) in BackendState::ALL.iter().zip(&self.states) {
            gauge.set(i64::from(*state == now));
        }
    }
}

// === impl MethodKind ===

impl MethodKind {
    const COUNT: usize = 5;
    const ALL: [Self; Self::COUNT] =
        [Self::ToolsCall, Self::ResourcesRead, Self::PromptsGet, Self::Complete, Self::Other];

    /// The label of a method.
    pub(crate) fn of(name: &str) -> Self {
        match name {
            method::TOOLS_CALL => Self::ToolsCall,
            method::RESOURCES_READ => Self::ResourcesRead,
            method::PROMPTS_GET => Self::PromptsGet,
            method::COMPLETION_COMPLETE => Self::Complete,
            _ => Self::Other,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::ToolsCall => method::TOOLS_CALL,
            Self::ResourcesRead => method::RESOURCES_READ,
            Self::PromptsGet => method::PROMPTS_GET,
            Self::Complete => method::COMPLETION_COMPLETE,
            Self::Other => "other",
        }
    }
}

// === impl Outcome ===

impl Outcome {
    const COUNT: usize = 5;
    const ALL: [Self; Self::COUNT] =
        [Self::Ok, Self::Error, Self::Failed, Self::Timeout, Self::Cancelled];

    /// The label of a failure.
    pub(crate) fn of(error: &CallError) -> Self {
        match error.kind {
            ErrorKind::Timeout(_) => Self::Timeout,
            ErrorKind::Cancelled => Self::Cancelled,
            _ => Self::Failed,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Error => "error",
            Self::Failed => "failed",
            Self::Timeout => "timeout",
            Self::Cancelled => "cancelled",
        }
    }
}
