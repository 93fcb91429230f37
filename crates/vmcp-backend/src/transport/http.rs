//! HTTP requests to one backend: its URL, its headers, its credentials.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName, HeaderValue, InvalidHeaderValue};
use http::{Method, Request, Response, Uri};
use secrecy::{ExposeSecret, SecretString};
use vmcp_auth::{AuthError, AuthFailure, Credentials, OutgoingRequest, Rejection, Verdict};
use vmcp_config::BackendId;
use vmcp_net::{Body, NetError, Pool};
use vmcp_wire::header::{LAST_EVENT_ID, PROTOCOL_VERSION, SESSION_ID};

use crate::call::Behalf;
use crate::hello::Said;
use crate::tasks::Errands;
use crate::{CallError, ConnectErrorKind, ErrorKind, Executed, Side};

/// Headers that frame or route a message, or that MCP gives a meaning: never from a configuration.
const RESTRICTED: [&str; 20] = [
    "host",
    "connection",
    "keep-alive",
    "te",
    "trailer",
    "upgrade",
    "http2-settings",
    "proxy-authorization",
    "proxy-authenticate",
    "proxy-connection",
    "transfer-encoding",
    "content-length",
    "content-type",
    "accept",
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-real-ip",
    LAST_EVENT_ID,
];

/// Headers of a caller that are not passed on besides, even if they were let through: credentials of its own, and what
/// would make the reply something that is not read.
const NEVER_CAPTURED: [HeaderName; 5] = [
    header::AUTHORIZATION,
    header::COOKIE,
    header::ACCEPT_ENCODING,
    header::CONTENT_ENCODING,
    header::EXPECT,
];

/// Both kinds of reply are welcome on a POST.
const ACCEPT_BOTH: HeaderValue = HeaderValue::from_static("application/json, text/event-stream");
const ACCEPT_EVENTS: HeaderValue = HeaderValue::from_static("text/event-stream");
const JSON: HeaderValue = HeaderValue::from_static("application/json");
const SESSION_NAME: HeaderName = HeaderName::from_static(SESSION_ID);
const VERSION_NAME: HeaderName = HeaderName::from_static(PROTOCOL_VERSION);
/// Headers that are on a request besides the configured ones, as a rule: room for them is made once.
const USUAL_HEADERS: usize = 8;

/// One backend as an HTTP peer: what all its sessions share.
pub(crate) struct HttpPeer {
    pub(crate) backend: BackendId,
    pub(crate) url: Uri,
    pool: Pool,
    /// What the configuration adds to every request.
    fixed: HeaderMap,
    /// All that is on every POST, and on every other request.
    post: HeaderMap,
    get: HeaderMap,
    credentials: Credentials,
    pub(crate) said: Said,
}

/// One request.
pub(crate) struct Outgoing<'a> {
    pub(crate) method: Method,
    pub(crate) url: &'a Uri,
    pub(crate) session: &'a SessionNames,
    /// The event after which a stream is to go on.
    pub(crate) after: Option<&'a str>,
    /// What of the body is repeated in headers.
    pub(crate) repeated: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) behalf: Behalf<'a>,
}

/// What names a session on each of its requests.
#[derive(Debug, Default)]
pub(crate) struct SessionNames {
    id: Option<HeaderValue>,
    revision: Option<&'static str>,
}

/// Why an HTTP request has no response.
#[derive(Debug)]
pub(crate) enum SendError {
    /// No credentials; nothing was sent, or it was refused for them.
    Auth(AuthError),
    /// The caller brings a header that the configuration sets; nothing was sent.
    Collision(HeaderName),
    /// No exchange.
    Net(NetError),
}

/// Checks the headers that a configuration adds, before anything is dialled.
pub(crate) fn fixed_headers(configured: &[(String, SecretString)]) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::with_capacity(configured.len());
    for (name, value) in configured {
        let header = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| format!("\"{name}\" is not a header name"))?;
        let name = header.as_str();
        if is_restricted(name) {
            return Err(format!("header \"{name}\" is restricted and cannot be set"));
        }
        let mut value = HeaderValue::from_str(value.expose_secret())
            .map_err(|_| format!("the value of header \"{name}\" cannot be sent"))?;
        value.set_sensitive(true);
        headers.append(header, value);
    }
    Ok(headers)
}

