//! The reply to one POST, read by whoever awaits it.
//!
//! A JSON body is one message. An event stream may carry notifications and requests before the response, and
//! the backend may close it early: if it gave the last event an id, the reply is resumed with a GET, after
//! exactly the time that the backend asked for.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderValue, Response, StatusCode};
use tokio::time::{Instant, sleep_until};
use vmcp_auth::Caller;
use vmcp_net::{Body, NetError};
use vmcp_wire::{Assembled, Assembler, Message, WireError};

use super::super::events::{EventItem, Events};
use super::super::gather::{Addressee, Gathered};
use super::super::http::is_type;
use super::super::status::Refusal;
use super::super::{Framing, Item};
use super::{Exchange, jitter};
use crate::{CallError, ErrorKind, Executed};

/// Attempts to resume that may fail in a row. Those that succeed are not counted: a backend that works long may
/// be polled as often as it asks for, until the call's own deadline.
const MAX_FAILURES: u32 = 5;
/// Waiting times that a backend may ask for; outside they are clamped.
const MIN_RETRY: Duration = Duration::from_millis(100);
const MAX_RETRY: Duration = Duration::from_secs(300);
/// The waiting time when the backend does not say one.
const USUAL_RETRY: Duration = Duration::from_secs(1);

/// What the backend answers to one POST.
pub(crate) enum HttpReply {
    /// Nothing comes any more.
    Over,
    /// A response that is there already.
    Ready(Box<Message>),
    Json(Box<JsonReply>),
    Events(Box<EventReply>),
}

pub(crate) struct JsonReply {
    exchange: Arc<Exchange>,
    body: Body,
    assembler: Assembler,
    /// Messages that are read already: more than one if the backend answers with a batch.
    ready: VecDeque<Message>,
    streaming: bool,
    ended: bool,
}

pub(crate) struct EventReply {
    exchange: Arc<Exchange>,
    /// On whose behalf the rest is asked for.
    caller: Caller,
    events: Events,
    /// `None` while the stream is closed.
    body: Option<Body>,
    closed_at: Instant,
    /// Why it closed, if it was not by itself.
    broke: Option<NetError>,
    last_event_id: Option<String>,
    retry: Option<Duration>,
    failures: u32,
    /// The caller knows that the stream is closed for now.
    told: bool,
    streaming: bool,
}

// === impl HttpReply ===

impl HttpReply {
    /// Reads a successful response.
    pub(crate) fn new(
        exchange: &Arc<Exchange>,
        response: Response<Body>,
        caller: &Caller,
    ) -> Result<Self, CallError> {
        let status = response.status();
        if status != StatusCode::OK {
            exchange.drain(response.into_body());
            let text = match status {
                StatusCode::NO_CONTENT | StatusCode::ACCEPTED => {
                    "the backend accepted the request and will not answer it".to_owned()
                }
                _ => format!("the backend answered HTTP {}", status.as_u16()),
            };
            return Err(exchange.error(ErrorKind::Protocol(text), Executed::Unknown));
        }
        if is_type(&response, "text/event-stream") {
            let body = response.into_body();
            return Ok(Self::Events(Box::new(EventReply::new(exchange, body, caller))));
        }
        if is_type(&response, "application/json") || is_type(&response, "") {
            return Ok(Self::Json(Box::new(JsonReply::new(exchange, response.into_body()))));
        }
        let text = "the reply is neither JSON nor an event stream".to_owned();
        Err(exchange.error(ErrorKind::Protocol(text), Executed::Unknown))
    }

    pub(crate) fn streamed(&self) -> bool {
        matches!(self, Self::Events(_))
    }

    /// The next step. Cancel-safe: all state is kept in `self`.
    pub(crate) async fn next(&mut self) -> Result<Item, CallError> {
        match self {
            Self::Json(reply) => reply.next().await,
            Self::Events(reply) => reply.next().await,
            Self::Over => Ok(Item::End),
            Self::Ready(_) => match std::mem::replace(self, Self::Over) {
                Self::Ready(message) => Ok(Item::Message(*message)),
                _ => Ok(Item::End),
            },
        }
    }

