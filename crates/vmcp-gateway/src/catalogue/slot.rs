//! One backend as the gateway holds it: its target, what it offers, how it is.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use parking_lot::Mutex;
use tokio::sync::{Notify, Semaphore, watch};
use tokio::time::{Instant, timeout};
use vmcp_auth::CredentialScope;
use vmcp_backend::{BackendTarget, Endpoint, Session};
use vmcp_config::{Config, ProcessScope, Transport};
use vmcp_wire::revision::Family;

use super::alike::Alike;
use super::fresh::{Least, Stamps};
use super::health::{Health, age};
use super::inventory::Inventory;
use crate::hub::Hub;
use crate::index::Index;
use crate::metrics::BackendMetrics;
use crate::naming::conflict::Capability;
use crate::status::{BackendState, BackendStatus};

/// After a restart with something kept, clients have the processors to themselves for so long. Then one backend after
/// the other is asked whether it still offers that, so long apart, the last ones not later than so long after the start.
/// No settings: nobody waits for it.
const HEAD_START: Duration = Duration::from_millis(50);
const BETWEEN: Duration = Duration::from_millis(2);
const LATEST_START: Duration = Duration::from_secs(1);

/// One backend.
pub(crate) struct Slot {
    /// Its place in the configuration.
    pub index: usize,
    /// Where and how it is reached.
    pub target: Arc<BackendTarget>,
    /// Whose its sessions are.
    pub scope: Scope,
    /// What it offers may depend on who asks: each client's session is opened early and listed for itself, and nothing
    /// of that is shown to anybody else.
    pub per_caller: bool,
    /// What it offers; `None` while that is not known, or not any more.
    pub inventory: ArcSwapOption<Inventory>,
    /// Wakes the refresher.
    pub wake: Notify,
    /// Bounds the listings through clients' own sessions: one announcement may reach all of them.
    pub listings: Semaphore,
    /// Everybody who shares the session of a shared backend.
    pub hub: Hub,
    /// What it offers to clients that list for themselves.
    pub own_lists: Alike<Inventory>,
    /// Counters bound to this backend.
    pub metrics: BackendMetrics,
    /// Protects how long what was listed is fresh; held to copy or to replace it.
    stamps: Mutex<Stamps>,
    /// Protects the outcome of attempts; held to read or to write it only.
    health: Mutex<Health>,
    /// The catalogue's own session; protects the handle, never held while it is used.
    own: Mutex<Option<Session>>,
    /// Another one of its own, without what a handshake leaves, with a backend that speaks both ways.
    apart: Mutex<Option<Session>>,
    /// Whether the backend was asked for that once.
    asked_apart: AtomicBool,
    sessions: AtomicUsize,
    /// What it offers was known from the start, from a vmcp before this one.
    pub restored: bool,
    /// The first attempt has come as far as a session, or to its end.
    met: watch::Sender<bool>,
    /// Somebody waits for that.
    wanted: Notify,
}

/// Whose a backend's sessions are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// One for the catalogue and all clients: there is one process.
    Shared,
    /// One for each client session, and one that the catalogue keeps open to hear of changes.
    PerSession,
    /// One for each client session, and one for the time of listing: an idle process would cost too much.
    PerSessionClosed,
}

// === impl Slot ===

impl Slot {
    /// A backend not yet tried.
    pub(crate) fn new(
        index: usize,
        target: Arc<BackendTarget>,
        config: &Config,
        credentials: CredentialScope,
        metrics: BackendMetrics,
    ) -> Self {
        let scope = Scope::of(&target, config);
        Self {
            index,
            // A process has no credentials of a caller.
            per_caller: scope == Scope::PerSession && credentials == CredentialScope::PerCaller,
            scope,
            target,
            inventory: ArcSwapOption::empty(),
            wake: Notify::new(),
            listings: Semaphore::new(config.limits.max_listings.min(Semaphore::MAX_PERMITS)),
            hub: Hub::default(),
            own_lists: Alike::default(),
            metrics,
            stamps: Mutex::default(),
            health: Mutex::new(Health::new()),
            own: Mutex::new(None),
            apart: Mutex::new(None),
            asked_apart: AtomicBool::new(false),
            sessions: AtomicUsize::new(0),
            restored: false,
            met: watch::Sender::new(false),
            wanted: Notify::new(),
        }
    }

    /// The same, with what was kept of it by a vmcp before this one. What it offers to single callers is not kept.
    pub(crate) fn with_kept(mut self, index: &Index) -> Self {
        if !self.per_caller
            && let Some(kept) = index.load(&self.target, self.scope)
        {
            self.inventory.store(Some(Arc::new(kept.inventory)));
            self.restored = true;
            self.health(|health| health.restored(kept.listed));
        }
        self
    }

    /// Leaves the processors to the first clients after a restart: they are served what was kept, and many handshakes
    /// at once would be in their way. Returns at once if nothing was kept, and when somebody waits for the backend.
    pub(super) async fn head_start(&self) {
        if !self.restored {
            return;
        }
        let place = u32::try_from(self.index).unwrap_or(u32::MAX);
        let until = HEAD_START.saturating_add(BETWEEN.saturating_mul(place)).min(LATEST_START);
        let _ = timeout(until, self.wanted.notified()).await;
    }

    /// Returns once the catalogue's own session is open, or cannot be opened for now.
    ///
    /// # Cancel safety
    /// Safe.
    pub(crate) async fn met(&self) {
        self.wanted.notify_one();
        // The sender lives in `self`, so waiting cannot fail.
        let _ = self.met.subscribe().wait_for(|met| *met).await;
    }

