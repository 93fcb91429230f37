//! A client's backend sessions: opened when first needed, one attempt at a time, kept for the client's life.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::watch;
use vmcp_auth::Caller;
use vmcp_backend::{
    Call, CallError, Cancel, ConnectError, ConnectErrorKind, ErrorKind, Executed, Session,
};
use vmcp_wire::{Object, method};

use super::inbox::inbox;
use super::{Client, Ear};
use crate::catalogue::{Scope, Slot};
use crate::core::Core;
use crate::level::Level;
use crate::route;

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
}

struct Link {
    slot: Arc<Slot>,
    state: State,
}

enum State {
    Opening(watch::Receiver<Attempt>),
    Open(Session),
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
        cancel: &Cancel,
    ) -> Result<Session, CallError> {
        let mut attempt = match self.begin(core, client, slot)? {
            State::Open(session) => return Ok(session),
            State::Opening(attempt) => attempt,
        };
        let ended = async { attempt.wait_for(Option::is_some).await.ok()?.clone() };
        tokio::select! {
            ended = ended => ended.unwrap_or_else(|| Err(CallError::gateway(ErrorKind::Closed))),
            () = cancel.cancelled() => Err(CallError::client(ErrorKind::Cancelled)),
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
        let task = opening(core.clone(), self.clone(), client.clone(), slot.clone(), outcome);
        core.spawner.spawn(task);
        Ok(State::Opening(attempt))
    }

    /// Puts the opened session in, unless the client is gone.
    fn opened(&self, slot: &Slot, session: &Session) -> bool {
        let mut inner = self.inner.lock();
        match inner.links.iter_mut().find(|link| link.slot.index == slot.index) {
            Some(link) => {
                link.state = State::Open(session.clone());
                true
            }
            None => false,
        }
    }

    fn failed(&self, slot: &Slot) {
        self.inner.lock().links.retain(|link| link.slot.index != slot.index);
    }
}

impl Inner {
    fn put(&mut self, slot: &Arc<Slot>, state: State) {
        self.links.push(Link { slot: slot.clone(), state });
    }
}

/// Opens one session and hands it to whoever waits for it.
async fn opening(
    core: Arc<Core>,
    links: Arc<Links>,
    client: Arc<Client>,
    slot: Arc<Slot>,
    outcome: watch::Sender<Attempt>,
) {
    let ear = Ear::new(&core, &client, &slot);
    let sink = inbox(&client, &slot, ear.clone());
    let caller = Caller::new(client.identity.clone());
    let hello = client.hello.clone();
    let session = match core.connector.open(&slot.target, caller, hello, Some(sink)).await {
        Ok(session) => session,
        Err(error) => {
            tracing::info!(backend = %slot.target.id, %error, "no session for a client");
            links.failed(&slot);
            outcome.send_replace(Some(Err(call_error(&error))));
            return;
        }
    };
    // Before the first call, so that its messages have the level the client asked for.
    push_level(&slot, &session, &client).await;
    let level = client.level();
    if !links.opened(&slot, &session) {
        session.close().await;
        outcome.send_replace(Some(Err(CallError::gateway(ErrorKind::Closed))));
        return;
    }
    slot.opened();
    // What the client said meanwhile reached only the sessions that were open.
    if client.is_listening() {
        session.listen();
    }
    if client.level() != level {
        push_level(&slot, &session, &client).await;
    }
    if client.declares() && announces(&session) {
        ear.heard();
    }
    outcome.send_replace(Some(Ok(session)));
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

/// Asks a backend that logs for the level its client wants; a shared one for the most verbose anybody wants.
pub(super) async fn push_level(slot: &Slot, session: &Session, client: &Client) {
    let logs = slot.inventory.load().as_ref().is_some_and(|known| known.offers.logging);
    let level: Option<Level> = match slot.scope {
        Scope::Shared => slot.hub.level(),
        Scope::PerSession | Scope::PerSessionClosed => client.level(),
    };
    if let (true, Some(level)) = (logs, level) {
        let call = Call::new(method::LOGGING_SET_LEVEL, Some(level.params()));
        route::settle(session, call).await;
    }
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
