//! A backend's reply on its way to the client: passed on as it is, except what the gateway itself acts on.

use std::sync::Arc;

use bytes::Bytes;
use tokio::time::Instant;
use vmcp_backend::{Event, Response};
use vmcp_wire::{Kind, method};

use crate::catalogue::{Scope, Slot};
use crate::hub;
use crate::metrics::{MethodKind, Outcome};
use crate::session::Client;

/// The reply to one call. Dropping it before its end takes the call back.
pub struct Reply {
    /// Whether the backend answers with an event stream.
    pub streamed: bool,
    /// Whether the backend says itself what kind of result it gives, and how long it is fresh.
    pub typed: bool,
    inner: vmcp_backend::Reply,
    relay: Option<Relay>,
}

/// What a forwarded call needs on the way back.
pub(crate) struct Relay {
    client: Arc<Client>,
    timer: Timer,
}

/// Counts a call exactly once, however it ends.
pub(crate) struct Timer {
    slot: Arc<Slot>,
    method: MethodKind,
    started: Instant,
    done: bool,
}

// === impl Reply ===

impl Reply {
    /// A reply that vmcp made itself: `result` is a raw JSON object.
    pub(crate) fn made(result: Bytes) -> Self {
        Self {
            streamed: false,
            typed: false,
            inner: vmcp_backend::Reply::made(result),
            relay: None,
        }
    }

    /// In the shape that the backends have, which clients may rely on.
    pub(crate) fn shaped(mut self, streamed: bool) -> Self {
        self.streamed = streamed;
        self
    }

    /// A backend's reply.
    pub(crate) fn relayed(inner: vmcp_backend::Reply, typed: bool, relay: Relay) -> Self {
        Self { streamed: inner.streamed, typed, inner, relay: Some(relay) }
    }

    /// The next thing that comes back; `None` after the last.
    ///
    /// # Cancel safety
    /// Safe: a dropped future loses nothing, the next call goes on where it stood.
    pub async fn next(&mut self) -> Option<Event> {
        loop {
            let event = self.inner.next().await?;
            let Some(relay) = &mut self.relay else { return Some(event) };
            if let Some(event) = relay.pass(event) {
                return Some(event);
            }
        }
    }
}

// === impl Relay ===

impl Relay {
    pub(crate) fn new(client: &Arc<Client>, timer: Timer) -> Self {
        Self { client: client.clone(), timer }
    }

    fn pass(&mut self, event: Event) -> Option<Event> {
        let slot = &self.timer.slot;
        match event {
            Event::Notification(message) => match message.method() {
                // Its token says whose it is.
                method::PROGRESS => Some(Event::Notification(message)),
                // That this is the only call in flight does not make it this call's: a shared backend may speak of a
                // call that is over, and of somebody else.
                _ if slot.scope == Scope::Shared && !slot.hub.is_one_principal() => None,
                // A shared backend logs at the most verbose level that any of its clients wants.
                method::LOG_MESSAGE if slot.scope == Scope::Shared => {
                    let wanted = self.client.wants(hub::level_of(&message));
                    wanted.then_some(Event::Notification(message))
                }
                _ => Some(Event::Notification(message)),
            },
            // A shared backend was told that there is no client to ask; dropping its request refuses it.
            Event::Request(_) if slot.scope == Scope::Shared => None,
            Event::Request(request) => {
                Some(Event::Request(self.client.tokens.admit(slot.index, request)))
            }
            Event::Paused => Some(Event::Paused),
            Event::InputRequired(asked) => {
                self.timer.done(Outcome::Ok);
                Some(Event::InputRequired(asked))
            }
            Event::Response(response) => {
                if let (MethodKind::ToolsCall, Response::Whole(message)) =
                    (self.timer.method, &response)
                {
                    self.client.learnt.read(slot.index, message);
                    self.client.tasks.read_task(slot.index, message);
                }
                self.timer.done(match &response {
                    Response::Whole(message) if message.kind() == Kind::Failure => Outcome::Error,
                    _ => Outcome::Ok,
                });
                Some(Event::Response(response))
            }
            Event::Failed(error) => {
                self.timer.done(Outcome::of(&error));
                Some(Event::Failed(error))
            }
        }
    }
}

// === impl Timer ===

impl Timer {
    /// Starts now.
    pub(crate) fn start(slot: &Arc<Slot>, method: &str) -> Self {
        let method = MethodKind::of(method);
        Self { slot: slot.clone(), method, started: Instant::now(), done: false }
    }

    /// The call ended.
    pub(crate) fn done(&mut self, outcome: Outcome) {
        if !std::mem::replace(&mut self.done, true) {
            self.slot.metrics.call(self.method, outcome, self.started.elapsed());
        }
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        self.done(Outcome::Cancelled);
    }
}
