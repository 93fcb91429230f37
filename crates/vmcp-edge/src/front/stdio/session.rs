//! The one session of a client with one stream for everything: a pair of pipes, or an event stream and what is posted
//! beside it.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::time::Instant;
use vmcp_auth::{Caller, Identity};
use vmcp_backend::{Call, CallError, ErrorKind, Event, TraceContext};
use vmcp_config::Config;
use vmcp_gateway::{Gateway, MultiSession};
use vmcp_wire::revision::Revision;
use vmcp_wire::{Message, RawId, WireError, rpc};

use super::writer::Line;
use super::{calls, lone, say};
use crate::admit::Place;
use crate::front::modern::claim_line;
use crate::front::{Hall, Incoming, Lone, Older, Opening, Sorted};
use crate::metrics::{MethodKind, Metrics, Outcome};
use crate::relay::Leg;
use crate::respond;
use crate::session::questions::{self, Way};
use crate::session::{Calls, Questions};
use crate::tasks::Tasks;

/// The client on the other end of the stream, before and after the handshake.
pub(in crate::front) struct PipeSession {
    setting: Setting,
    queue: mpsc::Sender<Line>,
    open: Option<Open>,
    /// The requests that say all about themselves and are not answered yet.
    lone: Arc<Calls>,
    /// What the handshake settled, for whoever reads the messages.
    revision: Arc<OnceLock<Revision>>,
}

/// What a session needs of the server that it is in.
pub(in crate::front) struct Setting {
    pub(in crate::front) config: Arc<Config>,
    pub(in crate::front) gateway: Arc<Gateway>,
    /// What requests that say all about themselves share.
    pub(in crate::front) hall: Arc<Hall>,
    /// Who counts, if anybody does.
    pub(in crate::front) metrics: Option<Arc<Metrics>>,
    /// What the session runs.
    pub(in crate::front) tasks: Tasks,
}

/// What comes along with a message. A line on a pipe has nothing of it.
#[derive(Clone, Default)]
pub(in crate::front) struct Along {
    /// Who sent it; without, whoever started this process.
    pub(in crate::front) caller: Option<Caller>,
    pub(in crate::front) trace: Option<TraceContext>,
    /// Given back when the calls in it are answered.
    pub(in crate::front) place: Option<Arc<Place>>,
}

/// What there is after the handshake.
struct Open {
    older: Older,
    multi: Arc<MultiSession>,
    calls: Arc<Calls>,
    questions: Arc<Questions>,
}

// === impl PipeSession ===

impl PipeSession {
    pub(in crate::front) fn new(setting: Setting, queue: mpsc::Sender<Line>) -> Self {
        let lone = Calls::new(setting.config.session.max_calls);
        Self { setting, queue, open: None, lone, revision: Arc::default() }
    }

    /// The revision, once there has been a handshake.
    pub(in crate::front) fn revision(&self) -> Arc<OnceLock<Revision>> {
        Arc::clone(&self.revision)
    }

    /// Takes one message: of the session, or one that needs none. Each says which it is.
    pub(super) async fn message(&mut self, message: Message) {
        match claim_line(&message) {
            Ok(None) => {}
            Ok(Some(lone)) => return self.lone(lone).await,
            Err(refusal) => return say(&self.queue, refusal.message()).await,
        }
        self.own(message, Along::default()).await;
    }

    /// Takes one message of the session, the handshake included.
    pub(in crate::front) async fn own(&mut self, message: Message, along: Along) {
        let incoming = Incoming::One(message);
        if let Some(opening) = incoming.opening() {
            let answer = self.handshake(opening, along).await;
            return say(&self.queue, answer).await;
        }
        let Incoming::One(message) = incoming else { return };
        if let Some(answer) = self.sorted(Sorted::new(message), along) {
            say(&self.queue, answer).await;
        }
    }

    /// Takes a batch, if the revision has batches. Its answers are lines of their own: joining them would
    /// make quick ones wait for slow ones, and a client can tell them by their ids.
    pub(in crate::front) async fn batch(
        &mut self,
        messages: Vec<Result<Message, WireError>>,
        along: Along,
    ) {
        let incoming = Incoming::Batch(messages);
        let revision = self.revision.get().copied().unwrap_or(Revision::LATEST_HANDSHAKE);
        if let Err(refusal) = incoming.fits(revision) {
            return say(&self.queue, refusal.message()).await;
        }
        let Incoming::Batch(messages) = incoming else { return };
        for message in messages {
            let answer = match message {
                Ok(message) => self.sorted(Sorted::new(message), along.clone()),
                Err(error) => Some(rpc::failure(None, error.code(), &error.to_string(), None)),
            };
            if let Some(answer) = answer {
                say(&self.queue, answer).await;
            }
        }
    }

    /// Begins to answer a request that needs no session.
    async fn lone(&mut self, lone: Box<Lone>) {
        let id = lone.id().clone();
        let Some(ticket) = self.lone.enter(id.clone()) else {
            let busy = respond::failure(&id, &CallError::gateway(ErrorKind::Busy));
            return say(&self.queue, busy).await;
        };
        let (hall, queue) = (Arc::clone(&self.setting.hall), self.queue.clone());
        self.setting.tasks.run(lone::run(hall, lone, ticket, queue));
    }

