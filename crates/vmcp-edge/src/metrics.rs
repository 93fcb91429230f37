//! What the edge counts, and the registry that `/metrics` encodes.
//!
//! Every label has a fixed set of values, and every handle is bound once: a request looks up no label.

use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use tokio::time::Instant;

use crate::session::outbox::Kind;
use crate::stack::Stage;

mod method;

pub(crate) use method::MethodKind;

/// Upper bounds of the buckets of durations, in seconds.
const BUCKETS: [f64; 12] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 1.0, 5.0, 30.0, 120.0];

/// The edge's metrics, and the registry they live in.
pub struct Metrics {
    registry: Registry,
    /// By method and outcome.
    calls: Vec<[Counter; Outcome::ALL.len()]>,
    durations: Vec<Histogram>,
    refusals: Family<StageLabel, Counter>,
    connections: Gauge,
    call_streams: Gauge,
    standalone_streams: Gauge,
    sessions: Gauge,
}

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// With a result.
    Ok,
    /// With a backend's error.
    Error,
    /// With an error of ours.
    Failed,
    /// The client took it back.
    Cancelled,
    /// It reached no end.
    Abandoned,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CallLabels {
    method: &'static str,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct MethodLabel {
    method: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StageLabel {
    stage: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StreamLabel {
    kind: &'static str,
}

/// Counts one call exactly once, however it ends.
pub(crate) struct Meter {
    metrics: Arc<Metrics>,
    method: MethodKind,
    started: Instant,
    outcome: Outcome,
}

/// Counts something as open until it is dropped.
pub(crate) struct OpenStream(Gauge<i64, AtomicI64>);

// === impl Metrics ===

impl Metrics {
    /// Adds the edge's metrics to `registry` (which may already hold others) and keeps it for `/metrics`.
    pub fn new(mut registry: Registry) -> Self {
        let (connections, sessions) = (Gauge::default(), Gauge::default());
        let refusals = Family::<StageLabel, Counter>::default();
        let calls = Family::<CallLabels, Counter>::default();
        let durations =
            Family::<MethodLabel, Histogram>::new_with_constructor(|| Histogram::new(BUCKETS));
        let streams = Family::<StreamLabel, Gauge>::default();

        let edge = registry.sub_registry_with_prefix("vmcp_edge");
        edge.register("connections", "Connections from clients", connections.clone());
        edge.register("sessions", "Open client sessions", sessions.clone());
        edge.register("streams", "Open event streams", streams.clone());
        edge.register("refusals", "Requests refused, by the stage that refused", refusals.clone());
        edge.register("calls", "Calls of clients", calls.clone());
        edge.register("call_seconds", "From a call to the end of its answer", durations.clone());

        let stream = |kind| streams.get_or_create(&StreamLabel { kind }).clone();
        let counter = |method: MethodKind, outcome: Outcome| {
            let labels = CallLabels { method: method.label(), outcome: outcome.label() };
            calls.get_or_create(&labels).clone()
        };
        Self {
            calls: MethodKind::all()
                .map(|method| Outcome::ALL.map(|outcome| counter(method, outcome)))
                .collect(),
            durations: MethodKind::all()
                .map(|method| {
                    durations.get_or_create(&MethodLabel { method: method.label() }).clone()
                })
                .collect(),
            call_streams: stream("call"),
            standalone_streams: stream("standalone"),
            refusals,
            connections,
            sessions,
            registry,
        }
    }

    /// Begins to count a call.
    pub(crate) fn call(self: &Arc<Self>, method: MethodKind) -> Meter {
        let metrics = Arc::clone(self);
        Meter { metrics, method, started: Instant::now(), outcome: Outcome::Abandoned }
    }

    pub(crate) fn refused(&self, stage: Stage) {
        self.refusals.get_or_create(&StageLabel { stage: stage.label() }).inc();
    }

    pub(crate) fn open_stream(&self, kind: Kind) -> OpenStream {
        OpenStream::new(match kind {
            Kind::Call => &self.call_streams,
            Kind::Standalone => &self.standalone_streams,
        })
    }

    pub(crate) fn open_connection(&self) -> OpenStream {
        OpenStream::new(&self.connections)
    }

    /// Everything in the registry as text.
    pub(crate) fn text(&self, sessions: usize) -> Result<String, std::fmt::Error> {
        self.sessions.set(i64::try_from(sessions).unwrap_or(i64::MAX));
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

// === impl Outcome ===

impl Outcome {
    const ALL: [Self; 5] = [Self::Ok, Self::Error, Self::Failed, Self::Cancelled, Self::Abandoned];

    fn label(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Error => "error",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Abandoned => "abandoned",
        }
    }
}

// === impl Meter ===

impl Meter {
    /// The call has its outcome; it lasts until the meter is dropped.
    pub(crate) fn end(&mut self, outcome: Outcome) {
        self.outcome = outcome;
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        let at = self.method.index();
        if let Some(counter) = self.metrics.calls[at].get(self.outcome as usize) {
            counter.inc();
        }
        self.metrics.durations[at].observe(self.started.elapsed().as_secs_f64());
    }
}

// === impl OpenStream ===

impl OpenStream {
    fn new(gauge: &Gauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        self.0.dec();
    }
}
