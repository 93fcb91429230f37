//! A backend's reply on its way to the client: passed on as it is, except what the gateway itself acts on.

use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::time::Instant;
use vmcp_backend::{CallError, Event, Response};
use vmcp_wire::{Kind, Message, method};

use self::beside::Heard;
use crate::catalogue::{Scope, Slot};
use crate::hub;
use crate::metrics::{MethodKind, Outcome};
use crate::route::{self, Track};
use crate::session::Client;

mod beside;

pub(crate) use beside::Beside;

/// The reply to one call. Dropping it before its end takes the call back.
pub struct Reply {
    /// Whether the backend answers with an event stream.
    pub streamed: bool,
    /// Whether the backend says itself what kind of result it gives, and how long it is fresh.
    pub typed: bool,
    inner: Inner,
    relay: Option<Relay>,
    /// A long response that is read whole.
    gathered: Option<Gathering>,
}

/// Where a reply is read from.
pub(crate) enum Inner {
    /// All that the backend says to the call is in its reply.
    Plain(vmcp_backend::Reply),
    /// It may say something beside it.
    Beside(Box<Beside>),
}

/// The lock is never waited for: it only makes a reply something that can be shared.
type Gathering = Mutex<Pin<Box<dyn Future<Output = Result<Response, CallError>> + Send>>>;

/// What a forwarded call needs on the way back.
pub(crate) struct Relay {
    client: Arc<Client>,
    timer: Timer,
    /// Reads the ids of tasks, if the call is about one or may become one.
    track: Option<Box<Track>>,
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
            inner: Inner::Plain(vmcp_backend::Reply::made(result)),
            relay: None,
            gathered: None,
        }
    }

    /// In the shape that the backends have, which clients may rely on.
    pub(crate) fn shaped(mut self, streamed: bool) -> Self {
        self.streamed = streamed;
        self
    }

    /// A backend's reply.
    pub(crate) fn relayed(inner: Inner, typed: bool, relay: Relay) -> Self {
        let streamed = match &inner {
            Inner::Plain(reply) => reply.streamed,
            Inner::Beside(beside) => beside.is_streamed(),
        };
        Self { streamed, typed, inner, relay: Some(relay), gathered: None }
    }

    /// Reads a response that was put together from its parts: what its content links to is remembered, as it is of one
    /// that came whole.
    pub fn learn(&self, response: &Message) {
        if let Some(relay) = &self.relay {
            relay.learn(response);
        }
    }

    /// The next thing that comes back; `None` after the last.
    ///
    /// # Cancel safety
    /// Safe: a dropped future loses nothing, the next call goes on where it stood.
    pub async fn next(&mut self) -> Option<Event> {
        loop {
            let event = match (&mut self.gathered, &mut self.relay) {
                (Some(gathering), Some(relay)) => {
                    let whole = gathering.get_mut().as_mut().await;
                    self.gathered = None;
                    let event = whole.map_or_else(Event::Failed, Event::Response);
                    match relay.pass(event) {
                        Some(event) => return Some(event),
                        None => continue,
                    }
                }
                _ => match &mut self.inner {
                    Inner::Plain(reply) => reply.next().await?,
                    // Boxed, since it is rare and large.
                    Inner::Beside(beside) => match Box::pin(beside.next()).await? {
                        Heard::Event(event) => event,
                        Heard::Beside(event) => return Some(event),
                    },
                },
            };
            let Some(relay) = &mut self.relay else { return Some(event) };
            if let Event::Response(Response::Parts(parts)) = event {
                let Some(track) = &relay.track else {
                    return relay.pass(Event::Response(Response::Parts(parts)));
                };
                self.gathered = Some(Mutex::new(Box::pin(track.held(parts))));
                continue;
            }
            if let Some(event) = relay.pass(event) {
                return Some(event);
            }
        }
    }
}

// === impl Relay ===

impl Relay {
    pub(crate) fn new(client: &Arc<Client>, timer: Timer, track: Option<Box<Track>>) -> Self {
        Self { client: client.clone(), timer, track }
    }

    /// Remembers whose the things are that a response names.
    fn learn(&self, response: &Message) {
        let backend = self.timer.slot.index;
        match self.timer.method {
            MethodKind::ToolsCall | MethodKind::PromptsGet => {
                self.client.learnt.read(backend, response)
            }
            _ => {}
        }
    }

    fn pass(&mut self, event: Event) -> Option<Event> {
        let slot = &self.timer.slot;
        match event {
            Event::Notification(message) => match message.method() {
                // Its token says whose it is.
                method::PROGRESS => Some(Event::Notification(message)),
                // Its id says whose it is.
                method::TASKS_STATUS if slot.scope == Scope::Shared => {
                    slot.hub.task(slot.index, &message);
                    None
                }
                method::TASKS_STATUS | method::TASKS_CHANGED => {
                    route::status(&self.client, slot.index, &message).map(Event::Notification)
                }
                // That this is the only call in flight does not make it this call's: a shared backend may speak of a
                // call that is over, and of somebody else.
                _ if slot.scope == Scope::Shared && !slot.hub.is_one_principal() => None,
                // A shared backend logs at the most verbose level that any of its clients wants.
                method::LOG_MESSAGE if slot.scope == Scope::Shared => {
                    let wanted = self.client.wants(hub::level_of(&message));
                    wanted.then_some(Event::Notification(message))
                }
                _ => Some(Event::Notification(route::related(&self.client, slot.index, message))),
            },
            // A shared backend was told that there is no client to ask; dropping its request refuses it.
            Event::Request(_) if slot.scope == Scope::Shared => None,
            Event::Request(mut request) => {
                request.message = route::related(&self.client, slot.index, request.message.clone());
                Some(Event::Request(self.client.tokens.admit(slot.index, request)))
            }
            Event::Paused => Some(Event::Paused),
            Event::InputRequired(asked) => {
                self.timer.done(Outcome::Ok);
                Some(Event::InputRequired(asked))
            }
            Event::Response(response) => {
                let response = match (response, &mut self.track) {
                    (Response::Whole(message), Some(track)) => match track.response(message) {
                        Ok(message) => Response::Whole(message),
                        Err(error) => {
                            self.timer.done(Outcome::of(&error));
                            return Some(Event::Failed(error));
                        }
                    },
                    (response, _) => response,
                };
                if let Response::Whole(message) = &response {
                    self.learn(message);
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
