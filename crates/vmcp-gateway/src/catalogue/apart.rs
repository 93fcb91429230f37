//! What a backend that speaks both ways offers to clients without a session.
//!
//! The catalogue's own session shakes hands where it can. A backend that also answers without that may offer something
//! else there: an extension, other capabilities, tools that are written differently. So it is asked what it is at each
//! listing, which is one request. It is listed a second time only if that may bring something else: at the first time,
//! when what it says of itself or its other list is new, and always where the two differed before.

use std::sync::Arc;

use tokio::time::Instant;
use vmcp_auth::Caller;
use vmcp_backend::Session;
use vmcp_wire::revision::{Family, Revision};

use super::refresher::{Because, hello, sink};
use super::{Inventory, Scope, Slot, Stamp};
use crate::core::Core;

/// Finds out, after the backend was listed through `own`, the catalogue's own session; `changed` tells whether that was
/// new. Tells whether something is new here.
pub(super) async fn refresh(
    core: &Arc<Core>,
    slot: &Arc<Slot>,
    own: &Session,
    because: Because,
    changed: bool,
) -> bool {
    // The one session of a shared backend is everybody's.
    if slot.scope == Scope::Shared || own.hello().revision.family() == Family::Stateless {
        return nothing(core, slot);
    }
    let Some(known) = slot.inventory.load_full() else { return false };
    let before = slot.apart();
    let is_quiet = known.apart.is_none() && !changed;
    let asked_before = slot.asks_apart();
    if slot.scope == Scope::PerSessionClosed && is_quiet && asked_before {
        // Asking would start one more process each time.
        return false;
    }
    let at = Instant::now();
    let (session, news) = match (before, because) {
        (Some(session), Because::Announced) => (Some(session), false),
        (before, _) => match ask(core, slot, before).await {
            Some(asked) => asked,
            None => return false,
        },
    };
    let Some(session) = session else { return nothing(core, slot) };
    if because == Because::Due {
        slot.stamp(|stamps| stamps.apart = stamps.apart.map(|stamp| stamp.introduced(at)));
    }
    let unexplained = because == Because::Announced && !changed;
    if is_quiet && !news && !unexplained {
        // What was listed through the other session was the same again, at about this time.
        slot.stamp(|stamps| stamps.apart = stamps.apart.map(|stamp| stamp.again(at)));
        return false;
    }
    let asked = match because == Because::Due || news {
        true => Some(at),
        false => slot.stamps().apart.and_then(|stamp| stamp.introduced_at()),
    };
    list(core, slot, &session, &known, asked).await
}

/// Asks what the backend is. Gives its session, if it has one to give, and whether that is a new one; `None` if nothing can
/// be told.
async fn ask(
    core: &Arc<Core>,
    slot: &Arc<Slot>,
    before: Option<Session>,
) -> Option<(Option<Session>, bool)> {
    let (hello, sink) = (hello(core, Revision::STATELESS), sink(core, slot));
    let caller = Caller::default();
    let opened = core.connector.open_strictly(&slot.target, caller, hello, Some(sink)).await;
    match opened {
        Ok(Some(session)) => match before {
            Some(before) if says_the_same(&before, &session) => Some((Some(before), false)),
            _ => {
                replace(core, slot, Some(session.clone()));
                Some((Some(session), true))
            }
        },
        Ok(None) => {
            replace(core, slot, None);
            Some((None, true))
        }
        Err(error) => {
            tracing::debug!(backend = %slot.target.id, %error, "the backend does not say what it is");
            None
        }
    }
}

async fn list(
    core: &Arc<Core>,
    slot: &Arc<Slot>,
    session: &Session,
    known: &Inventory,
    asked: Option<Instant>,
) -> bool {
    let at = Instant::now();
    let listed = session.list().await;
    if listed.is_err() || slot.scope == Scope::PerSessionClosed {
        replace(core, slot, None);
    }
    let listed = match listed {
        Ok(listed) => {
            let stamp = Stamp::new(slot, session, &listed, at, asked);
            slot.stamp(|stamps| stamps.apart = Some(stamp));
            Inventory::read(session.hello(), listed)
        }
        Err(error) => {
            tracing::debug!(backend = %slot.target.id, %error, "the backend is not listed anew");
            return false;
        }
    };
    if listed.same_as(known) {
        return learn(core, slot, None);
    }
    if slot.scope == Scope::PerSession {
        session.listen();
    }
    learn(core, slot, Some(listed))
}

/// There is nothing that is offered to clients without a session only.
fn nothing(core: &Core, slot: &Slot) -> bool {
    slot.stamp(|stamps| stamps.apart = None);
    learn(core, slot, None)
}

/// Takes what is offered to clients without a session, if it is something else. Tells whether it is new.
fn learn(core: &Core, slot: &Slot, apart: Option<Inventory>) -> bool {
    let Some(known) = slot.inventory.load_full() else { return false };
    let is_same = match (&known.apart, &apart) {
        (Some(known), Some(now)) => known.same_as(now),
        (None, None) => true,
        _ => false,
    };
    if is_same {
        return false;
    }
    let now = Inventory { apart: apart.map(Arc::new), ..Inventory::clone(&known) };
    core.catalogue.learn(&core.config.aggregation, slot, Some(Arc::new(now)));
    true
}

fn replace(core: &Core, slot: &Slot, session: Option<Session>) {
    if let Some(before) = slot.keep_apart(session) {
        core.spawner.spawn(async move { before.close().await });
    }
}

/// Whether the backend says the same of itself in both sessions.
pub(super) fn says_the_same(one: &Session, other: &Session) -> bool {
    let (one, other) = (one.hello(), other.hello());
    one.revision == other.revision
        && one.capabilities == other.capabilities
        && one.server_info == other.server_info
        && one.instructions == other.instructions
}
