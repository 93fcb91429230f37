//! A client's backend sessions: opened when first needed, one attempt at a time, kept for the client's life.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::Instant;
use vmcp_auth::Caller;
use vmcp_backend::{Call, CallError, ConnectError, ConnectErrorKind, ErrorKind, Executed, Session};
use vmcp_wire::Object;

use super::inbox::inbox;
use super::levels::{has_to_be_heard, push_level};
use super::{Client, Ear};
use crate::catalogue::{Scope, Slot, pause};
use crate::core::Core;

/// How an attempt ended; `None` while it goes on.
type Attempt = Option<Result<Session, CallError>>;

/// A client's backend sessions.
#[derive(Default)]
pub(super) struct Links {
    /// Protects the list; held to look one up or to put one in, never across an await.
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    closed: bool,
    links: Vec<Link>,
    /// Backends that each client lists for itself, and that this one could not open a session to.
    unmet: Vec<Unmet>,
}

/// When such a backend is tried again.
struct Unmet {
    backend: usize,
    failures: u32,
    not_before: Instant,
}

struct Link {
    slot: Arc<Slot>,
    state: State,
    /// Lists through the session; `None` if that is shared, or not open.
    ear: Option<Arc<Ear>>,
}

enum State {
    Opening(watch::Receiver<Attempt>),
    Open(Session),
}

/// One attempt to open a session, and whoever waits for it.
struct Opening {
    core: Arc<Core>,
    links: Arc<Links>,
    client: Arc<Client>,
    slot: Arc<Slot>,
    /// Whoever needs it first.
    caller: Caller,
    outcome: watch::Sender<Attempt>,
}

// === impl Links ===

impl Links {
    /// The open session to this backend.
    pub(super) fn find(&self, backend: usize) -> Option<Session> {
        self.inner.lock().links.iter().find_map(|link| match &link.state {
            State::Open(session) if link.slot.index == backend => Some(session.clone()),
            _ => None,
        })
    }

    /// The session to this backend; if it is being opened, once it is.
    ///
    /// # Cancel safety
    /// Safe: the attempt goes on.
    pub(super) async fn opened_in_time(&self, backend: usize) -> Option<Session> {
        let mut attempt = {
            let inner = self.inner.lock();
            match &inner.links.iter().find(|link| link.slot.index == backend)?.state {
                State::Open(session) => return Some(session.clone()),
                State::Opening(attempt) => attempt.clone(),
            }
        };
        attempt.wait_for(Option::is_some).await.ok()?.clone()?.ok()
    }

    /// Begins to open a session to a backend of which the client sees only what the backend offers to it, unless there
    /// is one or an attempt failed a short time ago. One that is open but was not listed is listed.
    pub(super) fn meet(
        self: &Arc<Self>,
        core: &Arc<Core>,
        client: &Arc<Client>,
        slot: &Arc<Slot>,
        caller: Option<&Caller>,
    ) {
        let is_due = {
            let inner = self.inner.lock();
            if let Some(link) = inner.links.iter().find(|link| link.slot.index == slot.index) {
                return link.ear.iter().for_each(Ear::retry);
            }
            let unmet = inner.unmet.iter().find(|unmet| unmet.backend == slot.index);
            unmet.is_none_or(|unmet| unmet.not_before <= Instant::now())
        };
        if is_due {
            // Fails only if the client has left.
            let _ = self.begin(core, client, slot, caller);
        }
    }

    /// Returns once what the backend offers to this client was listed, or cannot be.
    ///
    /// # Cancel safety
    /// Safe.
    pub(super) async fn met(&self, backend: usize) {
        if self.opened_in_time(backend).await.is_some()
            && let Some(ear) = self.ear(backend)
        {
            ear.listed().await;
        }
    }

    /// What lists through the open session to this backend.
    pub(super) fn ear(&self, backend: usize) -> Option<Arc<Ear>> {
        let inner = self.inner.lock();
        inner.links.iter().find(|link| link.slot.index == backend)?.ear.clone()
    }

    /// All open sessions.
    pub(super) fn open_sessions(&self) -> Vec<(Arc<Slot>, Session)> {
        let inner = self.inner.lock();
        let open = inner.links.iter().filter_map(|link| match &link.state {
            State::Open(session) => Some((link.slot.clone(), session.clone())),
            State::Opening(_) => None,
        });
        open.collect()
    }

