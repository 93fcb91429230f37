//! How the parts are put together: one straight line, nothing is set later.

use std::sync::Arc;

use prometheus_client::registry::Registry;
use tokio::runtime::Handle;
use vmcp_auth::{AuthContext, OutgoingAuthRegistry, TokenCache, Verifier};
use vmcp_backend::Connector;
use vmcp_config::{Config, IncomingAuth};
use vmcp_edge::Metrics;
use vmcp_gateway::{Gateway, Index};
use vmcp_net::Client;

use crate::exit::Failure;
use crate::guard;
use crate::sources::Setup;
use crate::state::{self, Place};

/// The running parts.
pub(crate) struct Wired {
    pub(crate) config: Arc<Config>,
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) metrics: Metrics,
}

/// Starts the gateway; the caller puts a front before it. With an index, what backends offered to a vmcp before this one
/// is advertised until they say otherwise: that is for those who serve. Those who serve on runtimes of their own have the
/// pipes of processes there.
///
/// # Errors
/// If the key of stored credentials cannot be read.
pub(crate) fn wire_up(
    setup: Setup,
    index: Option<Index>,
    runtimes: &[Handle],
) -> Result<Wired, Failure> {
    let config = Arc::new(setup.config);
    if let IncomingAuth::Oidc(oidc) = &config.incoming_auth {
        // What it cannot work with is said now, not to the first caller.
        Verifier::new(oidc)
            .map_err(|why| Failure::Other(anyhow::anyhow!("incomingAuth: {why}")))?;
    }
    let auth = AuthContext {
        tokens: TokenCache::new(config.limits.max_tokens),
        store: state::credentials(Place::Wanted)?,
        ..AuthContext::default()
    };
    let connector = Connector::new(Client::new(), OutgoingAuthRegistry::with_context(auth));
    let connector = connector.with_pipes_on(runtimes);
    let connector = match guard::program() {
        Some(program) => connector.with_guard(program, guard::WORDS),
        None => connector,
    };
    let gateway = Gateway::resume(config.clone(), setup.targets, Arc::new(connector), index);
    let mut registry = Registry::default();
    gateway.metrics().register(&mut registry);
    Ok(Wired { config, gateway, metrics: Metrics::new(registry) })
}
