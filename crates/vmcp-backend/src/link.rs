//! One session's life: the live connection, its loss, its reopening.
//!
//! A connection is replaced, never repaired. Whoever finds it lost opens a new one; everybody who comes meanwhile
//! waits for that one attempt and shares its outcome, failure included ([`live`](Link::live)). Then what the
//! backend has to know again is replayed: the log level and the subscriptions.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::Mutex;
use tokio::sync::Notify;
use vmcp_auth::Caller;
use vmcp_config::BackendId;

use crate::call::Behalf;
use crate::dialect::Waiting;
use crate::tasks::Errands;
use crate::transport::{Attempt, Connection, Dialler, Known, Request, no_credentials};
use crate::{
    BackendTarget, CallError, ClientHello, ConnectError, ConnectErrorKind, ErrorKind, Executed,
    Outside, ServerHello, Side, Sink,
};

mod aside;
mod calls;
mod listening;
mod replay;

use aside::Aside;
pub(crate) use aside::TURNS;
pub(crate) use calls::{Calls, InFlight};
use listening::Listener;
pub(crate) use listening::{LISTS, Missed, Relief};
pub(crate) use replay::{Note, Replay};

/// What all operations of one session share.
pub(crate) struct Link {
    dialler: Dialler,
    /// Who it is for, when a request does not say it. Held to read or to replace it.
    caller: Mutex<Caller>,
    /// The connection in use. Short sections only: it is cloned out.
    live: Mutex<Arc<Live>>,
    reopening: tokio::sync::Mutex<()>,
    /// Held while it is changed what is listened for.
    changing: tokio::sync::Mutex<()>,
    /// Told when a lost connection was replaced, so that a listener does not sleep on.
    reopened: Arc<Notify>,
    /// Attempts to reopen that have ended, and how the last one failed.
    attempts: AtomicU64,
    failure: Mutex<Option<ConnectErrorKind>>,
    ids: AtomicU64,
    replay: Mutex<Replay>,
    calls: Arc<Calls>,
    closed: AtomicBool,
    /// The backend knows that the session is over, or is being told.
    told: AtomicBool,
    listener: Mutex<Option<Listener>>,
    /// Somebody wants to hear what is said outside of calls.
    listens: AtomicBool,
    /// The stream outside of calls.
    aside: Aside,
    /// A request was sent, other than the handshake: there is something that can be out of date.
    used: AtomicBool,
    errands: Errands,
    /// Tasks that wait for their callers.
    waiting: Waiting,
    /// Tasks whose changes are told. Held to read or to replace them.
    watched: Mutex<Vec<String>>,
}

/// One connection of a session.
pub(crate) struct Live {
    pub(crate) generation: u64,
    pub(crate) server: Arc<ServerHello>,
    pub(crate) connection: Connection,
    lost: AtomicBool,
}

// === impl Link ===

impl Link {
    /// Opens the first connection.
    pub(crate) async fn open(
        dialler: Dialler,
        caller: Caller,
        hint: Option<&str>,
    ) -> Result<Arc<Self>, ConnectErrorKind> {
        let ids = AtomicU64::new(1);
        let attempt = Attempt { ids: &ids, caller: &caller, hint };
        let (server, connection) = dialler.open(attempt).await?;
        Ok(Arc::new(Self {
            dialler,
            caller: Mutex::new(caller),
            live: Mutex::new(Arc::new(Live::new(0, server, connection))),
            reopening: tokio::sync::Mutex::new(()),
            changing: tokio::sync::Mutex::new(()),
            reopened: Arc::default(),
            attempts: AtomicU64::new(0),
            failure: Mutex::new(None),
            ids,
            replay: Mutex::new(Replay::default()),
            calls: Arc::new(Calls::default()),
            closed: AtomicBool::new(false),
            told: AtomicBool::new(false),
            listener: Mutex::new(None),
            listens: AtomicBool::new(false),
            aside: Aside::default(),
            used: AtomicBool::new(false),
            errands: Errands::here(),
            waiting: Waiting::default(),
            watched: Mutex::default(),
        }))
    }

    pub(crate) fn target(&self) -> &Arc<BackendTarget> {
        &self.dialler.target
    }

    pub(crate) fn backend(&self) -> &BackendId {
        &self.dialler.target.id
    }

    pub(crate) fn sink(&self) -> Option<&Sink> {
        self.dialler.sink.as_ref()
    }

    /// What backends are told about the client.
    pub(crate) fn client(&self) -> &ClientHello {
        &self.dialler.hello
    }