    /// The session to this backend, opened if it is not.
    ///
    /// # Cancel safety
    /// Safe: an attempt goes on without whoever waited for it, and serves the next call.
    pub(super) async fn open(
        self: &Arc<Self>,
        core: &Arc<Core>,
        client: &Arc<Client>,
        slot: &Arc<Slot>,
        call: &Call,
    ) -> Result<Session, CallError> {
        let caller = call.caller.as_ref();
        let mut attempt = match self.begin(core, client, slot, caller)? {
            State::Open(session) => return Ok(session),
            State::Opening(attempt) => attempt,
        };
        let ended = async { attempt.wait_for(Option::is_some).await.ok()?.clone() };
        tokio::select! {
            ended = ended => ended.unwrap_or_else(|| Err(broken(slot))),
            () = call.cancel.cancelled() => Err(CallError::client(ErrorKind::Cancelled)),
        }
    }

    /// No more sessions; gives the open ones away.
    pub(super) fn close(&self) -> Vec<(Arc<Slot>, Session)> {
        let mut inner = self.inner.lock();
        inner.closed = true;
        let links = std::mem::take(&mut inner.links);
        let open = links.into_iter().filter_map(|link| match link.state {
            State::Open(session) => Some((link.slot, session)),
            State::Opening(_) => None,
        });
        open.collect()
    }

    /// The session, or the attempt to open it that goes on, or a new one.
    fn begin(
        self: &Arc<Self>,
        core: &Arc<Core>,
        client: &Arc<Client>,
        slot: &Arc<Slot>,
        caller: Option<&Caller>,
    ) -> Result<State, CallError> {
        let mut inner = self.inner.lock();
        if inner.closed {
            return Err(CallError::gateway(ErrorKind::Closed));
        }
        if let Some(link) = inner.links.iter().find(|link| link.slot.index == slot.index) {
            return Ok(match &link.state {
                State::Open(session) => State::Open(session.clone()),
                State::Opening(attempt) => State::Opening(attempt.clone()),
            });
        }
        if slot.scope == Scope::Shared {
            let session = slot.own().ok_or_else(|| {
                CallError::backend(&slot.target.id, ErrorKind::Unavailable, Executed::No)
            })?;
            slot.hub.join(client);
            slot.opened();
            inner.put(slot, State::Open(session.clone()));
            if client.level().is_some() {
                let (slot, session, client) = (slot.clone(), session.clone(), client.clone());
                core.spawner.spawn(async move { push_level(&slot, &session, &client).await });
            }
            return Ok(State::Open(session));
        }
        let (outcome, attempt) = watch::channel(None);
        inner.put(slot, State::Opening(attempt.clone()));
        let opening = Opening {
            core: core.clone(),
            links: self.clone(),
            client: client.clone(),
            slot: slot.clone(),
            caller: caller.cloned().unwrap_or_else(|| client.caller().0),
            outcome,
        };
        core.spawner.spawn(opening.run());
        Ok(State::Opening(attempt))
    }

    /// Puts the opened session in, unless the client is gone.
    fn opened(&self, slot: &Slot, session: &Session, ear: &Arc<Ear>) -> bool {
        let mut inner = self.inner.lock();
        inner.unmet.retain(|unmet| unmet.backend != slot.index);
        match inner.links.iter_mut().find(|link| link.slot.index == slot.index) {
            Some(link) => {
                link.state = State::Open(session.clone());
                link.ear = Some(ear.clone());
                true
            }
            None => false,
        }
    }

    /// The attempt came to nothing; an open session is left as it is.
    fn failed(&self, core: &Core, slot: &Slot) {
        let is_attempt =
            |link: &Link| link.slot.index == slot.index && matches!(link.state, State::Opening(_));
        let mut inner = self.inner.lock();
        inner.links.retain(|link| !is_attempt(link));
        if slot.per_caller {
            let timeouts = &core.config.timeouts;
            inner.postpone(slot.index, timeouts.reconnect, timeouts.max_reconnect);
        }
    }
}

impl Inner {
    fn put(&mut self, slot: &Arc<Slot>, state: State) {
        self.links.push(Link { slot: slot.clone(), state, ear: None });
    }

    /// One more attempt failed.
    fn postpone(&mut self, backend: usize, first: Duration, longest: Duration) {
        let at = self.unmet.iter().position(|unmet| unmet.backend == backend);
        let failures = at.map_or(0, |at| self.unmet.swap_remove(at).failures).saturating_add(1);
        let not_before = Instant::now() + pause(failures, first, longest);
        self.unmet.push(Unmet { backend, failures, not_before });
    }
}

