//! Lists through a client's own backend session after that announced a change.
//!
//! One listing at a time for one session, a few for one backend; announcements meanwhile cause one more. The task
//! lives only while there is something to list.

use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use tokio::sync::SetOnce;
use tokio::time::{Instant, sleep_until};
use vmcp_backend::ErrorKind;

use super::Client;
use super::overlay::Own;
use crate::catalogue::settle::Settle;
use crate::catalogue::{Inventory, Slot, Stamp};
use crate::core::Core;

/// Hears that the lists of one client's session to one backend changed.
pub(super) struct Ear {
    core: Weak<Core>,
    client: u64,
    backend: usize,
    /// Protects what is under way; held to read or to write it only.
    state: Mutex<State>,
    /// Set when a listing has ended.
    ended: SetOnce<()>,
}

struct State {
    /// A task lists, or is about to.
    busy: bool,
    /// A change was announced after the last listing began.
    again: bool,
    /// The least time between two listings.
    settle: Settle,
    /// Not before.
    earliest: Instant,
    /// The next listing waits for nothing: the client does not know the backend at all.
    at_once: bool,
    /// The backend refused to list when the client had made so many requests of its own.
    refused: Option<u64>,
}

// === impl Ear ===

impl Ear {
    pub(super) fn new(core: &Arc<Core>, client: &Client, slot: &Slot) -> Arc<Self> {
        let state = State {
            busy: false,
            again: false,
            settle: Settle::new(core.config.timeouts.settle),
            earliest: Instant::now(),
            at_once: false,
            refused: None,
        };
        Arc::new(Self {
            core: Arc::downgrade(core),
            client: client.id,
            backend: slot.index,
            state: Mutex::new(state),
            ended: SetOnce::new(),
        })
    }

    /// Lists without waiting for further announcements. Never blocks.
    pub(super) fn at_once(self: &Arc<Self>) {
        self.state.lock().at_once = true;
        self.heard();
    }

    /// Returns once a listing has ended, well or not. Cancel-safe.
    pub(super) async fn listed(&self) {
        self.ended.wait().await;
    }

    /// A change was announced. Never blocks.
    pub(super) fn heard(self: &Arc<Self>) {
        let Some(core) = self.core.upgrade() else { return };
        if self.state.lock().begin() {
            core.spawner.clone().spawn(attend(core, self.clone()));
        }
    }

    /// Lists again if the backend refused to: the client's credentials may be newer now. Never blocks.
    pub(super) fn retry(self: &Arc<Self>) {
        if self.state.lock().refused.is_some() {
            self.heard();
        }
    }

    /// The session is lost: what it offered goes with it. Never blocks.
    ///
    /// Where nobody else knows what there is to call, the client would never use the session again: it is listed anew,
    /// which opens it.
    pub(super) fn lost(self: &Arc<Self>) {
        let Some(core) = self.core.upgrade() else { return };
        if core.catalogue.slots[self.backend].per_caller {
            return self.heard();
        }
        let (client, backend) = (self.client, self.backend);
        core.spawner.clone().spawn(async move {
            if let Some(session) = core.registry.find(client) {
                session.forget(backend);
            }
        });
    }

    /// Lists once. Tells whether the list is new.
    async fn list(self: &Arc<Self>, core: &Core) -> bool {
        // The session itself is not held meanwhile: its client may leave.
        let found = core.registry.find(self.client);
        let found = found.map(|session| (session.links.clone(), session.client.clone()));
        let Some((links, client)) = found else { return false };
        let (caller, requests) = client.caller();
        let slot = &core.catalogue.slots[self.backend];
        let Some(link) = links.opened_in_time(self.backend).await else { return false };
        let Ok(_turn) = slot.listings.acquire().await else { return false };
        // Known before the listing: what the catalogue learns meanwhile may be newer.
        let base = slot.offered(client.family());
        let at = Instant::now();
        let list = match link.with(caller).list().await {
            Ok(list) => list,
            Err(error) => {
                tracing::debug!(backend = %slot.target.id, %error, "a client's session was not listed");
                let refused =
                    matches!(error.kind, ErrorKind::Unauthorized | ErrorKind::NoCredentials(_));
                if slot.per_caller && refused && self.state.lock().refuse(requests) {
                    // It was the client's alone, and is not the client's any more.
                    let session = core.registry.find(self.client);
                    session.inspect(|session| session.forget(self.backend));
                }
                return false;
            }
        };
        self.state.lock().refused = None;
        let stamp = Stamp::new(slot, &link, &list, at, None);
        let inventory = slot.keep_own(Inventory::read(link.hello(), list));
        let own = Own::new(self.backend, inventory, base, stamp, self.clone());
        core.registry.find(self.client).is_some_and(|session| session.listed(own))
    }
}

/// Lists until nothing was announced meanwhile.
async fn attend(core: Arc<Core>, ear: Arc<Ear>) {
    loop {
        let due = ear.state.lock().due();
        sleep_until(due).await;
        ear.state.lock().again = false;
        let changed = ear.list(&core).await;
        // Fails if it is set, as it may be.
        let _ = ear.ended.set(());
        if !ear.state.lock().end(changed) {
            return;
        }
    }
}

// === impl State ===

impl State {
    /// Notes an announcement. Tells whether a task has to be started.
    fn begin(&mut self) -> bool {
        self.again = true;
        !std::mem::replace(&mut self.busy, true)
    }

    /// The backend refused to list, to a client that had made so many requests of its own. Tells whether that counts:
    /// credentials of a client that is idle may just be old, so it takes a second refusal with those of a later request.
    fn refuse(&mut self, requests: u64) -> bool {
        let first = *self.refused.get_or_insert(requests);
        requests > first
    }

    fn due(&mut self) -> Instant {
        let now = Instant::now();
        if std::mem::take(&mut self.at_once) {
            return now;
        }
        // It was quiet for long enough.
        if now > self.earliest + self.settle.time() {
            self.settle.reset();
        }
        self.earliest.max(now + self.settle.least())
    }

    /// A listing ended. Tells whether there has to be another.
    fn end(&mut self, changed: bool) -> bool {
        self.settle.listed(changed);
        self.earliest = Instant::now() + self.settle.time();
        self.busy = self.again;
        self.busy
    }
}
