//! What all requests without a session share.

use std::pin::Pin;
use std::sync::Arc;

use tokio::time::Instant;
use vmcp_auth::{Caller, Identity, IdentityKind};
use vmcp_backend::ClientHello;
use vmcp_config::Config;
use vmcp_gateway::Gateway;
use vmcp_wire::revision::Revision;

use super::Lone;
use super::park::Parked;
use super::state::States;
use crate::admit::{Gate, Place};
use crate::respond::Rejection;
use crate::session::{Guests, Visit};
use crate::tasks::Tasks;

/// What all requests without a session share.
pub(crate) struct Hall {
    pub(super) config: Arc<Config>,
    pub(super) gateway: Arc<Gateway>,
    pub(super) tasks: Tasks,
    pub(super) parked: Parked,
    pub(super) states: States,
    /// Streams of messages outside calls.
    listens: Gate,
    guests: Guests,
}

// === impl Hall ===

impl Hall {
    pub(crate) fn new(config: Arc<Config>, gateway: Arc<Gateway>, tasks: Tasks) -> Self {
        Self {
            parked: Parked::new(&config),
            states: States::new(&config),
            listens: Gate::new(config.session.max_sessions),
            guests: Guests::new(&config, tasks.clone()),
            config,
            gateway,
            tasks,
        }
    }

    /// What is kept for callers like this one.
    ///
    /// Cancel safe: whoever asks next goes on with opening it.
    pub(crate) fn visit<'a>(
        &'a self,
        caller: Caller,
        lone: &'a Lone,
    ) -> Pin<Box<dyn Future<Output = Result<Visit, Rejection>> + Send + 'a>> {
        Box::pin(self.enter(caller, lone))
    }

    async fn enter(&self, caller: Caller, lone: &Lone) -> Result<Visit, Rejection> {
        let (capabilities, client_info) = lone.client();
        let hello = ClientHello {
            revision: Revision::STATELESS,
            capabilities: capabilities.clone(),
            client_info: client_info.clone(),
        };
        let visit = self.guests.visit(&self.gateway, caller, hello).await;
        visit.ok_or_else(|| Rejection::busy("too many clients"))
    }

    /// A place for one more stream of messages outside calls.
    pub(super) fn listener(&self, caller: &Caller) -> Option<Place> {
        // Where nobody is known, one principal is everybody.
        let known = |identity: &&Arc<Identity>| identity.kind() != IdentityKind::Anonymous;
        let identity = caller.identity.as_ref().filter(known);
        let open = identity.map_or(0, |identity| self.guests.streams_of(identity));
        if open >= self.config.session.max_listens {
            return None;
        }
        self.listens.enter()
    }

    /// Closes what has not been used for long enough.
    pub(crate) fn sweep(&self, now: Instant) {
        self.guests.sweep(now);
    }
}
