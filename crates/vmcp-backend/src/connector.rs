//! From a target to a session.

use std::sync::Arc;

use vmcp_auth::{Identity, OutgoingAuthRegistry};
use vmcp_net::Client;

use crate::{BackendTarget, ClientHello, ConnectError, ConnectErrorKind, Session, Sink};

/// Opens sessions. One per process: it holds the connection pools and what was learnt about targets.
pub struct Connector {
    client: Client,
    strategies: OutgoingAuthRegistry,
}

// === impl Connector ===

impl Connector {
    /// A connector that dials with `client` and authenticates with `strategies`.
    pub fn new(client: Client, strategies: OutgoingAuthRegistry) -> Self {
        Self { client, strategies }
    }

    /// Opens a session and shakes hands, within the target's connect timeout.
    ///
    /// # Cancel safety
    /// Safe: a dropped future leaves nothing behind but perhaps a session at the backend that nobody uses.
    pub async fn connect(
        &self,
        target: &Arc<BackendTarget>,
        identity: Option<Arc<Identity>>,
        hello: ClientHello,
        sink: Option<Sink>,
    ) -> Result<Session, ConnectError> {
        let _ = (&self.client, &self.strategies, identity, hello, sink);
        let kind = ConnectErrorKind::Unreachable("not yet".to_owned());
        Err(ConnectError { backend: target.id.clone(), kind })
    }
}
