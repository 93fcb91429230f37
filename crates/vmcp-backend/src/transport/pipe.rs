//! One connection that all calls of a session share: SSE, stdio, a server in this process.
//!
//! One reader task hands each message to the call it belongs to, through that call's own bounded queue
//! ([`routes`]). Whoever does not read its queue makes the reader wait, but not for ever: after the stall
//! deadline that call fails and the others go on. Writing goes through one bounded queue too (or, on SSE,
//! through POSTs).

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::mpsc;
use vmcp_auth::Caller;
use vmcp_config::BackendId;
use vmcp_wire::revision::Revision;
use vmcp_wire::{Head, Kind, Message, Object, Piece, RawId, WireError, method, rpc};

use super::gather::Addressee;
use super::sse::Poster;
use super::{Answerer, Framing, Request, StartError};
use crate::call::Behalf;
use crate::tasks::Errands;
use crate::{
    CallError, ErrorKind, Executed, Outside, PeerRequest, Sink, TargetLimits, dialect, peer,
};

mod opening;
mod owner;
mod pulse;
mod reply;
mod routes;

pub(crate) use owner::Owner;
pub(crate) use reply::PipeReply;

use pulse::Pulse;
use routes::{Destination, Put, Routes};

/// Messages that wait to be written.
pub(crate) const OUTBOX: usize = 64;
/// The id of the requests that only ask for a sign of life; calls count from 1.
const PING: u64 = 0;
/// How long a slow call may delay a notification to it before the notification is dropped.
const PATIENCE: Duration = Duration::from_secs(1);

/// The shared connection.
pub(crate) struct Pipe {
    pub(crate) backend: BackendId,
    pub(crate) framing: Framing,
    stall: Duration,
    write: Duration,
    outbox: Outbox,
    /// Which call each message belongs to. Short sections only.
    routes: Mutex<Routes>,
    sink: Option<Sink>,
    errands: Errands,
    garbage: AtomicU64,
    pulse: Pulse,
    /// The revision that both sides speak.
    agreed: OnceLock<Revision>,
}

/// The way out.
pub(crate) enum Outbox {
    /// To the task that writes lines.
    Lines(mpsc::Sender<Bytes>),
    /// One POST per message.
    Post(Poster),
}

/// Where the pieces of the response that streams just now go.
pub(crate) struct Streaming(Option<Destination>);

// === impl Pipe ===

impl Pipe {
    pub(crate) fn new(
        backend: BackendId,
        limits: &TargetLimits,
        outbox: Outbox,
        sink: Option<Sink>,
    ) -> Arc<Self> {
        Arc::new(Self {
            backend,
            framing: Framing::from(limits),
            stall: limits.stall,
            write: limits.write,
            outbox,
            routes: Mutex::new(Routes::new()),
            sink,
            errands: Errands::here(),
            garbage: AtomicU64::new(0),
            pulse: Pulse::default(),
            agreed: OnceLock::new(),
        })
    }

    /// The revision that both sides speak, once that is known.
    pub(crate) fn revision(&self) -> Option<Revision> {
        self.agreed.get().copied()
    }

    /// Sends one request and gives its reply once the backend has begun to answer.
    pub(crate) async fn call(
        self: &Arc<Self>,
        request: Request,
        behalf: Option<Behalf<'_>>,
    ) -> Result<PipeReply, StartError> {
        let Request { id, body: request, subscribes, .. } = request;
        let queue = self.routes.lock().open(id, subscribes);
        let Some(queue) = queue else { return Err(StartError::SessionLost) };
        let mut reply = PipeReply::new(self, id, queue);
        match &self.outbox {
            Outbox::Lines(lines) => {
                self.write(lines, request).await?;
                reply.begun().await.map_err(StartError::Failed)?;
            }
            Outbox::Post(poster) => {
                // The reply may come before the POST is answered, or instead of an answer.
                tokio::select! {
                    biased;
                    posted = poster.post(request, behalf) => {
                        posted.inspect_err(|error| {
                            if matches!(error, StartError::SessionLost) {
                                self.close("the backend does not know the session");
                            }
                        })?;
                        reply.begun().await.map_err(StartError::Failed)?;
                    }
                    begun = reply.begun() => begun.map_err(StartError::Failed)?,
                }
            }
        }
        Ok(reply)
    }

