//! Streamable HTTP: each message to the backend is a POST of its own.
//!
//! An [`Exchange`] is what all those POSTs have in common: the peer, the session id, the revision. It holds no
//! connection and no task; connections come from the peer's pool, and a reply is read by whoever awaits it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Response, StatusCode};
use vmcp_auth::Caller;
use vmcp_net::Body;
use vmcp_wire::header::SESSION_ID;
use vmcp_wire::{Message, RawId, revision};

use super::door::Unopened;
use super::http::{HttpPeer, Outgoing, SendError, SessionNames, drain};
use super::status::Refusal;
use super::{Attempt, Framing, Item, Request, StartError};
use crate::call::Behalf;
use crate::tasks::Errands;
use crate::{CallError, ClientHello, ConnectErrorKind, ErrorKind, Executed, ServerHello, dialect};

mod discover;
mod listen;
mod reply;

pub(crate) use discover::discover;
pub(crate) use listen::{Pause, listen};
pub(crate) use reply::HttpReply;

/// How long the end of the handshake's stream is waited for, so that its connection carries what comes next.
const HANDSHAKE_END: Duration = Duration::from_millis(20);
/// The longest session id that is taken.
pub(crate) const MAX_SESSION_ID: usize = 1024;

/// One session of a streamable HTTP backend.
pub(crate) struct Exchange {
    peer: Arc<HttpPeer>,
    framing: Framing,
    errands: Errands,
    session: SessionNames,
    /// The revision that both sides speak. Without a session no stream is resumed.
    revision: Option<revision::Revision>,
    /// The backend said that it has no stream outside of calls.
    no_stream: AtomicBool,
}

/// Opens a session: one request, its response, one notification. A backend that refuses to go on with an earlier
/// session is asked again without it.
pub(crate) async fn open(
    peer: &Arc<HttpPeer>,
    framing: Framing,
    hello: &ClientHello,
    attempt: Attempt<'_>,
) -> Result<(ServerHello, Arc<Exchange>), Unopened> {
    let opened = shake_hands(peer, framing, hello, attempt).await;
    match &opened {
        Err(Unopened::Failed(ConnectErrorKind::Status { status: 400 | 404, .. }))
            if attempt.hint.is_some() =>
        {
            let attempt = Attempt { hint: None, ..attempt };
            shake_hands(peer, framing, hello, attempt).await
        }
        _ => opened,
    }
}

async fn shake_hands(
    peer: &Arc<HttpPeer>,
    framing: Framing,
    hello: &ClientHello,
    attempt: Attempt<'_>,
) -> Result<(ServerHello, Arc<Exchange>), Unopened> {
    // A greeting may be long, with instructions and icons in it, and is of use only as a whole.
    let whole = Framing { hold: framing.limits.max_bytes, ..framing };
    let stranger = Arc::new(Exchange::new(peer, whole, attempt.hint, None)?);
    let id = attempt.next_id();
    let request = dialect::opening(&RawId::number(id), hello);
    let response = stranger.post(request, HeaderMap::new(), Behalf::of(attempt.caller)).await;
    let response = response.map_err(SendError::into_connect_error)?;
    let session_id = session_id(&response)?;
    let greeting = greeting(&stranger, id, response, attempt.caller).await?;
    let server = dialect::greeting(&greeting, session_id).map_err(Unopened::Refused)?;
    let server = peer.said.share(server);
    let session_id = server.session_id.as_deref();
    let exchange = Arc::new(Exchange::new(peer, framing, session_id, Some(server.revision))?);
    match exchange.tell(dialect::confirmation(), HeaderMap::new(), attempt.caller).await {
        Ok(()) => Ok((server, exchange)),
        Err(StartError::SessionLost | StartError::Foreign(_)) => {
            let text = "the session was lost before it was open".to_owned();
            Err(ConnectErrorKind::Handshake(text).into())
        }
        Err(StartError::Failed(error)) => Err(ConnectErrorKind::of_call(&error).into()),
    }
}

