//! One client's session at a backend.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use parking_lot::Mutex;
use serde_json::Value;
use tokio::sync::oneshot;

use crate::backend::rpc;
use crate::backend::stream::Stream;
use crate::json::Json;
use crate::record::Recorder;

/// One client's session at a backend.
pub(crate) struct Session {
    pub(crate) id: String,
    /// Resources that the client subscribed to.
    pub(crate) subscriptions: Mutex<HashSet<String>>,
    /// Streams that messages outside any call go to.
    pub(crate) listeners: Mutex<Vec<Arc<Stream>>>,
    /// Streams that can be resumed.
    pub(crate) streams: Mutex<HashMap<u64, Arc<Stream>>>,
    /// Requests to the client that are not answered yet.
    pending: Mutex<HashMap<String, oneshot::Sender<Value>>>,
    next_ask: AtomicU64,
    /// Whether it is no session but the one request that there is.
    pub(crate) momentary: bool,
    recorder: Arc<Recorder>,
}

// === impl Session ===

impl Session {
    pub(crate) fn new(id: String, recorder: &Arc<Recorder>) -> Self {
        Self {
            id,
            subscriptions: Mutex::default(),
            listeners: Mutex::default(),
            streams: Mutex::default(),
            pending: Mutex::default(),
            // Real servers count from 0, each session anew: two of them use the same ids at the same time.
            next_ask: AtomicU64::new(0),
            momentary: false,
            recorder: Arc::clone(recorder),
        }
    }

    /// What stands in for a session while one request without any is answered.
    pub(crate) fn momentary(recorder: &Arc<Recorder>) -> Self {
        Self { momentary: true, ..Self::new(String::new(), recorder) }
    }

    /// Asks the client and waits for the whole response.
    pub(crate) async fn ask(&self, stream: &Stream, method: &str, params: &Json) -> Value {
        let id = self.next_ask.fetch_add(1, Ordering::Relaxed).to_string();
        let (sender, receiver) = oneshot::channel();
        self.pending.lock().insert(id.clone(), sender);
        stream.message(rpc::request(&id, method, params)).await;
        receiver.await.unwrap_or(Value::Null)
    }

    /// Takes a response of the client.
    pub(crate) fn answered(&self, message: &[u8]) {
        let reply: Value = serde_json::from_slice(message).unwrap_or(Value::Null);
        self.recorder.reply(reply.clone());
        let waiting = self.pending.lock().remove(&reply["id"].to_string());
        if let Some(waiting) = waiting {
            let _ = waiting.send(reply);
        }
    }

    /// Notes in the ledger that a tool ran with these params.
    pub(crate) fn execute(&self, params: Value) {
        self.recorder.execute(params);
    }

    /// Sends a message outside any call; says whether a stream took it.
    pub(crate) async fn outside(&self, message: Bytes) -> bool {
        let listener = self.listener();
        match listener {
            Some(listener) => {
                listener.message(message).await;
                true
            }
            None => false,
        }
    }

    /// The one stream that a message outside any call goes to.
    pub(crate) fn listener(&self) -> Option<Arc<Stream>> {
        let mut listeners = self.listeners.lock();
        listeners.retain(|stream| stream.reachable());
        let carried = listeners.iter().find(|stream| stream.carried());
        carried.or(listeners.last()).cloned()
    }

    pub(crate) fn listens(&self) -> bool {
        self.listeners.lock().iter().any(|stream| stream.carried())
    }
}
