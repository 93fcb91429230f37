//! One persistent, initialised connection to one backend: the operations.

use std::sync::Arc;

use bytes::Bytes;
use vmcp_config::BackendId;
use vmcp_wire::Message;

use crate::{
    Answer, BackendTarget, Call, CallError, CapabilityList, ErrorKind, Executed, PeerRequest,
    Reply, ServerHello,
};

/// Where messages outside any call go. It must not block: it runs on the thread that reads.
pub type Sink = Arc<dyn Fn(Outside) + Send + Sync>;

/// A message that belongs to no call.
#[derive(Debug)]
pub enum Outside {
    /// A notification.
    Notification(Message),
    /// A request to the client.
    Request(PeerRequest),
    /// The transport died or the backend forgot the session. The session heals itself on its next use;
    /// what the backend offers may be different then.
    Lost,
}

/// One session with one backend. Clones are the same session; all operations may run at the same time.
#[derive(Clone)]
pub struct Session {
    target: Arc<BackendTarget>,
    hello: Arc<ServerHello>,
}

// === impl Session ===

impl Session {
    /// The backend this session belongs to.
    pub fn backend(&self) -> &BackendId {
        &self.target.id
    }

    /// What the backend told about itself in the last handshake.
    pub fn hello(&self) -> Arc<ServerHello> {
        Arc::clone(&self.hello)
    }

    /// The backend's own session id, if it gave one.
    pub fn session_id(&self) -> Option<String> {
        self.hello.session_id.clone()
    }

    /// Sends one request and gives its reply once the backend has begun to answer.
    ///
    /// # Cancel safety
    /// Dropping the future takes the call back, as firing its [`Cancel`](crate::Cancel) does.
    pub async fn forward(&self, call: Call) -> Result<Reply, CallError> {
        let _ = call;
        Err(CallError::backend(&self.target.id, ErrorKind::Unavailable, Executed::No))
    }

    /// Sends one notification.
    ///
    /// # Cancel safety
    /// Dropped, the notification may or may not have been sent.
    pub async fn notify(&self, method: &str, params: Option<Bytes>) -> Result<(), CallError> {
        let _ = (method, params);
        Err(CallError::backend(&self.target.id, ErrorKind::Unavailable, Executed::No))
    }

    /// Opens the standalone stream on which the backend may speak outside calls. Idempotent; nothing to
    /// do on transports that have only one stream, or without a sink.
    pub fn listen(&self) {}

    /// Everything the backend advertises, every page.
    ///
    /// # Cancel safety
    /// Safe: dropped, nothing is kept.
    pub async fn list(&self) -> Result<CapabilityList, CallError> {
        Err(CallError::backend(&self.target.id, ErrorKind::Unavailable, Executed::No))
    }

    /// Calls a tool and reads the answer whole. `arguments` and `meta` are raw JSON objects.
    ///
    /// # Cancel safety
    /// Dropping the future takes the call back.
    pub async fn call_tool(
        &self,
        name: &str,
        arguments: Option<Bytes>,
        meta: Option<Bytes>,
    ) -> Result<Answer, CallError> {
        let _ = (name, arguments, meta);
        Err(CallError::backend(&self.target.id, ErrorKind::Unavailable, Executed::No))
    }

    /// Reads a resource and takes the answer whole.
    ///
    /// # Cancel safety
    /// Dropping the future takes the call back.
    pub async fn read_resource(&self, uri: &str) -> Result<Answer, CallError> {
        let _ = uri;
        Err(CallError::backend(&self.target.id, ErrorKind::Unavailable, Executed::No))
    }

    /// Gets a prompt and takes the answer whole. `arguments` is a raw JSON object.
    ///
    /// # Cancel safety
    /// Dropping the future takes the call back.
    pub async fn get_prompt(
        &self,
        name: &str,
        arguments: Option<Bytes>,
    ) -> Result<Answer, CallError> {
        let _ = (name, arguments);
        Err(CallError::backend(&self.target.id, ErrorKind::Unavailable, Executed::No))
    }

    /// Ends the session: waits for calls in flight (bounded), then tells the backend. Idempotent.
    ///
    /// # Cancel safety
    /// Dropped, the session is closed for callers but the backend may not have been told.
    pub async fn close(&self) {}
}