// === impl Opening ===

impl Opening {
    async fn run(self) {
        let session = match self.open().await {
            Ok(session) => session,
            Err(error) => {
                self.links.failed(&self.core, &self.slot);
                self.outcome.send_replace(Some(Err(error)));
                return;
            }
        };
        self.outcome.send_replace(Some(Ok(session)));
    }

    async fn open(&self) -> Result<Session, CallError> {
        let Self { core, links, client, slot, .. } = self;
        let ear = Ear::new(core, client, slot);
        let sink = inbox(client, slot, ear.clone());
        let (caller, hello) = (self.caller.clone(), client.hello.clone());
        let opened = core.connector.open(&slot.target, caller, hello, Some(sink)).await;
        let session = opened.map_err(|error| {
            tracing::info!(backend = %slot.target.id, %error, "no session for a client");
            call_error(&error)
        })?;
        // A process of the client's own tells nobody else what it offers. And who uses the session from the first moment
        // has to know whether there is a stream beside the replies.
        if slot.scope == Scope::PerSessionClosed || has_to_be_heard(slot, &session, client) {
            session.listen();
        }
        // Before the first call, so that its messages have the level the client asked for.
        push_level(slot, &session, client).await;
        let level = client.level();
        if !links.opened(slot, &session, &ear) {
            session.close().await;
            return Err(CallError::gateway(ErrorKind::Closed));
        }
        slot.opened();
        // What the client said meanwhile reached only the sessions that were open.
        let in_calls = has_to_be_heard(slot, &session, client);
        if client.is_listening() || in_calls {
            session.listen();
        }
        if client.is_listening() && client.declares() || in_calls {
            self.heard(&session).await;
        }
        if client.level() != level {
            push_level(slot, &session, client).await;
        }
        if slot.per_caller {
            ear.at_once();
        } else if client.declares() && announces(&session) {
            ear.heard();
        }
        Ok(session)
    }

    /// Waits until the backend can ask outside a call: some ask there what a call needs for its reply, and forget what
    /// they ask while that stream is not there. One that never opens it must not hold up the call.
    async fn heard(&self, session: &Session) {
        let patience = self.core.config.timeouts.first_catalogue;
        let _ = tokio::time::timeout(patience, session.listening()).await;
    }
}

impl Drop for Opening {
    /// Only a panic leaves an attempt without an outcome. It must not stand in the way of the next one.
    fn drop(&mut self) {
        if self.outcome.borrow().is_none() {
            self.links.failed(&self.core, &self.slot);
        }
    }
}

/// Whether the backend tells when a list changes.
///
/// One that offers a client more once it knows what that declared may do so before the stream on which it announces
/// it is open, so a session to such a backend is listed once.
fn announces(session: &Session) -> bool {
    let hello = session.hello();
    let Ok(root) = Object::parse(&hello.capabilities) else { return false };
    ["tools", "prompts", "resources"].iter().any(|key| {
        let kind = root.get(key).and_then(|member| member.as_object());
        let says = kind.and_then(|kind| kind.get("listChanged")).and_then(|says| says.as_bool());
        says == Some(true)
    })
}

/// What a caller is told when the attempt it waited for broke, or ended with the gateway.
fn broken(slot: &Slot) -> CallError {
    CallError::backend(&slot.target.id, ErrorKind::Unavailable, Executed::No)
        .with_internal("the attempt to open a session broke")
}

/// What a caller is told when no session could be opened: nothing was executed.
fn call_error(error: &ConnectError) -> CallError {
    let kind = match &error.kind {
        ConnectErrorKind::Config(_)
        | ConnectErrorKind::Unreachable(_)
        | ConnectErrorKind::Status { .. } => ErrorKind::Unavailable,
        ConnectErrorKind::Timeout(after) => ErrorKind::Timeout(*after),
        ConnectErrorKind::Unauthorized(_) => ErrorKind::Unauthorized,
        ConnectErrorKind::NoCredentials(error) => ErrorKind::NoCredentials(error.clone()),
        ConnectErrorKind::Handshake(_) | ConnectErrorKind::List(_) => {
            ErrorKind::Protocol("the handshake failed".to_owned())
        }
    };
    CallError::backend(&error.backend, kind, Executed::No).with_internal(error.to_string())
}
