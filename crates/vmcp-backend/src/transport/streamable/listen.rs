//! The stream on which a backend speaks outside calls: one GET, opened again whenever it ends.
//!
//! It is the only long-lived task of a session on streamable HTTP. It holds the session weakly: it never keeps
//! one alive, and it ends with it.

use std::sync::{Arc, Weak};
use std::time::Duration;

use http::StatusCode;
use tokio::sync::Notify;
use tokio::task::yield_now;
use tokio::time::{Instant, sleep, timeout};
use vmcp_auth::Caller;
use vmcp_net::Body;

use super::super::events::{EventItem, Events};
use super::super::gather::{Addressee, Gathered};
use super::super::http::is_type;
use super::super::status::Refusal;
use super::super::{Answerer, Connection};
use super::{Exchange, jitter};
use crate::link::{Link, Live, Missed, TURNS};
use crate::peer;

/// The least waiting time that a backend may ask for. No setting: it protects the backend from its own word.
const MIN_RETRY: Duration = Duration::from_millis(100);
/// The most that it may ask for, in longest pauses.
const MOST_PAUSES: u32 = 10;
/// A stream that lived this long was no failure. No setting: pauses are what an operator cares for.
const STABLE: Duration = Duration::from_secs(10);

/// How one stream ended.
enum Outcome {
    /// The backend has no such stream.
    Refused,
    /// The backend does not know the session.
    SessionLost,
    /// It ended or could not be opened. Perhaps the backend said when to come back.
    Ended { retry: Option<Duration> },
}

/// Keeps the stream of `link` open until the link is gone or the backend refuses.
pub(crate) async fn listen(link: Weak<Link>) {
    let Some(mut pause) = link.upgrade().map(|session| Pause::new(&session)) else { return };
    let mut position = Position::default();
    loop {
        let Some(session) = link.upgrade() else { return };
        let caller = session.caller();
        // Boxed, as all that is rare and large here: the task waits for years with what it waits for.
        let live = Box::pin(session.live(&caller)).await;
        drop(session);
        let live = match live {
            Ok(live) => live,
            Err(error) => {
                tracing::debug!(%error, "no session to listen on");
                Link::was_asked(&link);
                pause.wait(None).await;
                continue;
            }
        };
        if live.is_stateless() {
            // Another revision is spoken now, which listens in its own way.
            if let Some(session) = link.upgrade() {
                session.aside().set(false);
                session.listen_anew();
            }
            return;
        }
        let Connection::Http(exchange) = &live.connection else { return };
        position.belongs_to(&live);
        let opened = Instant::now();
        match stream(exchange, &link, &caller, &mut position).await {
            Outcome::Refused => {
                exchange.no_stream.store(true, std::sync::atomic::Ordering::Relaxed);
                if let Some(session) = link.upgrade() {
                    session.aside().set(false);
                }
                return;
            }
            Outcome::SessionLost => {
                if let Some(session) = link.upgrade() {
                    session.lose(&live);
                }
                pause.wait(None).await;
            }
            Outcome::Ended { retry } => {
                if opened.elapsed() >= STABLE {
                    pause.reset();
                }
                pause.wait(retry).await;
            }
        }
    }
}

/// Opens the stream once and reads it to its end.
async fn stream(
    exchange: &Arc<Exchange>,
    link: &Weak<Link>,
    caller: &Caller,
    position: &mut Position,
) -> Outcome {
    let Some(patience) = link.upgrade().map(|link| link.target().timeouts.call) else {
        return Outcome::Ended { retry: None };
    };
    let opening = Box::pin(exchange.get(position.event_id.as_deref(), caller));
    let opened = timeout(patience, opening).await;
    let is_open = matches!(&opened, Ok(Ok(response)) if is_stream(response));
    if is_open
        && position.begins()
        && let Some(session) = link.upgrade()
    {
        session.catch_up(Missed::Beginning);
    }
    Link::was_asked(link);
    let response = match opened {
        Ok(Ok(response)) => response,
        Ok(Err(error)) => {
            tracing::debug!(backend = %exchange.peer.backend, ?error, "no stream to listen on");
            return Outcome::Ended { retry: None };
        }
        Err(_) => {
            tracing::debug!(backend = %exchange.peer.backend, "the stream to listen on does not begin");
            return Outcome::Ended { retry: None };
        }
    };
    if is_stream(&response) {
        return read(exchange, link, response.into_body(), caller, position).await;
    }
    let refusal = Box::pin(Refusal::read(response)).await;
    if exchange.has_session() && refusal.is_lost_session(0) {
        return Outcome::SessionLost;
    }
    tracing::debug!(
        backend = %exchange.peer.backend,
        status = refusal.status.as_u16(),
        "the backend gives no stream to listen on"
    );
    match refusal.status.as_u16() {
        // Conflict: an older stream of this session is not yet noticed to be gone.
        401 | 403 | 408 | 409 | 425 | 429 | 500 | 502..=599 => Outcome::Ended { retry: None },
        _ => Outcome::Refused,
    }
}

