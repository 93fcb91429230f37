//! Which call a message belongs to.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;
use vmcp_wire::{Head, Message, Piece, RawId};

use super::super::gather::Addressee;
use crate::peer::OpenRequests;
use crate::{CallError, PeerRequest};

/// Things that wait to be read by one call.
const QUEUE: usize = 32;

/// Calls that were taken back and may still be answered are remembered for this long, and so many of them.
const REMEMBERED: Duration = Duration::from_secs(60);
const MAX_REMEMBERED: usize = 256;

/// The calls in flight.
pub(crate) struct Routes {
    calls: HashMap<u64, Destination>,
    /// Requests that are answered by notifications for as long as somebody listens. They tell nothing about whose a
    /// message is.
    subscriptions: HashMap<u64, Destination>,
    /// Calls that nobody waits for any more, but that the backend may still answer.
    abandoned: VecDeque<(u64, Instant)>,
    closed: Option<CallError>,
}

/// One thing for a call.
pub(crate) enum Put {
    /// A complete message.
    Message(Message),
    /// A request of the backend.
    Request(PeerRequest),
    /// A long response begins.
    Head(Head),
    /// More of it.
    Pieces(Vec<Piece>),
    /// It is complete.
    End,
}

/// The reader's end of one call's queue.
#[derive(Clone)]
pub(crate) struct Destination {
    queue: mpsc::Sender<Put>,
    shared: Arc<Shared>,
}

/// The call's end of its queue.
pub(crate) struct Inbox {
    pub(super) queue: mpsc::Receiver<Put>,
    pub(super) shared: Arc<Shared>,
}

/// What both ends know.
pub(crate) struct Shared {
    /// Why nothing comes any more, if the queue did not end with a response.
    failure: Mutex<Option<CallError>>,
    pub(super) failed: Notify,
    slow: AtomicBool,
    pub(super) open_requests: OpenRequests,
}

// === impl Routes ===

impl Routes {
    pub(crate) fn new() -> Self {
        Self {
            calls: HashMap::new(),
            subscriptions: HashMap::new(),
            abandoned: VecDeque::new(),
            closed: None,
        }
    }

    /// A queue for the call `id`; `None` if nothing comes any more.
    pub(crate) fn open(&mut self, id: u64, subscribes: bool) -> Option<Inbox> {
        if self.closed.is_some() {
            return None;
        }
        let (sender, queue) = mpsc::channel(QUEUE);
        let shared = Arc::new(Shared {
            failure: Mutex::new(None),
            failed: Notify::new(),
            slow: AtomicBool::new(false),
            open_requests: OpenRequests::default(),
        });
        let destination = Destination { queue: sender, shared: Arc::clone(&shared) };
        let kind = if subscribes { &mut self.subscriptions } else { &mut self.calls };
        kind.insert(id, destination);
        Some(Inbox { queue, shared })
    }

    pub(crate) fn get(&self, id: u64) -> Option<Destination> {
        self.calls.get(&id).or_else(|| self.subscriptions.get(&id)).cloned()
    }

    /// The call in flight, if there is exactly one.
    pub(crate) fn only(&self) -> Option<Destination> {
        let mut calls = self.calls.values();
        match (calls.next(), calls.next()) {
            (Some(only), None) => Some(only.clone()),
            _ => None,
        }
    }

    /// Takes the call off the list whose response has this id.
    pub(crate) fn answered(&mut self, id: &RawId) -> Option<Destination> {
        let number = id.as_u64().or_else(|| {
            // A number that a backend spells as a string.
            let text = std::str::from_utf8(id.as_bytes()).ok()?;
            text.strip_prefix('"')?.strip_suffix('"')?.parse().ok()
        })?;
        let destination = self.calls.remove(&number);
        let destination = destination.or_else(|| self.subscriptions.remove(&number));
        if destination.is_none() {
            self.abandoned.retain(|(id, _)| *id != number);
        }
        destination
    }

    /// Nobody waits for this call any more.
    pub(crate) fn forget(&mut self, id: u64) {
        self.subscriptions.remove(&id);
        if self.calls.remove(&id).is_some() {
            self.abandoned.push_back((id, Instant::now()));
            if self.abandoned.len() > MAX_REMEMBERED {
                self.abandoned.pop_front();
            }
        }
    }

    /// Whose the response is that begins now.
    pub(crate) fn addressee(&mut self) -> Addressee {
        self.abandoned.retain(|(_, since)| since.elapsed() < REMEMBERED);
        let mut calls = self.calls.keys();
        match (calls.next(), calls.next(), self.abandoned.is_empty()) {
            (Some(only), None, true) => Addressee::Only(*only),
            _ => Addressee::Unknown,
        }
    }

    /// Fails every call; whether this is news.
    pub(crate) fn close(&mut self, why: &CallError) -> bool {
        for (_, destination) in self.calls.drain().chain(self.subscriptions.drain()) {
            destination.fail(why.clone());
        }
        self.closed.replace(why.clone()).is_none()
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.is_some()
    }
}

// === impl Destination ===

impl Destination {
    /// Puts one thing into the queue, waiting for room for so long. `false`: there was none.
    pub(crate) async fn put(&self, item: Put, patience: Duration) -> bool {
        if self.has_failed() {
            return true;
        }
        let item = match self.queue.try_send(item) {
            Ok(()) => {
                self.shared.slow.store(false, Ordering::Relaxed);
                return true;
            }
            // The call is over; nobody wants it.
            Err(mpsc::error::TrySendError::Closed(_)) => return true,
            Err(mpsc::error::TrySendError::Full(item)) => item,
        };
        if !patience.is_zero() && self.queue.send_timeout(item, patience).await.is_ok() {
            return true;
        }
        self.shared.slow.store(true, Ordering::Relaxed);
        self.queue.is_closed()
    }

    /// Ends the call with an error, after what is in its queue already.
    pub(crate) fn fail(&self, error: CallError) {
        self.shared.failure.lock().get_or_insert(error);
        self.shared.failed.notify_one();
    }

    /// Whether it let the reader wait in vain before, and did not catch up since.
    pub(crate) fn is_slow(&self) -> bool {
        self.shared.slow.load(Ordering::Relaxed)
    }

    pub(crate) fn open_requests(&self) -> OpenRequests {
        self.shared.open_requests.clone()
    }

    fn has_failed(&self) -> bool {
        self.shared.failure.lock().is_some()
    }
}

// === impl Shared ===

impl Shared {
    pub(super) fn failure(&self) -> Option<CallError> {
        self.failure.lock().clone()
    }
}