    /// The response is there. What the backend may still send is read away, so that the connection lives.
    pub(crate) fn finish(&mut self) {
        if let Self::Events(reply) = std::mem::replace(self, Self::Over)
            && let Some(body) = reply.body
        {
            reply.exchange.drain(body);
        }
    }
}

impl HttpReply {
    /// As [`finish`](Self::finish), but waits a moment for the end of the stream, whose connection can then be
    /// used at once.
    pub(super) async fn end_within(&mut self, patience: Duration) {
        if let Self::Events(reply) = self
            && let Some(body) = &mut reply.body
        {
            // An end or an error is all that matters; what is still said is of no interest.
            let ending = async { while let Some(Ok(_)) = body.chunk().await {} };
            if tokio::time::timeout(patience, ending).await.is_ok() {
                reply.body = None;
            }
        }
        self.finish();
    }
}

// === impl JsonReply ===

impl JsonReply {
    fn new(exchange: &Arc<Exchange>, body: Body) -> Self {
        let Framing { limits, hold, max_streamed } = exchange.framing;
        Self {
            exchange: Arc::clone(exchange),
            body,
            assembler: Assembler::new(limits, hold, false).with_max_streamed(Some(max_streamed)),
            ready: VecDeque::new(),
            streaming: false,
            ended: false,
        }
    }

    async fn next(&mut self) -> Result<Item, CallError> {
        loop {
            if let Some(message) = self.ready.pop_front() {
                return Ok(Item::Message(message));
            }
            if self.streaming {
                let pieces = self.assembler.take_pieces();
                if !pieces.is_empty() {
                    return Ok(Item::Pieces(pieces));
                }
            }
            if self.ended {
                return Ok(Item::End);
            }
            match self.body.chunk().await {
                Some(Ok(chunk)) => {
                    if let Some(head) = self.assembler.push(chunk).map_err(|e| self.wire(&e))? {
                        self.streaming = true;
                        return Ok(Item::Head(head));
                    }
                }
                Some(Err(error)) => {
                    let text = error.to_string();
                    let error = self.exchange.error(ErrorKind::Unavailable, Executed::Unknown);
                    return Err(error.with_internal(text));
                }
                None => {
                    if let Some(item) = self.end()? {
                        return Ok(item);
                    }
                }
            }
        }
    }

    fn end(&mut self) -> Result<Option<Item>, CallError> {
        self.ended = true;
        match self.assembler.finish().map_err(|error| self.wire(&error))? {
            Assembled::Whole(message) => Ok(Some(Item::Message(message))),
            Assembled::Streamed(pieces) if pieces.is_empty() => Ok(None),
            Assembled::Streamed(pieces) => Ok(Some(Item::Pieces(pieces))),
            Assembled::Batch(messages) => {
                let messages: Result<VecDeque<Message>, WireError> = messages.into_iter().collect();
                self.ready = messages.map_err(|error| self.wire(&error))?;
                Ok(None)
            }
        }
    }

    fn wire(&self, error: &WireError) -> CallError {
        CallError::wire(&self.exchange.peer.backend, error)
    }
}

// === impl EventReply ===

impl EventReply {
    fn new(exchange: &Arc<Exchange>, body: Body, caller: &Caller) -> Self {
        Self {
            exchange: Arc::clone(exchange),
            caller: caller.clone(),
            events: Events::new(exchange.framing, Addressee::Owner),
            body: Some(body),
            closed_at: Instant::now(),
            broke: None,
            last_event_id: None,
            retry: None,
            failures: 0,
            told: false,
            streaming: false,
        }
    }

