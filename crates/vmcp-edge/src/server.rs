//! The server: accept, serve, drain.

use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::time::Instant;
use vmcp_config::Config;
use vmcp_gateway::Gateway;

use crate::edge::Edge;
use crate::listen::{self, Crew};
use crate::metrics::Metrics;
use crate::tls::Tls;

/// How often sessions are looked through for what is over.
const SWEEP: Duration = Duration::from_secs(5);

/// One MCP endpoint over HTTP.
pub struct Server {
    config: Arc<Config>,
    gateway: Arc<Gateway>,
    metrics: Metrics,
    runtimes: Vec<Handle>,
    tls: Option<Tls>,
}

// === impl Server ===

impl Server {
    /// A server for one gateway. Binds nothing yet.
    pub fn new(config: Arc<Config>, gateway: Arc<Gateway>, metrics: Metrics) -> Self {
        Self { config, gateway, metrics, runtimes: Vec::new(), tls: None }
    }

    /// Serves the connections on these runtimes, and not on the one that accepts them; each has about as many. They must
    /// live as long as the gateway.
    ///
    /// Where each of them is one thread, a call needs no other thread than the one that read it.
    #[must_use]
    pub fn on(mut self, runtimes: &[Handle]) -> Self {
        self.runtimes = runtimes.to_vec();
        self
    }

    /// Speaks TLS, and nothing else, on all listeners. The files are looked at every `config.timeouts.certificates`.
    #[must_use]
    pub fn with_tls(mut self, tls: Option<Tls>) -> Self {
        self.tls = tls;
        self
    }

    /// Serves on already bound listeners until `shutdown` fires, then drains for at most
    /// `config.timeouts.drain` and returns. The gateway is left to its owner to close.
    ///
    /// Draining: no connection is accepted, streams outside calls end, calls in flight finish. Dropping the
    /// future instead ends nothing in order.
    pub async fn run(self, listeners: Vec<TcpListener>, shutdown: impl Future<Output = ()> + Send) {
        let grace = self.config.timeouts.drain;
        let metrics = Arc::new(self.metrics);
        let crew = Crew::new(self.runtimes);
        let edge = Arc::new(Edge::new(self.config, self.gateway, metrics, crew, self.tls));
        for listener in listeners {
            edge.tasks.run(listen::accept(Arc::clone(&edge), listener));
        }
        edge.tasks.run(sweep(Arc::clone(&edge)));
        edge.tasks.run(renew(Arc::clone(&edge)));
        shutdown.await;
        let tasks = edge.tasks.clone();
        tasks.drain();
        for session in edge.sessions.all() {
            session.client().outbox.end_standalone();
        }
        tasks.stop(grace).await;
    }
}

/// Has the files of certificates looked at until no new connection is taken.
async fn renew(edge: Arc<Edge>) {
    let Some(tls) = &edge.tls else { return };
    tokio::select! {
        () = edge.tasks.draining().cancelled() => {}
        () = tls.watch(edge.config.timeouts.certificates) => {}
    }
}

/// Ends idle sessions, and forgets what was kept for too long.
async fn sweep(edge: Arc<Edge>) {
    let period = SWEEP.min(edge.config.session.idle / 4).max(Duration::from_millis(10));
    loop {
        tokio::select! {
            () = edge.tasks.draining().cancelled() => return,
            () = tokio::time::sleep(period) => {}
        }
        edge.hall.sweep(Instant::now());
        for session in edge.sessions.sweep(Instant::now()) {
            tracing::debug!(id = ?session.id(), "a session was idle for too long");
            session.close(&edge);
        }
    }
}
