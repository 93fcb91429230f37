//! An MCP server on a pair of pipes, small enough to be read at once.
//!
//! It knows framing, the handshake, cancellation, progress and subscriptions; a [`Service`] knows the rest.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf};
use tokio::sync::{broadcast, mpsc};
use tokio::task::{AbortHandle, JoinSet};
use vmcp_wire::lines::{Decoder, Item};
use vmcp_wire::revision::Revision;
use vmcp_wire::{Kind, Limits, Message, Object, RawId, method, rpc};

use crate::tasks;

/// Bytes in flight in either direction.
const PIPE: usize = 64 * 1024;
/// Requests that one connection may have running.
const MAX_RUNNING: usize = 64;

/// What a server offers.
pub(crate) trait Service: Send + Sync + 'static {
    /// Its name, as it tells clients.
    const NAME: &'static str;

    /// Its capabilities.
    fn capabilities(&self) -> Value;

    /// What it tells the model about itself.
    fn instructions(&self) -> &'static str;

    /// Answers a request.
    fn answer(
        &self,
        method: &str,
        params: &Value,
        progress: &Progress,
    ) -> impl Future<Output = Answer> + Send;

    /// News for all connections.
    fn changes(&self) -> broadcast::Receiver<Change>;
}

/// A result, or an error with its JSON-RPC code.
pub(crate) type Answer = Result<Value, (i64, String)>;

/// News.
#[derive(Debug, Clone)]
pub(crate) enum Change {
    /// Resources came or went.
    Resources,
    /// The resource under this URI changed.
    Updated(String),
}

/// Reports how far a request is.
pub(crate) struct Progress {
    token: Option<Value>,
    outbox: mpsc::Sender<Bytes>,
}

/// One connection.
struct Connection<S> {
    service: Arc<S>,
    greeted: bool,
    subscriptions: HashSet<String>,
    running: JoinSet<()>,
    /// To take back a request by its id.
    handles: HashMap<RawId, AbortHandle>,
    outbox: mpsc::Sender<Bytes>,
}

/// Opens one more connection to a service. It ends when the other end is dropped.
pub(crate) fn open<S: Service>(service: Arc<S>) -> DuplexStream {
    let (ours, theirs) = tokio::io::duplex(PIPE);
    let (reader, writer) = tokio::io::split(ours);
    let (outbox, lines) = mpsc::channel(MAX_RUNNING);
    let connection = Connection {
        service,
        greeted: false,
        subscriptions: HashSet::new(),
        running: JoinSet::new(),
        handles: HashMap::new(),
        outbox,
    };
    tasks::detach(write(writer, lines));
    tasks::detach(connection.run(reader));
    theirs
}

/// Writes one message a line until nobody sends any more.
async fn write(mut writer: WriteHalf<DuplexStream>, mut lines: mpsc::Receiver<Bytes>) {
    while let Some(line) = lines.recv().await {
        let whole = [&line[..], b"\n"].concat();
        if writer.write_all(&whole).await.is_err() {
            return;
        }
    }
}

// === impl Connection ===

impl<S: Service> Connection<S> {
    async fn run(mut self, mut reader: ReadHalf<DuplexStream>) {
        let limits = Limits::default();
        let mut decoder = Decoder::new(limits, limits.max_bytes, false);
        let mut changes = self.service.changes();
        let mut chunk = BytesMut::with_capacity(PIPE);
        loop {
            tokio::select! {
                read = reader.read_buf(&mut chunk) => {
                    if !matches!(read, Ok(1..)) {
                        return;
                    }
                    decoder.push(chunk.split().freeze());
                    while let Some(item) = decoder.next() {
                        if let Item::Message(message) = item {
                            self.receive(&message).await;
                        }
                    }
                    chunk.reserve(PIPE);
                }
                // What was missed while lagging is made good by the next change.
                Ok(change) = changes.recv() => self.tell(change).await,
                Some(_) = self.running.join_next() => {
                    self.handles.retain(|_, handle| !handle.is_finished());
                }
            }
        }
    }

    async fn receive(&mut self, message: &Message) {
        match (message.kind(), message.id()) {
            (Kind::Request, Some(id)) => self.request(id, message).await,
            (Kind::Notification, _) if message.method() == method::CANCELLED => {
                self.cancel(message);
            }
            _ => {}
        }
    }

