//! The calls of a client that is asked, and told what a backend logs, in its calls only.
//!
//! A backend with a stream of its own for what belongs to no call may say there what is about one. If exactly one call of
//! the client runs on its session it is given to that one; else nobody can be asked, and the backend is told.
//!
//! A log message is for a call that asked for log messages. One that was written to the one stream only after the answer
//! was written to the other comes too late for its call; it is told in the next, since it would be lost otherwise. It names
//! no call in any case.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::Instant;
use vmcp_backend::{Call, Cancel, Event};

/// Things that wait for one call to be read. A question that comes beyond is refused.
const QUEUE: usize = 32;
/// What is logged within this time after a call is taken for the call's. What comes later is about no call, and nobody
/// wants to hear of it.
const LATE: Duration = Duration::from_secs(1);
/// Nobody wants to hear of a call that was over so long ago.
const STALE: Duration = Duration::from_secs(60);

/// The calls of one client that run on sessions to such backends.
#[derive(Default)]
pub(crate) struct Runs {
    /// Protects who is there and what waits for whom; held for a look or a change only.
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    last: u64,
    /// By backend and number.
    open: BTreeMap<(usize, u64), Entry>,
    /// By backend: the last call that asked for log messages, once it is over.
    over: HashMap<usize, Over>,
}

struct Over {
    at: Instant,
    /// What was logged since.
    late: VecDeque<Event>,
}

struct Entry {
    /// The call asked for log messages.
    logs: bool,
    cancel: Cancel,
    waiting: VecDeque<Event>,
    heard: Arc<Notify>,
}

/// One call; it runs until this is dropped. Questions that nobody read are refused then.
pub(crate) struct Run {
    runs: Arc<Runs>,
    key: (usize, u64),
    /// It asked for log messages.
    pub logs: bool,
    heard: Arc<Notify>,
}

// === impl Runs ===

impl Runs {
    /// A call to this backend begins.
    pub(super) fn begin(self: &Arc<Self>, backend: usize, call: &Call) -> Run {
        let (logs, heard) = (call.log_level.is_some(), Arc::new(Notify::new()));
        let mut inner = self.inner.lock();
        let over = if logs { inner.over.remove(&backend) } else { None };
        let over = over.filter(|over| over.at.elapsed() < STALE);
        let waiting = over.map(|over| over.late).unwrap_or_default();
        let entry = Entry { logs, cancel: call.cancel.clone(), waiting, heard: Arc::clone(&heard) };
        inner.last += 1;
        let key = (backend, inner.last);
        inner.open.insert(key, entry);
        Run { runs: Arc::clone(self), key, logs, heard }
    }

    /// Gives what this backend says to the call that runs there; gives it back if there is none, or several, or it is
    /// not for that one.
    pub(super) fn give(&self, backend: usize, event: Event) -> Option<Event> {
        let inner = &mut *self.inner.lock();
        let here = inner.open.range_mut((backend, 0)..=(backend, u64::MAX));
        let mut here = here.map(|(_, entry)| entry);
        let (one, others) = (here.next(), here.next().is_some());
        let only = one.filter(|only| !others && only.waiting.len() < QUEUE);
        match (event, only) {
            // Whoever is asked may think for long.
            (Event::Request(peer), Some(only)) => {
                only.hear(Event::Request(peer.of_call(&only.cancel)));
                None
            }
            (event @ Event::Notification(_), Some(only)) if only.logs => {
                only.hear(event);
                None
            }
            (event @ Event::Notification(_), _) if !others => inner.late(backend, event),
            (event, _) => Some(event),
        }
    }
}

// === impl Inner ===

impl Inner {
    /// Keeps what may have been logged in a call that is over; gives it back if that is too long ago.
    fn late(&mut self, backend: usize, event: Event) -> Option<Event> {
        match self.over.get_mut(&backend) {
            Some(over) if over.at.elapsed() < LATE && over.late.len() < QUEUE => {
                over.late.push_back(event);
                None
            }
            _ => Some(event),
        }
    }
}

// === impl Entry ===

impl Entry {
    fn hear(&mut self, event: Event) {
        self.waiting.push_back(event);
        self.heard.notify_one();
    }
}

// === impl Run ===

impl Run {
    /// The next thing that is there already.
    pub(crate) fn take(&self) -> Option<Event> {
        self.runs.inner.lock().open.get_mut(&self.key)?.waiting.pop_front()
    }

    /// Returns once there is something to take.
    ///
    /// Cancel safe.
    pub(crate) async fn heard(&self) {
        loop {
            let some = |entry: &Entry| !entry.waiting.is_empty();
            if self.runs.inner.lock().open.get(&self.key).is_some_and(some) {
                return;
            }
            self.heard.notified().await;
        }
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        let mut inner = self.runs.inner.lock();
        let gone = inner.open.remove(&self.key);
        if self.logs {
            // What waits there already goes on waiting.
            let (at, late) = (Instant::now(), VecDeque::new());
            inner.over.entry(self.key.0).or_insert(Over { at, late }).at = at;
        }
        drop(inner);
        // Not under the lock: what it asked is refused.
        drop(gone);
    }
}
