//! What all connections of one server share.

use std::sync::Arc;

use vmcp_config::Config;
use vmcp_gateway::Gateway;
use vmcp_wire::Limits;
use vmcp_wire::revision::Revision;

use crate::admit::Gate;
use crate::front::{Channels, Hall};
use crate::guard::body::Bodies;
use crate::guard::origin::Places;
use crate::identify::Doorman;
use crate::listen::Crew;
use crate::metrics::Metrics;
use crate::session::Sessions;
use crate::session::outbox::Rules;
use crate::tasks::Tasks;
use crate::tls::Tls;

/// The parts that stages work with.
pub(crate) struct Edge {
    pub(crate) config: Arc<Config>,
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) tasks: Tasks,
    pub(crate) crew: Crew,
    pub(crate) tls: Option<Tls>,
    pub(crate) places: Places,
    pub(crate) bodies: Bodies,
    pub(crate) doorman: Doorman,
    pub(crate) connections: Gate,
    pub(crate) requests: Gate,
    pub(crate) sessions: Sessions,
    pub(crate) limits: Limits,
    pub(crate) hall: Arc<Hall>,
    pub(crate) channels: Channels,
}

// === impl Edge ===

impl Edge {
    pub(crate) fn new(
        config: Arc<Config>,
        gateway: Arc<Gateway>,
        metrics: Arc<Metrics>,
        crew: Crew,
        tls: Option<Tls>,
    ) -> Self {
        let tasks = Tasks::default();
        let (shared, behind) = (Arc::clone(&config), Arc::clone(&gateway));
        Self {
            hall: Arc::new(Hall::new(shared, behind, tasks.clone())),
            channels: Channels::new(&config.listen),
            places: Places::new(&config.listen),
            bodies: Bodies::new(&config),
            doorman: Doorman::new(&config),
            connections: Gate::new(config.limits.max_connections),
            requests: Gate::new(config.limits.max_requests),
            sessions: Sessions::new(config.session.max_sessions, config.session.idle),
            limits: limits(&config),
            tasks,
            crew,
            tls,
            config,
            gateway,
            metrics,
        }
    }

    /// The rules of a client's streams under the revision it speaks.
    pub(crate) fn outbox_rules(&self, revision: Revision) -> Rules {
        Rules {
            max_streams: self.config.session.max_streams,
            max_queue: self.config.session.max_queue,
            replay_bytes: self.config.limits.replay_bytes,
            replay_keep: self.config.timeouts.replay,
            prime: revision.priming().then_some(self.config.timeouts.retry),
        }
    }
}

/// The bounds of one message from a client.
pub(crate) fn limits(config: &Config) -> Limits {
    Limits {
        max_bytes: config.limits.max_request_bytes,
        max_depth: config.limits.max_depth,
        max_batch: config.limits.max_batch,
    }
}
