//! One persistent, initialised connection to one backend: the operations.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use vmcp_auth::Caller;
use vmcp_config::BackendId;
use vmcp_wire::Message;
use vmcp_wire::header::ParamHeaders;

use crate::link::Link;
use crate::{
    Answer, Call, CallContext, CallError, CapabilityList, ConnectErrorKind, ErrorKind, Executed,
    PeerRequest, PromptResult, Reply, ResourceResult, ServerHello, TargetLimits, ToolResult,
    dialect,
};

mod calls;
mod contract;
mod typed;

pub use contract::McpSession;

pub(crate) use calls::{forward_again, meta, start};

/// Where messages outside any call go. It must not block: it runs on the task that reads.
pub type Sink = Arc<dyn Fn(Outside) + Send + Sync>;

/// A message that belongs to no call.
#[derive(Debug)]
pub enum Outside {
    /// A notification. Those about the backend as a whole (its lists changed) always come here, even if the
    /// backend sends them on a call's stream.
    Notification(Message),
    /// A request to the client.
    Request(PeerRequest),
    /// The transport died or the backend forgot the session. The session heals itself on its next use (at
    /// once if it listens); what the backend offers may be different then.
    Lost,
}

/// One session with one backend. Clones are the same session; all operations may run at the same time.
///
/// It does not check callers: whoever holds it may use it. Dropping the last clone ends the session in the
/// background; [`close`](Self::close) ends it in an orderly way.
#[derive(Clone)]
pub struct Session {
    link: Arc<Link>,
    context: Option<Arc<CallContext>>,
}

// === impl Session ===

impl Session {
    pub(crate) async fn open(
        dialler: crate::transport::Dialler,
        caller: Caller,
        hint: Option<&str>,
    ) -> Result<Self, ConnectErrorKind> {
        Ok(Self { link: Link::open(dialler, caller, hint).await?, context: None })
    }

    /// The session of this link.
    pub(crate) fn over(link: &Arc<Link>) -> Self {
        Self { link: Arc::clone(link), context: None }
    }

    /// The same session; what is asked through this handle is asked in this context: for this caller, in this trace.
    /// Cheap; make one per request that you serve.
    #[must_use]
    pub fn with(&self, context: impl Into<CallContext>) -> Self {
        Self { link: Arc::clone(&self.link), context: Some(Arc::new(context.into())) }
    }

    /// The backend this session belongs to.
    pub fn backend(&self) -> &BackendId {
        self.link.backend()
    }

    /// What the backend told about itself in the last handshake.
    pub fn hello(&self) -> Arc<ServerHello> {
        self.link.hello()
    }

    /// The backend's own session id, if it gave one.
    pub fn session_id(&self) -> Option<String> {
        self.link.hello().session_id.clone()
    }

    /// Sends one request and gives its reply once the backend has begun to answer.
    ///
    /// A session that was lost is opened again first, once for all concurrent callers; if the backend refuses
    /// the call because it does not know the session, the same happens and the call is repeated once.
    ///
    /// # Cancel safety
    /// Dropping the future takes the call back, as firing its [`Cancel`](crate::Cancel) does.
    pub async fn forward(&self, mut call: Call) -> Result<Reply, CallError> {
        if let Some(context) = &self.context {
            context.complete(&mut call);
        }
        calls::forward(&self.link, call).await
    }

    /// Sends one notification.
    ///
    /// # Cancel safety
    /// Dropped, the notification may or may not have been sent.
    pub async fn notify(&self, method: &str, params: Option<Bytes>) -> Result<(), CallError> {
        calls::notify(&self.link, method, params, self.context.as_deref()).await
    }

    /// Opens the standalone stream on which the backend may speak outside calls. Idempotent; nothing to
    /// do on transports that have only one stream, or without a sink.
    pub fn listen(&self) {
        self.link.listen();
    }

