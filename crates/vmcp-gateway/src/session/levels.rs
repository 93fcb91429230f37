//! What a client's backend sessions are told of the log messages that it wants, and where they are heard for it.

use vmcp_backend::{Call, Session};
use vmcp_wire::method;

use super::Client;
use crate::catalogue::{Offers, Scope, Slot};
use crate::level::Level;
use crate::route;

/// Whether a backend has to be heard outside calls for the sake of the client's calls: what it asks there it would wait
/// for, and what it logs there would be lost.
pub(super) fn has_to_be_heard(slot: &Slot, session: &Session, client: &Client) -> bool {
    let logs = || client.level().is_some() && logs(slot, session, client);
    client.hears_in_calls() && slot.scope != Scope::Shared && (client.can_be_asked() || logs())
}

fn logs(slot: &Slot, session: &Session, client: &Client) -> bool {
    match slot.offered(client.family()) {
        Some(known) => known.offers.logging,
        None => Offers::read(&session.hello()).logging,
    }
}

/// The client's level is another now: the backend is told, and heard where it logs.
pub(super) async fn leveled(slot: &Slot, session: &Session, client: &Client) {
    let heard = async {
        if has_to_be_heard(slot, session, client) {
            session.listen();
            session.listening().await;
        }
    };
    tokio::join!(push_level(slot, session, client), heard);
}

/// Asks a backend that logs for the level its client wants; a shared one for the most verbose anybody wants.
pub(super) async fn push_level(slot: &Slot, session: &Session, client: &Client) {
    let level: Option<Level> = match slot.scope {
        Scope::Shared => slot.hub.level(),
        Scope::PerSession | Scope::PerSessionClosed => client.level(),
    };
    if let (true, Some(level)) = (logs(slot, session, client), level) {
        let call = Call::new(method::LOGGING_SET_LEVEL, Some(level.params()));
        route::settle(session, call).await;
    }
}
