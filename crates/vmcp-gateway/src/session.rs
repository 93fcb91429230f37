//! What one client holds.
//!
//! A [`MultiSession`] without an open backend session is a few hundred bytes and no task: it reads lists from the
//! gateway's view, and opens a backend session when a call first needs one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwapOption;
use bytes::Bytes;
use parking_lot::Mutex;
use tokio::time::timeout;
use vmcp_auth::Caller;
use vmcp_backend::{Call, CallError, ClientHello, ErrorKind, Event, Session};
use vmcp_config::BackendId;
use vmcp_wire::header::ParamHeaders;
use vmcp_wire::method;

mod announce;
mod client;
mod contract;
mod ear;
mod followed;
mod fresh;
mod inbox;
mod learnt;
mod levels;
mod links;
mod overlay;
mod registry;
mod runs;
mod sight;
mod tokens;

pub(crate) use announce::{Messages, announce};
pub(crate) use client::Client;
use ear::Ear;
use followed::Followed;
pub(crate) use learnt::Learnt;
pub(crate) use overlay::Seen;
pub(crate) use registry::Registry;
pub(crate) use runs::{Run, Runs};
pub(crate) use tokens::Tokens;

use crate::catalogue::{Scope, Slot};
use crate::core::Core;
use crate::level::Level;
use crate::policy::Judged;
use crate::relay::Reply;
use crate::route;
use crate::tasks;
use crate::view::Digests;
use links::Links;
use overlay::Overlay;

/// Takes messages outside any call for one client: `list_changed`, `updated`, logs, server requests.
///
/// Never blocks. It should not keep the [`MultiSession`] alive, which keeps the sink.
pub type ClientSink = Arc<dyn Fn(Event) + Send + Sync>;

/// A session to a backend, and a call's part in what that says beside its replies.
type Linked = (Session, Option<Box<Run>>);

/// What one client holds: its identity and its backend sessions.
pub struct MultiSession {
    pub(crate) core: Arc<Core>,
    pub(crate) client: Arc<Client>,
    links: Arc<Links>,
    /// Its own view, if a backend offers it something else than the catalogue knows.
    overlay: ArcSwapOption<Overlay>,
    /// What policies permit to it of either, when it was last looked at.
    judged: ArcSwapOption<Judged>,
    /// Protects what the client was told last of each list, and the order in which overlays replace each other.
    told: Mutex<Digests>,
    /// The client knows what there is: from now on it is told what changes.
    introduced: AtomicBool,
}

// === impl MultiSession ===

impl MultiSession {
    pub(crate) fn open(
        core: &Arc<Core>,
        hello: &ClientHello,
        caller: Caller,
        sink: ClientSink,
    ) -> Arc<Self> {
        let id = core.registry.next_id();
        let limits = &core.config.session;
        let family = hello.revision.family();
        let shared = core.catalogue.view(family).digests();
        let session = Arc::new(Self {
            core: core.clone(),
            client: Arc::new(Client::new(id, hello, caller, sink, limits)),
            links: Arc::default(),
            overlay: ArcSwapOption::empty(),
            judged: ArcSwapOption::empty(),
            told: Mutex::new(shared),
            introduced: AtomicBool::new(false),
        });
        if core.rules.is_some() {
            let seen = session.view().digests();
            *session.told.lock() = seen;
        }
        core.registry.add(&session);
        core.metrics.sessions.inc();
        // The view may have changed before the session could be found by whoever tells sessions about it.
        if core.catalogue.view(family).digests() != shared {
            core.catalogue.changed.notify_one();
        }
        session
    }

    /// Opens the sessions to backends that offer something else to each caller, and waits for those of which nothing
    /// is known otherwise, within the time that a first catalogue may take.
    ///
    /// Cancel-safe: the attempts go on.
    pub(crate) async fn introduce(&self) {
        if self.core.catalogue.per_caller {
            self.meet(None);
            let unknown = self
                .core
                .catalogue
                .slots
                .iter()
                .filter(|slot| slot.per_caller && slot.inventory.load().is_none());
            let unknown: Vec<usize> = unknown.map(|slot| slot.index).collect();
            let met = async {
                for backend in unknown {
                    self.links.met(backend).await;
                }
            };
            // The others join when they answer.
            let _ = timeout(self.core.config.timeouts.first_catalogue, met).await;
        }
        self.introduced.store(true, Ordering::Release);
    }