    /// Waits until the stream of [`listen`](Self::listen) is open, or will not be for now: the backend refused it or
    /// cannot be reached. Done at once where nobody listens.
    ///
    /// Some backends ask outside a call what they need for its reply, and forget what they ask while that stream is
    /// not there. The caller of their tools waits here first.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn listening(&self) {
        self.link.listening().await;
    }

    /// Has changes of these tasks, by the backend's own ids, told to the sink, and of no others that a request before this
    /// one named. Gives those that the backend says it will tell of. A backend whose session was opened with a handshake
    /// tells what it likes; all are given back.
    ///
    /// # Errors
    /// As [`forward`](Self::forward).
    ///
    /// # Cancel safety
    /// Dropped, the backend may or may not have been told.
    pub async fn watch_tasks(&self, ids: Vec<String>) -> Result<Vec<String>, CallError> {
        let live = self.link.live(&self.link.caller()).await?;
        match live.is_stateless() {
            true => dialect::watch(&self.link, &live, ids).await,
            false => Ok(ids),
        }
    }

    /// Whether what the backend says outside calls is heard: there is a sink, and a stream that somebody asked for and the
    /// backend does not refuse. One that broke counts while it is opened again.
    pub fn hears(&self) -> bool {
        self.link.hears()
    }

    /// Whether the backend speaks outside calls on a stream beside its replies: then nothing says in which order what it
    /// says there and what it answers were said. One that broke counts while it is opened again.
    pub fn speaks_aside(&self) -> bool {
        self.link.aside().is_there()
    }

    /// Waits until all that has arrived on that stream by now was handed to the sink. Nothing is waited for that may still
    /// come; without such a stream this is done at once.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn caught_up(&self) {
        self.link.aside().caught_up().await;
    }

    /// Everything the backend advertises, every page, within the target's list timeout.
    ///
    /// # Cancel safety
    /// Safe: dropped, nothing is kept.
    pub async fn list(&self) -> Result<CapabilityList, CallError> {
        let deadline = self.link.target().timeouts.list;
        match tokio::time::timeout(deadline, dialect::list_all(self)).await {
            Ok(outcome) => outcome,
            Err(_) => {
                self.link.suspect();
                let kind = ErrorKind::Timeout(deadline);
                Err(CallError::backend(self.backend(), kind, Executed::Unknown))
            }
        }
    }

    /// Sends one request and reads the answer whole. What else the backend says meanwhile goes to the sink.
    ///
    /// # Cancel safety
    /// Dropping the future takes the call back.
    pub async fn ask(&self, call: Call) -> Result<Answer, CallError> {
        self.whole(self.forward(call).await?).await
    }

    /// Reads a reply to its end.
    pub(crate) async fn whole(&self, reply: Reply) -> Result<Answer, CallError> {
        typed::whole(&self.link, reply).await
    }

    /// Calls a tool. `arguments` and `meta` are raw JSON objects, sent as they are but for the reserved keys of
    /// `meta`. A tool that failed gives a result too ([`ToolResult::is_error`]).
    ///
    /// # Errors
    /// [`ErrorKind::Answered`] if the backend answered with an error, [`ErrorKind::InvalidParams`] if `arguments` or
    /// `meta` is no JSON object, and all that [`forward`](Self::forward) can fail with.
    ///
    /// # Cancel safety
    /// Dropping the future takes the call back.
    pub async fn call_tool(
        &self,
        name: &str,
        arguments: Option<Bytes>,
        meta: Option<Bytes>,
    ) -> Result<ToolResult, CallError> {
        let call = Call::tool(name, arguments, meta);
        self.typed(call, ToolResult::from_raw, || format!("tool \"{name}\" call")).await
    }

    /// Reads a resource.
    ///
    /// # Errors
    /// As [`call_tool`](Self::call_tool).
    ///
    /// # Cancel safety
    /// Dropping the future takes the call back.
    pub async fn read_resource(&self, uri: &str) -> Result<ResourceResult, CallError> {
        let call = Ok(Call::resource(uri));
        self.typed(call, ResourceResult::from_raw, || format!("resource \"{uri}\" read")).await
    }

    /// Gets a prompt. `arguments` is a raw JSON object.
    ///
    /// # Errors
    /// As [`call_tool`](Self::call_tool).
    ///
    /// # Cancel safety
    /// Dropping the future takes the call back.
    pub async fn get_prompt(
        &self,
        name: &str,
        arguments: Option<Bytes>,
    ) -> Result<PromptResult, CallError> {
        let call = Call::prompt(name, arguments);
        self.typed(call, PromptResult::from_raw, || format!("prompt \"{name}\" get")).await
    }

    /// Ends the session: takes nothing new, waits for calls in flight ([`TargetLimits::drain`]), then tells the backend.
    ///
    /// The backend is told with credentials of whom the session is for: a token that is held, or one that can be had,
    /// all within 5 s. Without any the session ends here only, and the log says so. Idempotent: whoever comes second
    /// returns at once, at no cost.
    ///
    /// # Cancel safety
    /// Dropped, the session is closed for callers; the backend is told in the background, when it is not yet being told
    /// at the latest when the last clone is dropped.
    pub async fn close(&self) {
        self.link.close().await;
    }

    /// Notes which arguments a listed tool wants in headers.
    pub(crate) fn note_tool(&self, tool: &Bytes, headers: ParamHeaders) {
        self.link.known().note_tool(tool, headers);
    }

    pub(crate) fn limits(&self) -> &TargetLimits {
        &self.link.target().limits
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("backend", self.backend()).finish_non_exhaustive()
    }
}
