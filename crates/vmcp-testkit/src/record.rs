//! Everything a backend hears, in the order in which it heard it.

use std::io;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http::{HeaderMap, Method};
use parking_lot::Mutex;
use serde_json::Value;
use tokio::sync::watch;

use crate::PATIENCE;
use crate::json::lenient;

/// One HTTP request as a backend received it.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// Its place in the order of arrival, from 0.
    pub seq: usize,
    /// When it was read completely.
    pub at: Instant,
    /// Which TCP connection brought it, from 0.
    pub connection: u64,
    /// The HTTP method.
    pub http_method: Method,
    /// Path and query.
    pub path: String,
    /// The headers.
    pub headers: HeaderMap,
    /// The body's bytes.
    pub body: Bytes,
    /// The session it names, in a header or (HTTP+SSE) in the query.
    pub session: Option<String>,
    /// The JSON-RPC method; absent for GET, DELETE, responses, batches and what is no JSON.
    pub method: Option<String>,
}

// === impl Recorded ===

impl Recorded {
    /// The body as JSON; `null` if it is none.
    pub fn json(&self) -> Value {
        lenient(&self.body)
    }

    /// The JSON-RPC id exactly as it was spelled.
    pub fn id(&self) -> Option<String> {
        raw_id(&self.body)
    }

    /// A header as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Whether `name` is its JSON-RPC method or, for what has none, its HTTP method.
    pub fn is(&self, name: &str) -> bool {
        match &self.method {
            Some(method) => method == name,
            None => self.http_method.as_str() == name,
        }
    }
}

/// The spelling of a message's id.
pub(crate) fn raw_id(message: &[u8]) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Envelope<'a> {
        #[serde(borrow)]
        id: Option<&'a serde_json::value::RawValue>,
    }
    let envelope: Envelope<'_> = serde_json::from_slice(message).ok()?;
    envelope.id.map(|id| id.get().to_owned())
}

/// Collects records and wakes those who wait for them.
pub(crate) struct Recorder {
    /// Protects the log; held for single pushes and copies.
    log: Mutex<Log>,
    changed: watch::Sender<()>,
}

#[derive(Default)]
struct Log {
    requests: Vec<Recorded>,
    replies: Vec<Value>,
    abandoned: Vec<usize>,
    executions: Vec<Value>,
    connections: u64,
}

// === impl Recorder ===

impl Recorder {
    pub(crate) fn new() -> Self {
        Self { log: Mutex::default(), changed: watch::Sender::new(()) }
    }

    /// Records a request and gives it its place.
    pub(crate) fn request(&self, make: impl FnOnce(usize) -> Recorded) -> usize {
        let mut log = self.log.lock();
        let seq = log.requests.len();
        log.requests.push(make(seq));
        drop(log);
        self.touch();
        seq
    }

    /// Records what a client answered to a request of the backend.
    pub(crate) fn reply(&self, reply: Value) {
        self.log.lock().replies.push(reply);
        self.touch();
    }

    /// Records that a tool ran with these params.
    pub(crate) fn execute(&self, params: Value) {
        self.log.lock().executions.push(params);
        self.touch();
    }

    pub(crate) fn abandon(&self, seq: usize) {
        self.log.lock().abandoned.push(seq);
        self.touch();
    }

    pub(crate) fn connection(&self) -> u64 {
        let mut log = self.log.lock();
        log.connections += 1;
        log.connections - 1
    }

    /// Wakes those who wait.
    pub(crate) fn touch(&self) {
        self.changed.send_replace(());
    }

    pub(crate) fn requests(&self) -> Vec<Recorded> {
        self.log.lock().requests.clone()
    }

    pub(crate) fn count(&self, name: &str) -> usize {
        self.log.lock().requests.iter().filter(|request| request.is(name)).count()
    }

    pub(crate) fn replies(&self) -> Vec<Value> {
        self.log.lock().replies.clone()
    }

    pub(crate) fn abandoned(&self) -> Vec<Recorded> {
        let log = self.log.lock();
        log.abandoned.iter().filter_map(|seq| log.requests.get(*seq).cloned()).collect()
    }

    pub(crate) fn executions(&self) -> Vec<Value> {
        self.log.lock().executions.clone()
    }

    pub(crate) fn connections(&self) -> u64 {
        self.log.lock().connections
    }

    /// Waits until the condition holds; looks again after each change.
    pub(crate) async fn until(
        &self,
        what: &str,
        mut holds: impl FnMut() -> bool,
    ) -> io::Result<()> {
        let mut changed = self.changed.subscribe();
        let wait = async {
            while !holds() {
                if changed.changed().await.is_err() {
                    break;
                }
            }
        };
        tokio::time::timeout(PATIENCE, wait).await.map_err(|_| {
            let heard: Vec<_> = self.log.lock().requests.iter().map(|r| r.method.clone()).collect();
            io::Error::new(
                io::ErrorKind::TimedOut,
                format!("waited in vain for {what}; heard {heard:?}"),
            )
        })
    }
}

/// Notes that the client went away before its answer was complete, unless it is disarmed.
pub(crate) struct Watch {
    recorder: Arc<Recorder>,
    seq: usize,
    armed: bool,
}

// === impl Watch ===

impl Watch {
    pub(crate) fn new(recorder: &Arc<Recorder>, seq: usize) -> Self {
        Self { recorder: Arc::clone(recorder), seq, armed: true }
    }

    pub(crate) fn disarm(&mut self) {
        self.armed = false;
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if self.armed {
            self.recorder.abandon(self.seq);
        }
    }
}
