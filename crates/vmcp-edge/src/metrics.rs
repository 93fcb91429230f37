//! What the edge counts, and the registry that `/metrics` encodes.

use prometheus_client::registry::Registry;

/// The edge's metrics, and the registry they live in.
pub struct Metrics {
    registry: Registry,
}

impl Metrics {
    /// Adds the edge's metrics to `registry` (which may already hold others) and keeps it for `/metrics`.
    pub fn new(registry: Registry) -> Self {
        Self { registry }
    }
}
