//! Streamable HTTP: each message to the backend is a POST of its own.
//!
//! An [`Exchange`] is what all those POSTs have in common: the peer, the session id, the revision. It holds no
//! connection and no task; connections come from the peer's pool, and a reply is read by whoever awaits it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::{Method, Response, StatusCode};
use vmcp_net::Body;
use vmcp_wire::header::{LAST_EVENT_ID, SESSION_ID};
use vmcp_wire::{Message, RawId, revision};

use super::http::{HttpPeer, SendError, drain};
use super::status::Refusal;
use super::{Framing, Item, StartError};
use crate::tasks::Errands;
use crate::{CallError, ClientHello, ConnectErrorKind, ErrorKind, Executed, ServerHello, dialect};

mod listen;
mod reply;

pub(crate) use listen::listen;
pub(crate) use reply::HttpReply;

/// How long the end of the handshake's stream is waited for, so that its connection carries what comes next.
const HANDSHAKE_END: Duration = Duration::from_millis(20);
/// The longest session id that is taken.
const MAX_SESSION_ID: usize = 1024;

/// One session of a streamable HTTP backend.
pub(crate) struct Exchange {
    peer: Arc<HttpPeer>,
    framing: Framing,
    errands: Errands,
    session_id: Option<String>,
    post: HeaderMap,
    get: HeaderMap,
    /// The backend said that it has no stream outside of calls.
    no_stream: AtomicBool,
}

/// Opens a session: one request, its response, one notification.
pub(crate) async fn open(
    peer: &Arc<HttpPeer>,
    framing: Framing,
    hello: &ClientHello,
    id: u64,
) -> Result<(ServerHello, Arc<Exchange>), ConnectErrorKind> {
    let stranger = Arc::new(Exchange::new(peer, framing, None, None)?);
    let request = dialect::opening(&RawId::number(id), hello);
    let response = stranger.post(request).await.map_err(SendError::into_connect_error)?;
    let session_id = session_id(&response)?;
    let greeting = greeting(&stranger, id, response).await?;
    let server = dialect::greeting(&greeting, session_id).map_err(ConnectErrorKind::Handshake)?;
    let revision = server.revision;
    let session_id = server.session_id.clone();
    let exchange = Arc::new(Exchange::new(peer, framing, session_id, Some(revision))?);
    match exchange.tell(dialect::confirmation()).await {
        Ok(()) => Ok((server, exchange)),
        Err(StartError::SessionLost) => {
            let text = "the session was lost before it was open".to_owned();
            Err(ConnectErrorKind::Handshake(text))
        }
        Err(StartError::Failed(error)) => Err(ConnectErrorKind::Handshake(error.to_string())),
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
    let reply = HttpReply::new(stranger, response);
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

// === impl Exchange ===

impl Exchange {
    fn new(
        peer: &Arc<HttpPeer>,
        framing: Framing,
        session_id: Option<String>,
        revision: Option<revision::Revision>,
    ) -> Result<Self, ConnectErrorKind> {
        let version = revision.filter(|revision| revision.version_header());
        let session = HttpPeer::session_headers(
            session_id.as_deref(),
            version.map(|version| version.as_str()),
        )
        .map_err(ConnectErrorKind::Handshake)?;
        Ok(Self {
            framing,
            errands: Errands::here(),
            session_id,
            post: peer.post_headers(&session),
            get: peer.get_headers(&session),
            no_stream: AtomicBool::new(false),
            peer: Arc::clone(peer),
        })
    }

    /// Sends one request and gives its reply once the response's header is there.
    pub(crate) async fn call(
        self: &Arc<Self>,
        id: u64,
        request: Bytes,
    ) -> Result<HttpReply, StartError> {
        let response = match self.post(request).await {
            Ok(response) => response,
            Err(error) => {
                return Err(StartError::Failed(error.into_call_error(&self.peer.backend)));
            }
        };
        if response.status().is_success() {
            return HttpReply::new(self, response).map_err(StartError::Failed);
        }
        let refusal = Refusal::read(response).await;
        let message = refusal.into_response(id, self.session_id.is_some(), &self.peer.backend)?;
        Ok(HttpReply::Ready(Box::new(message)))
    }

    /// Sends a notification or a response.
    pub(crate) async fn tell(&self, message: Bytes) -> Result<(), StartError> {
        let response = match self.post(message).await {
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
        if self.session_id.is_some() && refusal.is_lost_session(0) {
            return Err(StartError::SessionLost);
        }
        Err(StartError::Failed(refusal.into_error(&self.peer.backend)))
    }

    /// Opens the stream outside of calls, or resumes one.
    pub(crate) async fn get(&self, after: Option<&str>) -> Result<Response<Body>, SendError> {
        let url = &self.peer.url;
        let Some(id) = after.and_then(|id| HeaderValue::from_str(id).ok()) else {
            return self.peer.send(Method::GET, url, &self.get, Bytes::new()).await;
        };
        let mut headers = self.get.clone();
        headers.insert(HeaderName::from_static(LAST_EVENT_ID), id);
        self.peer.send(Method::GET, url, &headers, Bytes::new()).await
    }

    /// Tells the backend that the session is over. Whether it cares is its own affair.
    pub(crate) async fn end_session(&self) {
        if self.session_id.is_none() {
            return;
        }
        let url = &self.peer.url;
        match self.peer.send(Method::DELETE, url, &self.get, Bytes::new()).await {
            Ok(response) => {
                tracing::debug!(
                    backend = %self.peer.backend,
                    status = response.status().as_u16(),
                    "session ended"
                );
                self.drain(response.into_body());
            }
            Err(error) => {
                tracing::debug!(backend = %self.peer.backend, ?error, "session not ended");
            }
        }
    }

    pub(crate) fn has_session(&self) -> bool {
        self.session_id.is_some()
    }

    pub(crate) fn refuses_stream(&self) -> bool {
        self.no_stream.load(Ordering::Relaxed)
    }

    fn error(&self, kind: ErrorKind, executed: Executed) -> CallError {
        CallError::backend(&self.peer.backend, kind, executed)
    }

    async fn post(&self, message: Bytes) -> Result<Response<Body>, SendError> {
        self.peer.send(Method::POST, &self.peer.url, &self.post, message).await
    }

    fn drain(&self, body: Body) {
        drain(&self.errands, body);
    }
}