    async fn handshake(&mut self, message: &Message, along: Along) -> Bytes {
        let opening = match Opening::read(message) {
            Ok(opening) => opening,
            Err(refusal) => return refusal.message(),
        };
        let Opening { id, hello } = opening;
        if self.open.is_some() {
            let text = "this session is open already";
            return rpc::failure(Some(&id), rpc::INVALID_REQUEST, text, None);
        }
        let Setting { config, gateway, metrics, tasks, .. } = &self.setting;
        let mut meter = metrics.as_ref().map(|metrics| metrics.call(MethodKind::HANDSHAKE));
        let revision = hello.revision;
        let older = Older::new(revision, config);
        let questions = Questions::new(&hello.capabilities, older, config, tasks.clone());
        let questions = Arc::new(questions);
        let sink = sink(&questions, older, &self.queue);
        let caller = along.caller.unwrap_or_else(|| Caller::from(Identity::local()));
        let multi = gateway.open(hello, caller, sink).await;
        // The stream is always open, so messages outside calls always reach the client.
        multi.listening(true);
        if let Some(meter) = &mut meter {
            meter.end(Outcome::Ok);
        }
        let answer = Opening::answer(&id, revision, &multi);
        let calls = Calls::new(config.session.max_calls);
        self.open = Some(Open { older, multi, calls, questions });
        self.revision.set(revision).ok();
        answer
    }

    /// Deals with a message; gives the answer that is due at once.
    fn sorted(&self, sorted: Sorted, along: Along) -> Option<Bytes> {
        let Some(open) = &self.open else {
            return match sorted {
                Sorted::Cancel(id, reason) => {
                    self.lone.cancel(&id, reason);
                    None
                }
                Sorted::Ping(id) => Some(rpc::success(&id, b"{}")),
                Sorted::Call(id, _) => {
                    let text = "the session is not open yet";
                    Some(rpc::failure(Some(&id), rpc::INVALID_REQUEST, text, None))
                }
                _ => None,
            };
        };
        match sorted {
            Sorted::Ping(id) => return Some(rpc::success(&id, b"{}")),
            Sorted::Call(id, message) => return self.call(open, &id, &message, along),
            Sorted::Cancel(id, reason) => {
                self.lone.cancel(&id, reason.clone());
                open.calls.cancel(&id, reason);
            }
            Sorted::Notice(message) => open.multi.notify(message.method(), message.params()),
            Sorted::Answer(message) => open.questions.answer(message),
            Sorted::Done => {}
        }
        None
    }

    fn call(&self, open: &Open, id: &RawId, message: &Message, along: Along) -> Option<Bytes> {
        let Along { caller, trace, place } = along;
        let method = MethodKind::of(message.method());
        let mut meter = self.setting.metrics.as_ref().map(|metrics| metrics.call(method));
        let Some(ticket) = open.calls.enter(id.clone()) else {
            if let Some(meter) = &mut meter {
                meter.end(Outcome::Failed);
            }
            return Some(respond::failure(id, &CallError::gateway(ErrorKind::Busy)));
        };
        let mut call = Call::new(method.name(message.method()), message.params())
            .with_cancel(ticket.cancel().clone());
        if let Some(caller) = caller {
            call = call.with_caller(caller);
        }
        call.trace = trace;
        let (multi, questions) = (Arc::clone(&open.multi), Arc::clone(&open.questions));
        let client = calls::Client { multi, questions, older: open.older };
        let run = calls::run(client, Leg::new(ticket, meter), call, self.queue.clone());
        self.setting.tasks.run(async move {
            run.await;
            drop(place);
        });
        None
    }

    pub(super) fn sweep(&self, now: Instant) {
        self.setting.hall.sweep(now);
        self.expire(now);
    }

    /// Refuses questions that have waited for too long.
    pub(in crate::front) fn expire(&self, now: Instant) {
        if let Some(open) = &self.open {
            open.questions.expire(now);
        }
    }

    /// The client says nothing more: whatever it is asked from now on, nobody can answer.
    pub(in crate::front) fn hang_up(&self) {
        if let Some(open) = &self.open {
            open.questions.close();
        }
    }

    /// The client hears nothing more: its calls are taken back.
    pub(in crate::front) fn take_back(&self) {
        if let Some(open) = &self.open {
            open.calls.cancel_all();
        }
    }

    /// Closes the backends' sessions. Calls that still run end with them.
    pub(in crate::front) async fn finish(&mut self, grace: Duration) {
        let Some(open) = self.open.take() else { return };
        if tokio::time::timeout(grace, open.multi.close()).await.is_err() {
            tracing::warn!("closing the backends' sessions took too long");
        }
    }
}

/// Messages outside calls. When the client does not keep up, notifications are dropped and requests refused.
fn sink(
    questions: &Arc<Questions>,
    older: Older,
    queue: &mpsc::Sender<Line>,
) -> vmcp_gateway::ClientSink {
    let questions = Arc::downgrade(questions);
    let queue = queue.downgrade();
    Arc::new(move |event| {
        let (Some(questions), Some(queue)) = (questions.upgrade(), queue.upgrade()) else { return };
        let Ok(place) = queue.try_reserve() else { return };
        let message = match event {
            Event::Notification(message) if questions::is_withdrawal(&message) => {
                questions.withdraw(&message, Way::Outside)
            }
            Event::Notification(message) => older.hears(&message).then(|| message.bytes().clone()),
            Event::Request(peer) => questions.ask(peer, Way::Outside),
            Event::Paused | Event::InputRequired(_) | Event::Response(_) | Event::Failed(_) => None,
        };
        if let Some(message) = message {
            place.send(Line::Whole(message));
        }
    })
}
