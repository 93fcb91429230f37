//! Two small MCP servers in this process: what `vmcp serve` has behind it when it is given nothing else.

use std::sync::Arc;

use vmcp_backend::{BackendTarget, DuplexFactory, Endpoint};

mod civil;
mod clock;
mod notes;
mod server;

use server::Service;

/// The demo's backends.
pub(crate) fn targets() -> Vec<Arc<BackendTarget>> {
    vec![target("clock", clock::Clock), target("notes", notes::Notes::new())]
}

fn target(name: &'static str, service: impl Service) -> Arc<BackendTarget> {
    let service = Arc::new(service);
    let open: DuplexFactory = Arc::new(move || server::open(service.clone()));
    Arc::new(BackendTarget::new(name, Endpoint::InProcess(open)))
}

#[cfg(test)]
mod tests;