    /// What was found out about the backend.
    pub(crate) fn known(&self) -> &Known {
        &self.dialler.known
    }

    /// Whether the backend may be spoken with in another way than it is now.
    pub(crate) fn may_speak_otherwise(&self) -> bool {
        let protocol = self.target().protocol;
        protocol.allows_handshake() && protocol.allows_stateless()
    }

    /// The level of log messages that was asked for.
    pub(crate) fn level(&self) -> Option<Arc<str>> {
        self.replay.lock().level()
    }

    /// The resources that are subscribed to.
    pub(crate) fn subscriptions(&self) -> Vec<String> {
        self.replay.lock().subscriptions()
    }

    pub(crate) fn errands(&self) -> &Errands {
        &self.errands
    }

    /// The tasks whose changes are told.
    pub(crate) fn watched(&self) -> Vec<String> {
        self.watched.lock().clone()
    }

    /// Replaces them; whoever listens has to ask anew.
    pub(crate) fn watch(&self, ids: Vec<String>) {
        *self.watched.lock() = ids;
    }

    /// Tasks that wait for their callers.
    pub(crate) fn waiting(&self) -> &Waiting {
        &self.waiting
    }

    pub(crate) fn hello(&self) -> Arc<ServerHello> {
        Arc::clone(&self.live.lock().server)
    }

    /// Who it is for, when a request does not say it.
    pub(crate) fn caller(&self) -> Caller {
        self.caller.lock().clone()
    }

    /// Who a request is made for: the caller it names, or the one the session is for.
    ///
    /// A later login of the one the session is for counts from now on for what has no caller of its own: the token it
    /// was opened with may be expired when the session is closed.
    pub(crate) fn caller_of(&self, named: Option<&Caller>) -> Caller {
        let Some(named) = named else { return self.caller() };
        if let Some(identity) = &named.identity {
            let mut own = self.caller.lock();
            if let Some(known) = &mut own.identity
                && !Arc::ptr_eq(known, identity)
                && known.same_principal(identity)
            {
                *known = Arc::clone(identity);
            }
        }
        named.clone()
    }

    /// An id that no other request of this session has.
    pub(crate) fn next_id(&self) -> u64 {
        self.ids.fetch_add(1, Ordering::Relaxed)
    }

    /// Notified when a lost connection was replaced.
    pub(crate) fn reopened(&self) -> Arc<Notify> {
        Arc::clone(&self.reopened)
    }

    /// Counts a call, unless the session is closed.
    pub(crate) fn enter(&self) -> Result<InFlight, CallError> {
        let in_flight = self.calls.enter();
        if self.closed.load(Ordering::Acquire) {
            return Err(self.closed_error());
        }
        Ok(in_flight)
    }

    /// A connection that works as far as is known; reopened if the last one was lost.
    ///
    /// `caller` is whose credentials open it, if it is this one who does it.
    ///
    /// Cancel-safe: who is dropped leaves the attempt to the next in the queue.
    pub(crate) async fn live(self: &Arc<Self>, caller: &Caller) -> Result<Arc<Live>, CallError> {
        let before = self.attempts.load(Ordering::Acquire);
        match self.usable() {
            Some(live) => Ok(live),
            // Boxed, since it is rare and large.
            None => Box::pin(self.reopen(caller, before)).await,
        }
    }

    /// Opens a new connection, unless an attempt has ended since there were `before`.
    async fn reopen(
        self: &Arc<Self>,
        caller: &Caller,
        before: u64,
    ) -> Result<Arc<Live>, CallError> {
        let _turn = self.reopening.lock().await;
        if let Some(live) = self.usable() {
            return Ok(live);
        }
        if self.closed.load(Ordering::Acquire) {
            return Err(self.closed_error());
        }
        if self.attempts.load(Ordering::Acquire) > before {
            // An attempt ended while we waited for it, and it failed: its failure is ours.
            if let Some(kind) = self.failure.lock().clone() {
                return Err(self.unavailable(&kind));
            }
        }
        let attempt = Attempt { ids: &self.ids, caller, hint: None };
        let opened = self.dialler.open(attempt).await;
        let outcome = match opened {
            Ok((server, connection)) => {
                let generation = self.live.lock().generation + 1;
                let live = Arc::new(Live::new(generation, server, connection));
                self.replay(&live, caller).await;
                *self.live.lock() = Arc::clone(&live);
                *self.failure.lock() = None;
                self.reopened.notify_waiters();
                if self.closed.load(Ordering::Acquire) {
                    // Closed meanwhile: whoever closed it only knew the connection before this one.
                    live.connection.close(caller).await;
                    return Err(self.closed_error());
                }
                let listens =
                    || self.listens.load(Ordering::Acquire) || !self.subscriptions().is_empty();
                if live.is_stateless() && listens() {
                    self.keep_listening();
                }
                Ok(live)
            }
            Err(kind) => {
                let error = self.unavailable(&kind);
                *self.failure.lock() = Some(kind);
                Err(error)
            }
        };
        self.attempts.fetch_add(1, Ordering::Release);
        outcome
    }