fn session_id(response: &Response<Body>) -> Result<Option<String>, ConnectErrorKind> {
    let Some(value) = response.headers().get(SESSION_ID) else { return Ok(None) };
    let visible = |byte: &u8| (0x21..=0x7e).contains(byte);
    let bytes = value.as_bytes();
    if bytes.is_empty() || bytes.len() > MAX_SESSION_ID || !bytes.iter().all(visible) {
        let text = "the backend's session id is not visible ASCII of a sane length".to_owned();
        return Err(ConnectErrorKind::Handshake(text));
    }
    Ok(Some(String::from_utf8_lossy(bytes).into_owned()))
}

/// The response to the opening request.
async fn greeting(
    stranger: &Arc<Exchange>,
    id: u64,
    response: Response<Body>,
    caller: &Caller,
) -> Result<Message, ConnectErrorKind> {
    let status = response.status();
    if !status.is_success() {
        let refusal = Refusal::read(response).await;
        return Err(match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                ConnectErrorKind::Unauthorized(status.as_u16())
            }
            _ => ConnectErrorKind::Status { status: status.as_u16(), detail: refusal.text() },
        });
    }
    let reply = HttpReply::new(stranger, response, caller);
    let mut reply = reply.map_err(|error| ConnectErrorKind::Handshake(error.to_string()))?;
    loop {
        let item = reply.next().await;
        match item.map_err(|error| ConnectErrorKind::Handshake(error.to_string()))? {
            Item::Message(message)
                if message.id().is_some_and(|theirs| super::is_own(&theirs, id)) =>
            {
                if message.method().is_empty() {
                    reply.end_within(HANDSHAKE_END).await;
                    return Ok(message);
                }
            }
            Item::Message(_) | Item::Request(_) | Item::Paused => {}
            Item::Head(_) | Item::Pieces(_) | Item::End => {
                let text = "the response is too long".to_owned();
                return Err(ConnectErrorKind::Handshake(text));
            }
        }
    }
}

/// Up to half of `pause`, at random.
fn jitter(pause: Duration) -> Duration {
    use std::hash::{BuildHasher, RandomState};
    // A fresh RandomState is seeded per instance; that is enough to spread, and needs no generator.
    let random = RandomState::new().hash_one(0_u8);
    pause.mul_f64((random % 1024) as f64 / 2048.0)
}

// === impl Exchange ===

impl Exchange {
    fn new(
        peer: &Arc<HttpPeer>,
        framing: Framing,
        session_id: Option<&str>,
        revision: Option<revision::Revision>,
    ) -> Result<Self, ConnectErrorKind> {
        let version = revision.filter(|revision| revision.version_header());
        let session = SessionNames::new(session_id, version.map(|version| version.as_str()));
        let session = session.map_err(|_| {
            let text = "the session id cannot be sent in a header".to_owned();
            ConnectErrorKind::Config(text)
        })?;
        Ok(Self {
            framing,
            errands: Errands::here(),
            session,
            revision,
            no_stream: AtomicBool::new(false),
            peer: Arc::clone(peer),
        })
    }

    /// The revision that both sides speak, once that is known.
    pub(crate) fn revision(&self) -> Option<revision::Revision> {
        self.revision
    }

    /// Whether the backend keeps nothing between requests.
    fn is_stateless(&self) -> bool {
        self.revision.is_some_and(revision::Revision::stateless)
    }

    /// Sends one request and gives its reply once the response's header is there.
    pub(crate) async fn call(
        self: &Arc<Self>,
        request: Request,
        behalf: Behalf<'_>,
    ) -> Result<HttpReply, StartError> {
        let Request { id, body, headers, .. } = request;
        let response = match self.post(body, headers, behalf).await {
            Ok(response) => response,
            Err(error) => {
                return Err(StartError::Failed(error.into_call_error(&self.peer.backend)));
            }
        };
        if response.status().is_success() {
            return HttpReply::new(self, response, behalf.caller).map_err(StartError::Failed);
        }
        let refusal = Box::pin(Refusal::read(response)).await;
        let foreign = refusal.is_foreign(id, self.is_stateless());
        let answer = refusal.into_response(id, self.has_session(), &self.peer.backend);
        match answer {
            Err(StartError::Failed(error)) if foreign => {
                Err(StartError::Foreign(Box::new(Err(error))))
            }
            Ok(message) if foreign => Err(StartError::Foreign(Box::new(Ok(message)))),
            answer => Ok(HttpReply::Ready(Box::new(answer?))),
        }
    }