    /// The first attempt has come as far as a session, or to its end.
    pub(super) fn meets(&self) {
        self.met.send_if_modified(|met| !std::mem::replace(met, true));
    }

    /// What it offers to clients of this family.
    pub(crate) fn offered(&self, family: Family) -> Option<Arc<Inventory>> {
        self.inventory.load().as_ref().map(|known| known.to(family).clone())
    }

    /// How long what was listed is fresh.
    pub(super) fn stamps(&self) -> Stamps {
        *self.stamps.lock()
    }

    /// What was listed is fresh for so long.
    pub(super) fn stamp(&self, change: impl FnOnce(&mut Stamps)) {
        change(&mut self.stamps.lock());
    }

    /// Counts what is left of a list that clients of this family see, or of what the backend says of itself to them.
    pub(crate) fn count_freshness(
        &self,
        family: Family,
        list: Option<Capability>,
        least: &mut Least,
    ) {
        let (state, next_try) = self.health(|health| (health.state, health.next_try));
        if state != BackendState::Ready {
            // It may join, or go, with the next attempt and not before.
            least.until(next_try);
        }
        let Stamps { own, apart } = self.stamps();
        let stamp = match family {
            Family::Session => own,
            Family::Stateless => apart.or(own),
        };
        if let Some(stamp) = stamp.filter(|_| self.inventory.load().is_some()) {
            stamp.count(list, least);
        }
    }

    /// The catalogue's own session, if it is open.
    pub(crate) fn own(&self) -> Option<Session> {
        self.own.lock().clone()
    }

    /// Keeps the catalogue's own session.
    pub(crate) fn keep(&self, session: Session) {
        *self.own.lock() = Some(session);
        self.meets();
    }

    /// Gives the catalogue's own session away, to be closed.
    pub(crate) fn take(&self) -> Option<Session> {
        self.own.lock().take()
    }

    /// The catalogue's other session, if there is one.
    pub(crate) fn apart(&self) -> Option<Session> {
        self.apart.lock().clone()
    }

    /// The backend is asked for that. Tells whether it was before.
    pub(super) fn asks_apart(&self) -> bool {
        self.asked_apart.swap(true, Ordering::Relaxed)
    }

    /// Puts another in place of the catalogue's other session, which is given away, to be closed.
    pub(crate) fn keep_apart(&self, session: Option<Session>) -> Option<Session> {
        std::mem::replace(&mut *self.apart.lock(), session)
    }

    /// Reads or writes how attempts went.
    pub(crate) fn health<T>(&self, with: impl FnOnce(&mut Health) -> T) -> T {
        let mut health = self.health.lock();
        let before = health.state;
        let out = with(&mut health);
        if health.state != before {
            self.metrics.state(health.state);
        }
        out
    }

    /// Keeps what it offers to one client, once for all that are offered the same.
    pub(crate) fn keep_own(&self, inventory: Inventory) -> Arc<Inventory> {
        let listed = Arc::new(inventory);
        let is_it = |kept: &Inventory| kept.same_as(&listed) && kept.streamed == listed.streamed;
        self.own_lists.find(is_it).unwrap_or_else(|| self.own_lists.keep(listed.clone()))
    }

    /// How long a listing counts as fresh, if nothing announces a change.
    pub(super) fn ttl(&self, configured: Duration) -> Duration {
        match self.scope {
            Scope::Shared | Scope::PerSession if !self.per_caller => configured,
            // Each listing starts a process, or is one for each client.
            _ => configured.saturating_mul(10),
        }
    }

    /// A client's session to this backend was opened.
    pub(crate) fn opened(&self) {
        self.sessions.fetch_add(1, Ordering::Relaxed);
        self.metrics.sessions.inc();
    }

    /// A client's session to this backend was closed.
    pub(crate) fn closed(&self) {
        self.sessions.fetch_sub(1, Ordering::Relaxed);
        self.metrics.sessions.dec();
    }

    /// What operators see.
    pub(crate) fn status(&self) -> BackendStatus {
        let health = self.health(|health| health.clone());
        let inventory = self.inventory.load();
        BackendStatus {
            id: self.target.id.clone(),
            state: health.state,
            reason: health.reason,
            last_error: health.last_error,
            next_try: health.next_try.map(|at| at.saturating_duration_since(Instant::now())),
            source: inventory.as_ref().map(|_| health.source),
            age: inventory.as_ref().and(health.listed).map(age),
            offers: inventory.as_ref().map(|known| known.counts()).unwrap_or_default(),
            revision: inventory.as_ref().map(|known| known.hello.revision.as_str()),
            sessions: self.sessions.load(Ordering::Relaxed)
                + usize::from(self.own.lock().is_some()),
        }
    }
}

// === impl Scope ===

impl Scope {
    /// A child process is shared unless the configuration says otherwise; everything else is per client session.
    fn of(target: &BackendTarget, config: &Config) -> Self {
        if !matches!(target.endpoint, Endpoint::Stdio(_)) {
            return Self::PerSession;
        }
        let configured = config.backends.iter().find(|backend| backend.id == target.id);
        match configured.map(|backend| &backend.transport) {
            Some(Transport::Stdio(stdio)) if stdio.process == ProcessScope::PerSession => {
                Self::PerSessionClosed
            }
            _ => Self::Shared,
        }
    }
}