fn is_stream(response: &http::Response<Body>) -> bool {
    response.status() == StatusCode::OK && is_type(response, "text/event-stream")
}

async fn read(
    exchange: &Arc<Exchange>,
    link: &Weak<Link>,
    mut body: Body,
    caller: &Caller,
    position: &mut Position,
) -> Outcome {
    let answerer = Answerer::Http(Arc::clone(exchange), caller.clone());
    let mut events = Events::new(exchange.framing, Addressee::Unknown);
    let Some(mut asking) = link.upgrade().map(|session| session.aside().read()) else {
        return Outcome::Ended { retry: None };
    };
    // Answers that wait until nothing is left to read, and how often nothing was.
    let (mut waiting, mut quiet) = (Vec::new(), 0);
    loop {
        let chunk = tokio::select! {
            biased;
            chunk = body.chunk() => chunk,
            Some(answer) = asking.recv() => {
                waiting.push(answer);
                quiet = 0;
                continue;
            }
            () = yield_now(), if !waiting.is_empty() => {
                quiet += 1;
                if quiet >= TURNS {
                    waiting.clear();
                }
                continue;
            }
        };
        let Some(Ok(chunk)) = chunk else { break };
        events.push(chunk);
        loop {
            match events.next() {
                Ok(None) => break,
                Ok(Some(EventItem::Gathered(Gathered::Message(message)))) => {
                    let Some(session) = link.upgrade() else {
                        return Outcome::Ended { retry: None };
                    };
                    peer::outside(session.outside(), &answerer, &exchange.errands, message);
                }
                // A response has no business here; whose it was has its own stream.
                Ok(Some(_)) => {}
                Err(error) => {
                    tracing::debug!(backend = %exchange.peer.backend, %error, "the stream is no event stream");
                    return Outcome::Ended { retry: None };
                }
            }
        }
        position.moved(events.last_event_id());
    }
    Outcome::Ended { retry: events.retry() }
}

/// Where to resume, in which session.
#[derive(Default)]
struct Position {
    generation: u64,
    opened: bool,
    event_id: Option<String>,
}

// === impl Position ===

impl Position {
    /// Event ids are one session's: another session starts anew.
    fn belongs_to(&mut self, live: &Live) {
        if self.generation != live.generation {
            *self = Self { generation: live.generation, ..Self::default() };
        }
    }

    /// A stream is open. Tells whether it is the first of its session.
    fn begins(&mut self) -> bool {
        !std::mem::replace(&mut self.opened, true)
    }

    fn moved(&mut self, event_id: Option<&str>) {
        if event_id.is_some() && self.event_id.as_deref() != event_id {
            self.event_id = event_id.filter(|id| !id.is_empty()).map(str::to_owned);
        }
    }
}

/// The time between two attempts.
pub(crate) struct Pause {
    /// The first after a failure; it doubles up to the longest.
    first: Duration,
    longest: Duration,
    length: Duration,
    reopened: Arc<Notify>,
}

// === impl Pause ===

impl Pause {
    pub(crate) fn new(link: &Link) -> Self {
        let limits = &link.target().limits;
        let (first, longest) = (limits.reconnect.min(limits.max_reconnect), limits.max_reconnect);
        Self { first, longest, length: first, reopened: link.reopened() }
    }

    pub(crate) fn reset(&mut self) {
        self.length = self.first;
    }

    /// Waits as long as asked, or for a jittered, growing time; no longer than until a call has opened the
    /// session again.
    pub(crate) async fn wait(&mut self, asked: Option<Duration>) {
        let length = match asked {
            Some(asked) => asked.min(self.longest.saturating_mul(MOST_PAUSES)).max(MIN_RETRY),
            None => {
                // Between half of it and all of it, so that many sessions do not come back at once.
                let length = self.length / 2 + jitter(self.length);
                self.length = self.length.saturating_mul(2).min(self.longest);
                length
            }
        };
        tokio::select! {
            () = sleep(length) => {}
            () = self.reopened.notified() => self.reset(),
        }
    }
}