    async fn next(&mut self) -> Result<Item, CallError> {
        loop {
            if let Some(item) = self.events.next().map_err(|error| self.wire(&error))? {
                let EventItem::Gathered(item) = item else { continue };
                match item {
                    Gathered::Message(message) => return Ok(Item::Message(message)),
                    Gathered::Head(head, _) => {
                        self.streaming = true;
                        return Ok(Item::Head(head));
                    }
                    Gathered::Pieces(pieces) => return Ok(Item::Pieces(pieces)),
                    Gathered::End => return Ok(Item::End),
                    Gathered::Bad(error, _) | Gathered::Broken(error) => {
                        return Err(self.wire(&error));
                    }
                }
            }
            let Some(body) = &mut self.body else {
                if self.pauses() {
                    return Ok(Item::Paused);
                }
                // Boxed, since it is rare and large.
                Box::pin(self.resume()).await?;
                continue;
            };
            match body.chunk().await {
                Some(Ok(chunk)) => self.events.push(chunk),
                Some(Err(error)) => self.close(Some(error)),
                None => self.close(None),
            }
        }
    }

    fn close(&mut self, why: Option<NetError>) {
        self.body = None;
        self.broke = why;
        self.closed_at = Instant::now();
        if let Some(id) = self.events.last_event_id() {
            self.last_event_id = Some(id.to_owned());
        }
        self.retry = self.events.retry().or(self.retry);
    }

    /// Whether the caller is to be told that the backend let go: once, and only if it can be asked again.
    fn pauses(&mut self) -> bool {
        self.broke.is_none()
            && self.resumable().is_some()
            && !std::mem::replace(&mut self.told, true)
    }

    /// The event after which the reply can be asked for, if it can.
    fn resumable(&self) -> Option<String> {
        // What cannot stand in a header cannot be asked for.
        let id = self.last_event_id.as_ref();
        let id = id.filter(|id| !id.is_empty() && HeaderValue::from_bytes(id.as_bytes()).is_ok());
        let goes_on =
            !self.streaming && self.failures <= MAX_FAILURES && !self.exchange.is_stateless();
        id.filter(|_| goes_on).cloned()
    }

    /// Waits as long as the backend asked and asks for what comes after the last event. A dropped future
    /// costs at most one GET that is repeated.
    async fn resume(&mut self) -> Result<(), CallError> {
        let Some(id) = self.resumable() else { return Err(self.gone()) };
        let pause = self.retry.unwrap_or(USUAL_RETRY).clamp(MIN_RETRY, MAX_RETRY);
        // Attempts that failed make the next one later, never earlier than asked, and not all at the same time.
        let pause = match self.failures {
            0 => pause,
            failures => pause * (1 << failures) + jitter(pause),
        };
        sleep_until(self.closed_at + pause).await;
        match self.exchange.get(Some(&id), &self.caller).await {
            Ok(response) if is_type(&response, "text/event-stream") && response.status() == 200 => {
                self.events = Events::after(id, self.exchange.framing, Addressee::Owner);
                self.body = Some(response.into_body());
                self.failures = 0;
                self.told = false;
                return Ok(());
            }
            Ok(response) => {
                let status = response.status();
                let refusal = Refusal::read(response).await;
                // Conflict: the backend has not yet noticed that the old stream is closed.
                if !matches!(status.as_u16(), 408 | 409 | 429 | 500..=599) {
                    let text = format!("cannot resume: HTTP {status}: {}", refusal.text());
                    return Err(self.gone().with_internal(text));
                }
            }
            Err(error) => self.broke = error.into_net_error(),
        }
        self.failures += 1;
        self.closed_at = Instant::now();
        Ok(())
    }

    fn gone(&self) -> CallError {
        let error = match &self.broke {
            Some(_) => self.exchange.error(ErrorKind::Unavailable, Executed::Unknown),
            None => {
                let text = "the event stream ended before the response".to_owned();
                self.exchange.error(ErrorKind::Protocol(text), Executed::Unknown)
            }
        };
        match &self.broke {
            Some(why) => error.with_internal(why.to_string()),
            None => error,
        }
    }

    fn wire(&self, error: &WireError) -> CallError {
        CallError::wire(&self.exchange.peer.backend, error)
    }
}
