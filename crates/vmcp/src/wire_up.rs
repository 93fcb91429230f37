//! How the parts are put together: one straight line, nothing is set later.

use std::sync::Arc;

use prometheus_client::registry::Registry;
use vmcp_auth::OutgoingAuthRegistry;
use vmcp_backend::Connector;
use vmcp_config::Config;
use vmcp_edge::{Bounds, Metrics};
use vmcp_gateway::Gateway;
use vmcp_net::Client;

use crate::sources::Setup;

/// The running parts.
pub(crate) struct Wired {
    pub(crate) config: Arc<Config>,
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) metrics: Metrics,
}

/// Starts the gateway; the caller puts a front before it.
pub(crate) fn wire_up(setup: Setup) -> Wired {
    let config = Arc::new(setup.config);
    let connector = Connector::new(Client::new(), OutgoingAuthRegistry::new());
    let gateway = Gateway::start(config.clone(), setup.targets, Arc::new(connector));
    let mut registry = Registry::default();
    gateway.metrics().register(&mut registry);
    Wired { config, gateway, metrics: Metrics::new(registry) }
}

/// The edge's bounds, all of them from the configuration.
pub(crate) fn bounds(config: &Config) -> Bounds {
    let (limits, timeouts) = (&config.limits, &config.timeouts);
    Bounds {
        max_headers: limits.max_headers,
        max_requests: limits.max_requests,
        max_body_memory: limits.max_body_memory,
        max_multiplexed: u32::try_from(limits.max_multiplexed).unwrap_or(u32::MAX),
        read_body: timeouts.read_body,
        write: timeouts.write,
        replay_bytes: limits.replay_bytes,
        replay_keep: timeouts.replay,
        max_questions: limits.max_questions,
        answer: timeouts.answer,
        abandoned: timeouts.abandoned,
        retry: timeouts.retry,
        retry_after: timeouts.retry_after,
        hosts: config.listen.hosts.clone(),
        origins: config.listen.origins.clone(),
    }
}
