//! Lists through a client's own backend session after that announced a change.
//!
//! One listing at a time for one session, a few for one backend; announcements meanwhile cause one more. One that fails is
//! tried again a few times, later and later, or at once when there is another announcement. The task lives only while
//! there is something to list.

use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{Notify, SetOnce};
use tokio::time::{Instant, sleep_until};
use vmcp_backend::ErrorKind;

use super::Client;
use super::overlay::Own;
use crate::catalogue::settle::Settle;
use crate::catalogue::{Inventory, Slot, Stamp, pause};
use crate::core::Core;

/// Listings that may fail in a row. After the last one the next announcement is waited for: no setting, since a backend
/// that fails for so long has more to say before it can be used.
const MOST_FAILURES: u32 = 8;

/// Hears that the lists of one client's session to one backend changed.
pub(super) struct Ear {
    core: Weak<Core>,
    client: u64,
    backend: usize,
    /// Protects what is under way; held to read or to write it only.
    state: Mutex<State>,
    /// Set when a listing has ended.
    ended: SetOnce<()>,
    /// Told when something was announced while the next attempt is waited for.
    woken: Notify,
}

/// How a listing ended.
enum Listed {
    /// Tells whether the list is new.
    Well { changed: bool },
    /// The client has left, or may not list: only it can change that.
    Never,
    /// Perhaps it goes well the next time.
    Failed,
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
    /// Listings that failed in a row.
    failures: u32,
    /// A listing failed, and the next attempt is due then.
    retry: Option<Instant>,
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
            failures: 0,
            retry: None,
            at_once: false,
            refused: None,
        };
        Arc::new(Self {
            core: Arc::downgrade(core),
            client: client.id,
            backend: slot.index,
            state: Mutex::new(state),
            ended: SetOnce::new(),
            woken: Notify::new(),
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
        } else {
            self.woken.notify_one();
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

    /// Lists once.
    async fn list(self: &Arc<Self>, core: &Core) -> Listed {
        // The session itself is not held meanwhile: its client may leave.
        let found = core.registry.find(self.client);
        let found = found.map(|session| (session.links.clone(), session.client.clone()));
        let Some((links, client)) = found else { return Listed::Never };
        let (caller, requests) = client.caller();
        let slot = &core.catalogue.slots[self.backend];
        let Some(link) = links.opened_in_time(self.backend).await else { return Listed::Never };
        let Ok(_turn) = slot.listings.acquire().await else { return Listed::Never };
        // Known before the listing: what the catalogue learns meanwhile may be newer.
        let base = slot.offered(client.family());
        let at = Instant::now();
        let list = match link.with(caller).list().await {
            Ok(list) => list,
            Err(error) => {
                tracing::debug!(backend = %slot.target.id, %error, "a client's session was not listed");
                let refused =
                    matches!(error.kind, ErrorKind::Unauthorized | ErrorKind::NoCredentials(_));
                if !slot.per_caller || !refused {
                    return Listed::Failed;
                }
                if self.state.lock().refuse(requests) {
                    // It was the client's alone, and is not the client's any more.
                    let session = core.registry.find(self.client);
                    session.inspect(|session| session.forget(self.backend));
                }
                return Listed::Never;
            }
        };
        self.state.lock().refused = None;
        let stamp = Stamp::new(slot, &link, &list, at, None);
        let inventory = slot.keep_own(Inventory::read(link.hello(), list));
        let own = Own::new(self.backend, inventory, base, stamp, self.clone());
        let session = core.registry.find(self.client);
        Listed::Well { changed: session.is_some_and(|session| session.listed(own)) }
    }

    /// Waits until the next listing is due.
    async fn due(&self) {
        loop {
            // Before the look, so that what is announced after it is not missed.
            let woken = self.woken.notified();
            let (due, is_retry) = self.state.lock().due();
            tokio::select! {
                () = sleep_until(due) => return,
                () = woken, if is_retry => {}
            }
        }
    }
}

/// Lists until nothing was announced meanwhile.
async fn attend(core: Arc<Core>, ear: Arc<Ear>) {
    let timeouts = &core.config.timeouts;
    loop {
        ear.due().await;
        ear.state.lock().start();
        let listed = ear.list(&core).await;
        // Fails if it is set, as it may be.
        let _ = ear.ended.set(());
        let goes_on = ear
            .state
            .lock()
            .end(&listed, |failures| pause(failures, timeouts.reconnect, timeouts.max_reconnect));
        if !goes_on {
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

    /// When the next listing is due, and whether that is only because one failed.
    fn due(&mut self) -> (Instant, bool) {
        let now = Instant::now();
        if std::mem::take(&mut self.at_once) {
            return (now, false);
        }
        if let Some(retry) = self.retry.filter(|_| !self.again) {
            return (retry, true);
        }
        // It was quiet for long enough.
        if now > self.earliest + self.settle.time() {
            self.settle.reset();
        }
        (self.earliest.max(now + self.settle.least()), false)
    }

    /// A listing begins.
    fn start(&mut self) {
        (self.again, self.retry) = (false, None);
    }

    /// A listing ended. Tells whether there has to be another.
    fn end(&mut self, listed: &Listed, pause: impl FnOnce(u32) -> Duration) -> bool {
        let now = Instant::now();
        match listed {
            Listed::Well { changed } => {
                self.settle.listed(*changed);
                self.failures = 0;
            }
            Listed::Never => self.failures = 0,
            Listed::Failed => {
                self.failures += 1;
                let is_last = self.failures >= MOST_FAILURES;
                self.retry = (!is_last).then(|| now + pause(self.failures));
                if is_last {
                    self.failures = 0;
                }
            }
        }
        self.earliest = now + self.settle.time();
        self.busy = self.again || self.retry.is_some();
        self.busy
    }
}
