//! The one session of a pair of pipes.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::time::Instant;
use vmcp_auth::{Caller, Identity};
use vmcp_backend::{Call, CallError, ErrorKind, Event};
use vmcp_config::Config;
use vmcp_gateway::{Gateway, MultiSession};
use vmcp_wire::revision::Revision;
use vmcp_wire::{Message, RawId, WireError, rpc};

use super::writer::Line;
use super::{calls, lone, say};
use crate::front::modern::claim_line;
use crate::front::{Hall, Incoming, Lone, Older, Opening, Sorted};
use crate::respond;
use crate::session::questions::{self, Way};
use crate::session::{Calls, Questions};
use crate::tasks::Tasks;

/// The client on the other end of the pipes, before and after the handshake.
pub(super) struct PipeSession {
    config: Arc<Config>,
    gateway: Arc<Gateway>,
    tasks: Tasks,
    queue: mpsc::Sender<Line>,
    open: Option<Open>,
    /// What requests that say all about themselves share.
    hall: Arc<Hall>,
    /// Those of them that are not answered yet.
    lone: Arc<Calls>,
}

/// What there is after the handshake.
struct Open {
    revision: Revision,
    older: Older,
    multi: Arc<MultiSession>,
    calls: Arc<Calls>,
    questions: Arc<Questions>,
}

// === impl PipeSession ===

impl PipeSession {
    pub(super) fn new(
        config: Arc<Config>,
        gateway: Arc<Gateway>,
        tasks: Tasks,
        queue: mpsc::Sender<Line>,
    ) -> Self {
        let hall = Hall::new(Arc::clone(&config), Arc::clone(&gateway), tasks.clone());
        let lone = Calls::new(config.session.max_calls);
        Self { config, gateway, tasks, queue, open: None, hall: Arc::new(hall), lone }
    }

    /// Takes one message: of the session, or one that needs none. Each says which it is.
    pub(super) async fn message(&mut self, message: Message) {
        match claim_line(&message) {
            Ok(None) => {}
            Ok(Some(lone)) => return self.lone(lone).await,
            Err(refusal) => return say(&self.queue, refusal.message()).await,
        }
        let incoming = Incoming::One(message);
        if let Some(opening) = incoming.opening() {
            let answer = self.handshake(opening).await;
            return say(&self.queue, answer).await;
        }
        let Incoming::One(message) = incoming else { return };
        if let Some(answer) = self.sorted(Sorted::new(message)) {
            say(&self.queue, answer).await;
        }
    }

    /// Takes a batch, if the revision has batches. Its answers are lines of their own: joining them would
    /// make quick ones wait for slow ones, and a client can tell them by their ids.
    pub(super) async fn batch(&mut self, messages: Vec<Result<Message, WireError>>) {
        let incoming = Incoming::Batch(messages);
        let revision = self.open.as_ref().map_or(Revision::LATEST_HANDSHAKE, |open| open.revision);
        if let Err(refusal) = incoming.fits(revision) {
            return say(&self.queue, refusal.message()).await;
        }
        let Incoming::Batch(messages) = incoming else { return };
        for message in messages {
            let answer = match message {
                Ok(message) => self.sorted(Sorted::new(message)),
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
        let (hall, queue) = (Arc::clone(&self.hall), self.queue.clone());
        self.tasks.run(lone::run(hall, lone, ticket, queue));
    }

    async fn handshake(&mut self, message: &Message) -> Bytes {
        let opening = match Opening::read(message) {
            Ok(opening) => opening,
            Err(refusal) => return refusal.message(),
        };
        let Opening { id, hello } = opening;
        if self.open.is_some() {
            let text = "this session is open already";
            return rpc::failure(Some(&id), rpc::INVALID_REQUEST, text, None);
        }
        let revision = hello.revision;
        let older = Older::new(revision, &self.config);
        let tasks = self.tasks.clone();
        let questions = Questions::new(&hello.capabilities, older, &self.config, tasks);
        let questions = Arc::new(questions);
        let sink = sink(&questions, older, &self.queue);
        let multi = self.gateway.open(hello, Caller::from(Identity::local()), sink).await;
        // The pipe is always open, so messages outside calls always reach the client.
        multi.listening(true);
        let answer = Opening::answer(&id, revision, &multi);
        let calls = Calls::new(self.config.session.max_calls);
        self.open = Some(Open { revision, older, multi, calls, questions });
        answer
    }

    /// Deals with a message; gives the answer that is due at once.
    fn sorted(&self, sorted: Sorted) -> Option<Bytes> {
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
            Sorted::Call(id, message) => return self.call(open, &id, &message),
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

    fn call(&self, open: &Open, id: &RawId, message: &Message) -> Option<Bytes> {
        let Some(ticket) = open.calls.enter(id.clone()) else {
            return Some(respond::failure(id, &CallError::gateway(ErrorKind::Busy)));
        };
        let call = Call::new(message.method().to_owned(), message.params())
            .with_cancel(ticket.cancel().clone());
        let (multi, questions) = (Arc::clone(&open.multi), Arc::clone(&open.questions));
        let client = calls::Client { multi, questions, older: open.older };
        self.tasks.run(calls::run(client, ticket, call, self.queue.clone()));
        None
    }

    pub(super) fn expire(&self, now: Instant) {
        self.hall.sweep(now);
        if let Some(open) = &self.open {
            open.questions.expire(now);
        }
    }

    /// The client says nothing more: whatever it is asked from now on, nobody can answer.
    pub(super) fn hang_up(&self) {
        if let Some(open) = &self.open {
            open.questions.close();
        }
    }

    /// Closes the backends' sessions. Calls that still run end with them.
    pub(super) async fn finish(&mut self, grace: Duration) {
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