fn is_restricted(name: &str) -> bool {
    RESTRICTED.contains(&name) || name.starts_with("mcp-")
}

// === impl SessionNames ===

impl SessionNames {
    pub(crate) fn new(
        id: Option<&str>,
        revision: Option<&'static str>,
    ) -> Result<Self, InvalidHeaderValue> {
        let id = id.map(HeaderValue::from_str).transpose()?;
        Ok(Self { id, revision })
    }

    pub(crate) fn has_id(&self) -> bool {
        self.id.is_some()
    }

    fn put(&self, headers: &mut HeaderMap) {
        if let Some(id) = &self.id {
            headers.insert(SESSION_NAME, id.clone());
        }
        if let Some(revision) = self.revision {
            headers.insert(VERSION_NAME, HeaderValue::from_static(revision));
        }
    }
}

// === impl HttpPeer ===

impl HttpPeer {
    pub(crate) fn new(
        backend: BackendId,
        url: Uri,
        pool: Pool,
        fixed: HeaderMap,
        credentials: Credentials,
    ) -> Self {
        let with = |own: &[(HeaderName, HeaderValue)]| {
            let mut headers = HeaderMap::with_capacity(fixed.len() + USUAL_HEADERS);
            headers.extend(fixed.iter().map(|(name, value)| (name.clone(), value.clone())));
            headers.extend(own.iter().cloned());
            headers
        };
        let post = with(&[(header::ACCEPT, ACCEPT_BOTH), (header::CONTENT_TYPE, JSON)]);
        let get = with(&[(header::ACCEPT, ACCEPT_EVENTS)]);
        Self { backend, url, pool, fixed, post, get, credentials, said: Said::default() }
    }

    /// Sends one request with credentials, and once more if there are other ones after it was refused for them: a
    /// request that is refused so did not run.
    pub(crate) async fn send(&self, outgoing: Outgoing<'_>) -> Result<Response<Body>, SendError> {
        let identity = outgoing.behalf.caller.identity.as_deref();
        let Outgoing { method, url, body, .. } = &outgoing;
        let mut retried = false;
        loop {
            let mut headers = self.headers(&outgoing)?;
            let parts = OutgoingRequest { method, uri: url, headers: &mut headers, body };
            let applied = self.credentials.apply(parts, identity).await;
            let receipt = applied.map_err(SendError::Auth)?;
            let mut request = Request::new(body.clone());
            *request.method_mut() = method.clone();
            *request.uri_mut() = (*url).clone();
            *request.headers_mut() = headers;
            outgoing.behalf.set_sent(true);
            let response = self.pool.send(request).await.map_err(SendError::Net)?;
            let rejection = Rejection {
                receipt: &receipt,
                status: response.status(),
                headers: response.headers(),
            };
            if retried || !rejection.is_one() {
                return Ok(response);
            }
            outgoing.behalf.set_sent(false);
            match self.credentials.rejected(rejection, identity).await {
                Verdict::Retry => {}
                Verdict::Final(Some(error)) => return Err(SendError::Auth(error)),
                Verdict::Final(None) => return Ok(response),
            }
            // Read away, so that its connection can carry the second attempt.
            drain(&Errands::here(), response.into_body());
            retried = true;
        }
    }

    /// What vmcp and the configuration set, the session, the caller's own headers, and the trace.
    fn headers(&self, outgoing: &Outgoing<'_>) -> Result<HeaderMap, SendError> {
        let base = if outgoing.method == Method::POST { &self.post } else { &self.get };
        let mut headers = base.clone();
        outgoing.session.put(&mut headers);
        headers.extend(outgoing.repeated.iter().map(|(name, value)| (name.clone(), value.clone())));
        if let Some(id) = outgoing.after.and_then(|id| HeaderValue::from_bytes(id.as_bytes()).ok())
        {
            headers.insert(HeaderName::from_static(LAST_EVENT_ID), id);
        }
        if let Some(captured) = &outgoing.behalf.caller.headers {
            for (name, value) in captured.iter() {
                if self.fixed.contains_key(name) {
                    return Err(SendError::Collision(name.clone()));
                }
                if !is_restricted(name.as_str()) && !NEVER_CAPTURED.contains(name) {
                    headers.append(name.clone(), value.clone());
                }
            }
        }
        for (name, value) in outgoing.behalf.trace.iter().flat_map(|trace| trace.fields()) {
            headers.entry(name).or_insert_with(|| value.clone());
        }
        Ok(headers)
    }
}