    /// The backend does not know the session of `live` any more.
    pub(crate) fn lose(&self, live: &Live) {
        if live.lost.swap(true, Ordering::AcqRel) {
            return;
        }
        tracing::info!(backend = %self.backend(), "the backend lost the session");
        if let (Connection::Http(_), Some(sink)) = (&live.connection, self.sink()) {
            sink(Outside::Lost);
        }
    }

    /// The backend did not answer a call in time.
    pub(crate) fn suspect(&self) {
        self.live.lock().connection.suspect();
    }

    /// Remembers what a reopened session has to be told again.
    pub(crate) fn note(&self, note: Note) {
        self.replay.lock().apply(note);
    }

    /// Ends the session: no new calls, those in flight may end, then the backend is told.
    pub(crate) async fn close(&self) {
        if self.closed.swap(true, Ordering::AcqRel) {
            return;
        }
        self.listener.lock().take();
        self.waiting.clear();
        self.asked();
        self.calls.idle(self.target().limits.drain).await;
        let live = Arc::clone(&self.live.lock());
        self.told.store(true, Ordering::Release);
        if !live.is_lost() {
            live.connection.close(&self.caller()).await;
        }
    }

    /// Tells the new session what the old one knew. What the backend does not take is its own loss.
    async fn replay(&self, live: &Live, caller: &Caller) {
        if live.is_stateless() {
            // Each request says it, and so does whoever listens.
            return;
        }
        let messages = self.replay.lock().messages();
        for (method, params) in messages {
            let id = self.next_id();
            let request =
                vmcp_wire::rpc::request(&vmcp_wire::RawId::number(id), method, Some(&params));
            let request = Request::new(id, request);
            let answered = async {
                let Ok(mut wire) = live.connection.start(request, Behalf::of(caller)).await else {
                    return false;
                };
                let answered = wire.next().await.is_ok();
                wire.finish();
                answered
            };
            let answered = tokio::time::timeout(self.dialler.deadline(), answered).await;
            if !answered.unwrap_or(false) {
                tracing::warn!(backend = %self.backend(), method, "the new session did not take this over");
            }
        }
    }

    fn usable(&self) -> Option<Arc<Live>> {
        let live = Arc::clone(&self.live.lock());
        (!live.is_lost()).then_some(live)
    }

    fn unavailable(&self, kind: &ConnectErrorKind) -> CallError {
        let call_kind = match kind {
            ConnectErrorKind::NoCredentials(error) => {
                return no_credentials(self.backend(), Arc::clone(error));
            }
            ConnectErrorKind::Unauthorized(_) => ErrorKind::Unauthorized,
            _ => ErrorKind::Unavailable,
        };
        let error = ConnectError { backend: self.backend().clone(), kind: kind.clone() };
        CallError::backend(self.backend(), call_kind, Executed::No).with_internal(error.to_string())
    }

    fn closed_error(&self) -> CallError {
        let mut error = CallError::backend(self.backend(), ErrorKind::Closed, Executed::No);
        error.side = Side::Gateway;
        error
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        let live = Arc::clone(self.live.get_mut());
        if *self.told.get_mut() || live.is_lost() {
            return;
        }
        // Nobody closed it, or not to the end; the backend should not have to find out by itself.
        let caller = self.caller();
        self.errands.run(async move { live.connection.close(&caller).await });
    }
}

// === impl Live ===

impl Live {
    fn new(generation: u64, server: ServerHello, connection: Connection) -> Self {
        Self { generation, server: Arc::new(server), connection, lost: AtomicBool::new(false) }
    }

    /// Whether the backend keeps nothing between requests.
    pub(crate) fn is_stateless(&self) -> bool {
        self.server.revision.stateless()
    }

    fn is_lost(&self) -> bool {
        self.lost.load(Ordering::Acquire) || self.connection.is_dead()
    }
}

#[cfg(test)]
mod tests;