    /// Sends a notification or a response.
    pub(crate) async fn tell(
        &self,
        message: Bytes,
        caller: Option<&Caller>,
    ) -> Result<(), StartError> {
        if self.is_closed() {
            return Err(StartError::SessionLost);
        }
        match &self.outbox {
            Outbox::Lines(lines) => self.write(lines, message).await,
            Outbox::Post(poster) => poster.post(message, caller.map(Behalf::of)).await,
        }
    }

    /// Nothing comes any more: every call in flight fails, and the session is lost.
    pub(crate) fn close(&self, why: &str) {
        let error = CallError::backend(&self.backend, ErrorKind::Unavailable, Executed::Unknown)
            .with_internal(why);
        if self.routes.lock().close(&error) {
            tracing::info!(backend = %self.backend, why, "connection to the backend lost");
            if let Some(sink) = &self.sink {
                sink(Outside::Lost);
            }
        }
    }

    /// Ends the connection on purpose: nobody is told that it is lost.
    pub(crate) fn retire(&self) {
        let error = CallError::backend(&self.backend, ErrorKind::Closed, Executed::Unknown);
        self.routes.lock().close(&error);
    }

    /// Something was not answered, or not read: the backend has to give a sign of life, where somebody asks for it
    /// ([`hangs`](Self::hangs)).
    pub(crate) fn suspect(&self) {
        self.pulse.suspect();
    }

    /// Returns once the backend, having been suspected, gave no sign of life for so long after it was asked for one.
    ///
    /// Whatever it says is a sign of life, and it cannot be heard while the reader waits for a slow call.
    pub(crate) async fn hangs(&self, patience: Duration) {
        loop {
            self.pulse.suspected().await;
            if let Outbox::Lines(lines) = &self.outbox {
                // If there is no room, what waits there already asks for an answer.
                let _ = lines.try_send(rpc::request(&RawId::number(PING), method::PING, None));
            }
            if !self.pulse.beats_within(patience).await {
                return;
            }
        }
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.routes.lock().is_closed()
    }

    /// Whether each message is a request of its own, which takes credentials first.
    pub(crate) fn posts(&self) -> bool {
        matches!(self.outbox, Outbox::Post(_))
    }

    /// Nobody waits for this call any more.
    pub(crate) fn forget(&self, id: u64) {
        self.routes.lock().forget(id);
    }

    async fn write(&self, lines: &mpsc::Sender<Bytes>, message: Bytes) -> Result<(), StartError> {
        match lines.send_timeout(message, self.write).await {
            Ok(()) => Ok(()),
            Err(mpsc::error::SendTimeoutError::Closed(_)) => Err(StartError::SessionLost),
            Err(mpsc::error::SendTimeoutError::Timeout(_)) => {
                self.suspect();
                let error = CallError::backend(&self.backend, ErrorKind::Busy, Executed::No);
                Err(StartError::Failed(error.with_internal("the backend does not read its input")))
            }
        }
    }
}

// === impl Pipe: what the reader task calls ===

impl Pipe {
    /// Hands a complete message to whom it belongs. Waits for a slow call, within bounds.
    pub(crate) async fn message(self: &Arc<Self>, message: Message) {
        self.pulse.beat();
        match message.kind() {
            Kind::Success | Kind::Failure => {
                let destination = self.answered(message.id().as_ref());
                if let Some(destination) = destination {
                    self.put(&destination, Put::Message(message)).await;
                }
            }
            Kind::Notification => self.notification(message).await,
            Kind::Request => self.request(message).await,
        }
    }

    /// A long response begins. If it does not say yet whose it is, it is for `addressee`; the id is checked by
    /// whoever reads it, when it comes.
    pub(crate) async fn head(&self, head: Head, addressee: Addressee) -> Streaming {
        let destination = match (&head.id, addressee) {
            (None, Addressee::Only(id)) => self.answered(Some(&RawId::number(id))),
            (id, _) => self.answered(id.as_ref()),
        };
        if let Some(destination) = &destination {
            self.put(destination, Put::Head(head)).await;
        }
        Streaming(destination)
    }

    /// More of the response that streams.
    pub(crate) async fn pieces(&self, streaming: &Streaming, pieces: Vec<Piece>) {
        self.pulse.beat();
        if let Some(destination) = &streaming.0 {
            self.put(destination, Put::Pieces(pieces)).await;
        }
    }