    async fn request(&mut self, id: RawId, message: &Message) {
        let params = message.params().unwrap_or_else(|| Bytes::from_static(b"{}"));
        let params: Value = serde_json::from_slice(&params).unwrap_or_default();
        let uri = params["uri"].as_str().unwrap_or_default();
        let at_once = match message.method() {
            method::PING => Some(Ok(json!({}))),
            // The first request is the handshake.
            _ if !self.greeted => Some(Ok(self.greet(&params))),
            method::RESOURCES_SUBSCRIBE => {
                self.subscriptions.insert(uri.to_owned());
                Some(Ok(json!({})))
            }
            method::RESOURCES_UNSUBSCRIBE => {
                self.subscriptions.remove(uri);
                Some(Ok(json!({})))
            }
            _ if self.running.len() >= MAX_RUNNING => {
                Some(Err((rpc::INTERNAL_ERROR, "too many requests at once".to_owned())))
            }
            _ => None,
        };
        if let Some(answer) = at_once {
            return self.send(reply(&id, answer)).await;
        }
        let (service, method) = (self.service.clone(), message.method().to_owned());
        let token = params["_meta"].get("progressToken").cloned();
        let progress = Progress { token, outbox: self.outbox.clone() };
        let key = id.clone();
        let handle = self.running.spawn(async move {
            let answer = service.answer(&method, &params, &progress).await;
            // Nobody reads any more: then nobody waits for it either.
            let _ = progress.outbox.send(reply(&id, answer)).await;
        });
        self.handles.insert(key, handle);
    }

    fn greet(&mut self, params: &Value) -> Value {
        self.greeted = true;
        let asked = params["protocolVersion"].as_str().unwrap_or_default();
        json!({
            "protocolVersion": Revision::negotiate(asked).as_str(),
            "capabilities": self.service.capabilities(),
            "serverInfo": { "name": S::NAME, "version": env!("CARGO_PKG_VERSION") },
            "instructions": self.service.instructions(),
        })
    }

    fn cancel(&mut self, message: &Message) {
        let params = message.params().unwrap_or_default();
        let Ok(params) = Object::parse(&params) else { return };
        let Some(id) = params.get("requestId") else { return };
        if let Ok(id) = RawId::from_token(id.raw)
            && let Some(handle) = self.handles.remove(&id)
        {
            handle.abort();
        }
    }

    async fn tell(&self, change: Change) {
        match change {
            Change::Resources => {
                self.send(rpc::notification(method::RESOURCES_LIST_CHANGED, None)).await;
            }
            Change::Updated(uri) if self.subscriptions.contains(&uri) => {
                let params = json!({ "uri": uri }).to_string();
                self.send(rpc::notification(method::RESOURCES_UPDATED, Some(params.as_bytes())))
                    .await;
            }
            Change::Updated(_) => {}
        }
    }

    async fn send(&self, line: Bytes) {
        // The writer is gone when the other end is; the next read ends the connection.
        let _ = self.outbox.send(line).await;
    }
}

fn reply(id: &RawId, answer: Answer) -> Bytes {
    match answer {
        Ok(result) => rpc::success(id, result.to_string().as_bytes()),
        Err((code, text)) => rpc::failure(Some(id), code, &text, None),
    }
}

// === impl Progress ===

impl Progress {
    /// Tells the caller, if it wants to know.
    pub(crate) async fn report(&self, done: u64, total: u64, message: &str) {
        let Some(token) = &self.token else { return };
        let params = json!({
            "progressToken": token, "progress": done, "total": total, "message": message,
        });
        let line = rpc::notification(method::PROGRESS, Some(params.to_string().as_bytes()));
        let _ = self.outbox.send(line).await;
    }
}

// --- what services answer with ---

/// The result of a tool that did what it was asked.
pub(crate) fn said(text: impl Into<String>, structured: &Value) -> Value {
    json!({
        "content": [{ "type": "text", "text": text.into() }],
        "structuredContent": structured,
    })
}

/// The result of a tool that could not: the model reads it and may try again.
pub(crate) fn failed(text: impl Into<String>) -> Value {
    json!({ "content": [{ "type": "text", "text": text.into() }], "isError": true })
}

/// The error for a method or a name that is not there.
pub(crate) fn unknown(code: i64, what: &str, name: &str) -> Answer {
    Err((code, format!("unknown {what}: {name}")))
}