// === impl SendError ===

impl SendError {
    /// As the error of a call.
    pub(crate) fn into_call_error(self, backend: &BackendId) -> CallError {
        match self {
            Self::Auth(error) => no_credentials(backend, Arc::new(error)),
            Self::Collision(name) => {
                let kind = ErrorKind::Misconfigured(collision(&name));
                let mut failed = CallError::backend(backend, kind, Executed::No);
                failed.side = Side::Gateway;
                failed
            }
            Self::Net(error) => {
                let executed =
                    if error.provably_unsent() { Executed::No } else { Executed::Unknown };
                let kind = match &error {
                    NetError::Redirect(_) => {
                        ErrorKind::Protocol("the backend redirects elsewhere".to_owned())
                    }
                    NetError::HeaderTooLarge => {
                        ErrorKind::Protocol("the response header is too large".to_owned())
                    }
                    NetError::Encoded(_) => {
                        ErrorKind::Protocol("the response is compressed".to_owned())
                    }
                    _ => ErrorKind::Unavailable,
                };
                CallError::backend(backend, kind, executed).with_internal(error.to_string())
            }
        }
    }

    /// The network's part of it.
    pub(crate) fn into_net_error(self) -> Option<NetError> {
        match self {
            Self::Auth(_) | Self::Collision(_) => None,
            Self::Net(error) => Some(error),
        }
    }

    /// As the error of an attempt to open a session.
    pub(crate) fn into_connect_error(self) -> ConnectErrorKind {
        match self {
            Self::Auth(error) => ConnectErrorKind::NoCredentials(Arc::new(error)),
            Self::Collision(name) => ConnectErrorKind::Config(collision(&name)),
            Self::Net(NetError::Setup(text)) => ConnectErrorKind::Config(text),
            Self::Net(error) => ConnectErrorKind::Unreachable(error.to_string()),
        }
    }
}

/// The error of a call for which there are no credentials.
pub(crate) fn no_credentials(backend: &BackendId, error: Arc<AuthError>) -> CallError {
    let side = match error.failure() {
        Some(AuthFailure::NoToken(_)) => Side::Client,
        _ => Side::Gateway,
    };
    let text = error.to_string();
    let mut failed = CallError::backend(backend, ErrorKind::NoCredentials(error), Executed::No);
    failed.side = side;
    failed.with_internal(text)
}

fn collision(name: &HeaderName) -> String {
    format!("forwarded header \"{name}\" collides with the backend's static header-forward config")
}

/// Reads what is left of a body that is of no interest, in the background if it is not there yet: an unread body
/// would cost the connection.
pub(crate) fn drain(errands: &Errands, mut body: Body) {
    const MAX: usize = 256 * 1024;
    let mut left = MAX;
    let mut goes_on = move |chunk: Option<Result<Bytes, NetError>>| match chunk {
        Some(Ok(chunk)) if chunk.len() < left => {
            left -= chunk.len();
            true
        }
        _ => false,
    };
    let mut context = Context::from_waker(Waker::noop());
    while let Poll::Ready(chunk) = body.poll_chunk(&mut context) {
        if !goes_on(chunk) {
            return;
        }
    }
    errands.run(async move { while goes_on(body.chunk().await) {} });
}

/// Whether a response is of this media type.
pub(crate) fn is_type(response: &Response<Body>, wanted: &str) -> bool {
    let value = response.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = value.and_then(|value| value.split(';').next()).unwrap_or_default().trim();
    essence.eq_ignore_ascii_case(wanted)
}