    /// The response that streamed is complete.
    pub(crate) async fn end(&self, streaming: Streaming) {
        if let Some(destination) = &streaming.0 {
            self.put(destination, Put::End).await;
        }
    }

    /// Something came that is no message. It is counted, and never answered: a reader that answers garbage with
    /// errors can keep a broken backend busy for ever.
    pub(crate) fn garbage(&self, error: &WireError, addressee: Addressee) {
        let count = self.garbage.fetch_add(1, Ordering::Relaxed) + 1;
        if count.is_power_of_two() {
            tracing::warn!(backend = %self.backend, count, %error, "the backend says things that are no messages");
        }
        // Too large to be held: it may have been the response of the only call that waits.
        if let (WireError::TooLarge { .. }, Addressee::Only(id)) = (error, addressee)
            && let Some(destination) = self.answered(Some(&RawId::number(id)))
        {
            destination.fail(CallError::wire(&self.backend, error));
        }
    }

    /// Whose the messages are that begin now.
    pub(crate) fn addressee(&self) -> Addressee {
        self.routes.lock().addressee()
    }

    /// The response that streamed went wrong.
    pub(crate) fn broken(&self, streaming: Streaming, error: &WireError) {
        if let Some(destination) = streaming.0 {
            destination.fail(CallError::wire(&self.backend, error));
        }
    }

    /// Takes the call off the list: its response is here.
    fn answered(&self, id: Option<&RawId>) -> Option<Destination> {
        let destination = id.and_then(|id| self.routes.lock().answered(id));
        if destination.is_none() {
            tracing::debug!(backend = %self.backend, ?id, "a response to no call was dropped");
        }
        destination
    }

    async fn notification(self: &Arc<Self>, message: Message) {
        let method = message.method();
        if let Some(id) = dialect::subscription(&message) {
            // The stream that it belongs to hands it on.
            let destination = self.routes.lock().get(id);
            match destination {
                Some(destination) => self.put(&destination, Put::Message(message)).await,
                None => {
                    tracing::debug!(backend = %self.backend, "a change that nobody asked for was dropped")
                }
            }
            return;
        }
        let destination = match method {
            method::PROGRESS => {
                let params = message.params().unwrap_or_default();
                let token = Object::parse(&params)
                    .ok()
                    .and_then(|members| members.get("progressToken"))
                    .and_then(|token| token.as_u64());
                // Without one it is of a task that a call became, or too late.
                token.and_then(|token| self.routes.lock().get(token))
            }
            method::RESOURCES_UPDATED => None,
            _ if peer::is_about_the_backend(method) => None,
            _ => self.routes.lock().only(),
        };
        match destination {
            Some(destination) => self.put(&destination, Put::Message(message)).await,
            None => self.outside(message),
        }
    }

    async fn request(self: &Arc<Self>, message: Message) {
        let answerer = Answerer::Pipe(Arc::clone(self), None);
        if peer::answer_ping(&message, &answerer, &self.errands) {
            return;
        }
        // Nothing in a request says for which call it is. With one call in flight there is no doubt.
        let only = self.routes.lock().only();
        match only {
            None => self.outside(message),
            Some(destination) => {
                let open = destination.open_requests();
                let request = PeerRequest::new(message, &answerer, &self.errands, Some(&open));
                if let Some(request) = request {
                    self.put(&destination, Put::Request(request)).await;
                }
            }
        }
    }

    fn outside(self: &Arc<Self>, message: Message) {
        let answerer = Answerer::Pipe(Arc::clone(self), None);
        peer::outside(self.sink.as_ref(), &answerer, &self.errands, message);
    }

    async fn put(&self, destination: &Destination, item: Put) {
        let patience = match item {
            Put::Message(ref message) if message.kind() == Kind::Notification => {
                if destination.is_slow() { Duration::ZERO } else { PATIENCE }
            }
            _ => self.stall,
        };
        let droppable = patience < self.stall;
        let taken = self.pulse.unheard(destination.put(item, patience)).await;
        if taken || droppable {
            return;
        }
        tracing::warn!(backend = %self.backend, "a reply is not read; its call fails so that others go on");
        let mut error = CallError::backend(&self.backend, ErrorKind::Busy, Executed::Unknown);
        error.side = crate::Side::Gateway;
        destination.fail(error.with_internal("the reply was not read in time"));
    }
}