    /// The merged capabilities: a JSON object. Of tasks it says what this client's revision has for them.
    pub fn capabilities(&self) -> Bytes {
        let view = self.view();
        view.tasks.advertise(&view.capabilities, self.client.hello.revision)
    }

    /// A stream wants to hear of these tasks. Gives those of which somebody will tell; `caller` is who asks.
    ///
    /// # Cancel safety
    /// Dropped, some may be told of nevertheless: what nobody wants to hear is dropped.
    pub async fn watch_tasks(&self, ids: &[Box<str>], caller: &Caller) -> Vec<Box<str>> {
        route::watch(self, ids, caller).await
    }

    /// The stream is over that wanted to hear of these tasks.
    ///
    /// # Cancel safety
    /// As [`watch_tasks`](Self::watch_tasks).
    pub async fn unwatch_tasks(&self, ids: &[Box<str>], caller: &Caller) {
        route::unwatch(self, ids, caller).await;
    }

    /// The backends' instructions, under one heading each if there are several backends.
    pub fn instructions(&self) -> Option<String> {
        self.view().instructions.clone()
    }

    /// Who vmcp is: a JSON object for `serverInfo`.
    pub fn server_info(&self) -> Bytes {
        self.core.server_info.clone()
    }

    /// The arguments of the tool advertised under this name that headers repeat, if there are any.
    pub fn param_headers(&self, tool: &str) -> Option<Arc<ParamHeaders>> {
        self.view().param_headers(tool).cloned()
    }

    /// The backend that a call with this method and these raw params is for, if it is one of those that are found by a
    /// name or a URI.
    pub fn owner(&self, method: &str, params: &[u8]) -> Option<&BackendId> {
        let backend = route::owner(self, method, params)?;
        Some(&self.core.catalogue.slots[backend].target.id)
    }

    /// Whether every client is told the same of what there is.
    pub fn sees_what_all_see(&self) -> bool {
        !self.core.catalogue.per_caller && matches!(self.view(), Seen::Shared(_))
    }

    /// A call in flight is asked for log messages of this level from now on. Waits for backends a short while at most.
    pub async fn raise(&self, level: Level) {
        route::raise(self, level).await;
    }

    /// Every client request except the handshake and `ping`. Names are the advertised ones.
    ///
    /// A call may have a caller of its own: the session's principal, with a newer token or other headers. One for
    /// anybody else is answered as if there were no such session.
    ///
    /// # Cancel safety
    /// Dropping the future, or the reply, takes the call back.
    pub async fn call(&self, mut call: Call) -> Result<Reply, CallError> {
        if self.client.is_closed() || !self.client.answers_for(&mut call) {
            return Err(CallError::gateway(ErrorKind::Closed));
        }
        if self.core.catalogue.per_caller {
            self.client.renew(call.caller.as_ref());
            // Meanwhile: what failed before may go well with this caller's credentials.
            self.meet(call.caller.as_ref());
        }
        if let Some(rules) = &self.core.rules {
            self.recognise(rules, call.caller.as_ref());
        }
        if let Some(level) = call.log_level.as_deref().and_then(Level::parse) {
            self.raise(level).await;
        }
        route::call(self, call).await
    }

    /// A client's notification, except those that end the handshake or cancel a call.
    ///
    /// Returns at once; delivery is best effort.
    pub fn notify(&self, method: &str, params: Option<Bytes>) {
        match method {
            method::ROOTS_LIST_CHANGED => {
                for (slot, session) in self.links.open_sessions() {
                    if slot.scope != Scope::Shared {
                        self.send(session, method::ROOTS_LIST_CHANGED.to_owned(), params.clone());
                    }
                }
            }
            method::PROGRESS => {
                let owned = params.and_then(|params| self.client.tokens.restore(&params));
                if let Some((backend, params)) = owned
                    && let Some(session) = self.links.find(backend)
                {
                    self.send(session, method::PROGRESS.to_owned(), Some(params));
                }
            }
            // Not of the protocol: for the one backend that declares it, if the client has a session there.
            other => {
                let only = route::declaring(&self.view(), other);
                if let Some(session) = only.and_then(|backend| self.links.find(backend)) {
                    self.send(session, other.to_owned(), params);
                }
            }
        }
    }