    /// Sends a notification or a response.
    pub(crate) async fn tell(
        &self,
        message: Bytes,
        headers: HeaderMap,
        caller: &Caller,
    ) -> Result<(), StartError> {
        let response = match self.post(message, headers, Behalf::of(caller)).await {
            Ok(response) => response,
            Err(error) => {
                return Err(StartError::Failed(error.into_call_error(&self.peer.backend)));
            }
        };
        if response.status().is_success() {
            // Nothing is expected in it; read, so that the connection can be used again.
            self.drain(response.into_body());
            return Ok(());
        }
        let refusal = Refusal::read(response).await;
        // No request has this id: it can only be a refusal of the session.
        if self.has_session() && refusal.is_lost_session(0) {
            return Err(StartError::SessionLost);
        }
        Err(StartError::Failed(refusal.into_error(&self.peer.backend)))
    }

    /// Opens the stream outside of calls, or resumes one.
    pub(crate) async fn get(
        &self,
        after: Option<&str>,
        caller: &Caller,
    ) -> Result<Response<Body>, SendError> {
        let get = self.outgoing(Method::GET, Bytes::new(), HeaderMap::new(), Behalf::of(caller));
        self.peer.send(Outgoing { after, ..get }).await
    }

    /// Tells the backend that the session is over, with what credentials there are: a token that is held, or one that
    /// can be had within the bound of an errand. Whether the backend cares is its own affair; without credentials the
    /// session ends here only. A dropped future does not stop it.
    pub(crate) async fn end_session(self: &Arc<Self>, caller: &Caller) {
        if !self.has_session() {
            return;
        }
        let (exchange, caller) = (Arc::clone(self), caller.clone());
        self.errands.finish(async move { exchange.delete(&caller).await }).await;
    }

    async fn delete(&self, caller: &Caller) {
        let backend = &self.peer.backend;
        let behalf = Behalf::of(caller);
        let delete = self.outgoing(Method::DELETE, Bytes::new(), HeaderMap::new(), behalf);
        match self.peer.send(delete).await {
            Ok(response) => {
                let status = response.status().as_u16();
                tracing::debug!(%backend, status, "session ended");
                self.drain(response.into_body());
            }
            Err(SendError::Auth(error)) => {
                tracing::warn!(%backend, %error, "session ended here only: no credentials to tell the backend");
            }
            Err(error) => tracing::debug!(%backend, ?error, "session not ended"),
        }
    }

    pub(crate) fn has_session(&self) -> bool {
        self.session.has_id()
    }

    pub(crate) fn refuses_stream(&self) -> bool {
        self.no_stream.load(Ordering::Relaxed)
    }

    fn error(&self, kind: ErrorKind, executed: Executed) -> CallError {
        CallError::backend(&self.peer.backend, kind, executed)
    }

    async fn post(
        &self,
        message: Bytes,
        headers: HeaderMap,
        behalf: Behalf<'_>,
    ) -> Result<Response<Body>, SendError> {
        self.peer.send(self.outgoing(Method::POST, message, headers, behalf)).await
    }

    fn outgoing<'a>(
        &'a self,
        method: Method,
        body: Bytes,
        repeated: HeaderMap,
        behalf: Behalf<'a>,
    ) -> Outgoing<'a> {
        let (url, session) = (&self.peer.url, &self.session);
        Outgoing { method, url, session, after: None, repeated, body, behalf }
    }

    fn drain(&self, body: Body) {
        drain(&self.errands, body);
    }
}