    /// Tells whether the client has a standalone stream open, on which messages outside calls can reach it.
    pub fn listening(&self, on: bool) {
        self.client.set_listening(on);
        if on {
            for (_, session) in self.links.open_sessions() {
                session.listen();
            }
        }
    }

    /// Closes the client's backend sessions. Idempotent; waits for calls in flight (bounded).
    ///
    /// # Cancel safety
    /// Dropped, the session is closed for its client, but a backend may not have been told.
    pub async fn close(&self) {
        self.leave();
        tasks::all(self.end().into_iter().map(|(slot, session)| async move {
            session.close().await;
            slot.closed();
        }))
        .await;
    }

    /// A session to this backend: the open one, or a new one. Where what the backend says beside its replies is for the
    /// calls that run, this call's part in it, too.
    pub(crate) async fn link(&self, backend: usize, call: &Call) -> Result<Linked, CallError> {
        let run = || self.client.run(backend, call);
        if let Some(session) = self.links.find(backend) {
            let run = session.speaks_aside().then(run).flatten();
            return Ok((session, run));
        }
        // It may ask as soon as it knows the client.
        let run = run();
        let session = self.opened(backend, call).await?;
        let run = run.filter(|_| session.speaks_aside());
        Ok((session, run))
    }

    async fn opened(&self, backend: usize, call: &Call) -> Result<Session, CallError> {
        let slot = &self.core.catalogue.slots[backend];
        // What it offers may be known from before a restart, and its process be starting.
        if slot.scope == Scope::Shared && slot.own().is_none() {
            tokio::select! {
                () = slot.met() => {}
                () = call.cancel.cancelled() => return Err(CallError::client(ErrorKind::Cancelled)),
            }
        }
        self.links.open(&self.core, &self.client, slot, call).await
    }

    /// Stores the client's level and passes it on to the open backend sessions.
    pub(crate) async fn set_level(&self, level: Level) {
        self.client.set_level(level);
        let open = self.links.open_sessions();
        tasks::all(open.into_iter().map(|(slot, session)| {
            let client = self.client.clone();
            async move { levels::leveled(&slot, &session, &client).await }
        }))
        .await;
    }

    /// Begins to open what is not open of the sessions that this client lists for itself.
    fn meet(&self, caller: Option<&Caller>) {
        for slot in self.core.catalogue.slots.iter().filter(|slot| slot.per_caller) {
            self.links.meet(&self.core, &self.client, slot, caller);
        }
    }

    /// What this backend offers to this client is listed again, or at last. Never blocks.
    pub(crate) fn refresh_own(&self, slot: &Slot) {
        match self.links.ear(slot.index) {
            Some(ear) => ear.heard(),
            None => self.meet(None),
        }
    }

    fn send(&self, session: Session, method: String, params: Option<Bytes>) {
        self.core.spawner.spawn(async move {
            if let Err(error) = session.notify(&method, params).await {
                tracing::debug!(%error, method, "notification not delivered");
            }
        });
    }

    /// No more calls and no more messages.
    fn leave(&self) {
        if self.client.close() {
            self.core.registry.remove(self.client.id);
            self.overlay.store(None);
            self.core.metrics.sessions.dec();
        }
    }

    /// Leaves the shared sessions and gives the others away, to be closed.
    fn end(&self) -> Vec<(Arc<Slot>, Session)> {
        let (shared, own): (Vec<_>, Vec<_>) =
            self.links.close().into_iter().partition(|(slot, _)| slot.scope == Scope::Shared);
        for (slot, session) in shared {
            slot.closed();
            let client = self.client.id;
            self.core.spawner.spawn(async move { route::leave(&slot, client, &session).await });
        }
        own
    }
}

impl Drop for MultiSession {
    fn drop(&mut self) {
        self.leave();
        for (slot, session) in self.end() {
            self.core.spawner.spawn(async move {
                session.close().await;
                slot.closed();
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Client, Links, MultiSession};

    #[test]
    fn a_session_that_has_opened_nothing_is_small() {
        let fixed = size_of::<MultiSession>() + size_of::<Client>() + size_of::<Links>();
        assert!(fixed < 1024, "{fixed} bytes");
    }
}
