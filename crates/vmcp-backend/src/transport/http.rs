//! HTTP requests to one backend: its URL, its headers, its credentials.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request, Response, Uri};
use secrecy::{ExposeSecret, SecretString};
use vmcp_auth::{AuthError, Credentials, Identity, OutgoingRequest, Rejection, Verdict};
use vmcp_config::BackendId;
use vmcp_net::{Body, NetError, Pool};
use vmcp_wire::header::{LAST_EVENT_ID, PROTOCOL_VERSION, SESSION_ID};

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

/// Both kinds of reply are welcome on a POST.
const ACCEPT_BOTH: HeaderValue = HeaderValue::from_static("application/json, text/event-stream");
const ACCEPT_EVENTS: HeaderValue = HeaderValue::from_static("text/event-stream");
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// One backend as an HTTP peer.
pub(crate) struct HttpPeer {
    pub(crate) backend: BackendId,
    pub(crate) url: Uri,
    pub(crate) pool: Pool,
    pub(crate) fixed: HeaderMap,
    pub(crate) credentials: Credentials,
    /// The caller captured when the session was opened.
    pub(crate) identity: Option<Arc<Identity>>,
}

/// Why an HTTP request has no response.
#[derive(Debug)]
pub(crate) enum SendError {
    /// No credentials; nothing was sent.
    Auth(AuthError),
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
        if RESTRICTED.contains(&name) || name.starts_with("mcp-") {
            return Err(format!("header \"{name}\" is restricted and cannot be set"));
        }
        let mut value = HeaderValue::from_str(value.expose_secret())
            .map_err(|_| format!("the value of header \"{name}\" cannot be sent"))?;
        value.set_sensitive(true);
        headers.append(header, value);
    }
    Ok(headers)
}

// === impl HttpPeer ===

impl HttpPeer {
    /// The headers of a POST in a session.
    pub(crate) fn post_headers(&self, session: &HeaderMap) -> HeaderMap {
        let own = [(header::ACCEPT, ACCEPT_BOTH), (header::CONTENT_TYPE, JSON)];
        self.headers(own.into_iter(), session)
    }

    /// The headers of a GET in a session.
    pub(crate) fn get_headers(&self, session: &HeaderMap) -> HeaderMap {
        self.headers([(header::ACCEPT, ACCEPT_EVENTS)].into_iter(), session)
    }

    /// The headers that name a session.
    pub(crate) fn session_headers(
        session_id: Option<&str>,
        revision: Option<&'static str>,
    ) -> Result<HeaderMap, String> {
        let mut headers = HeaderMap::new();
        if let Some(id) = session_id {
            let value = HeaderValue::from_str(id)
                .map_err(|_| "the backend's session id cannot be sent".to_owned())?;
            headers.insert(HeaderName::from_static(SESSION_ID), value);
        }
        if let Some(revision) = revision {
            let name = HeaderName::from_static(PROTOCOL_VERSION);
            headers.insert(name, HeaderValue::from_static(revision));
        }
        Ok(headers)
    }

    /// Sends one request with credentials, once more if there are other ones after a rejection. `headers` come from
    /// [`post_headers`](Self::post_headers) or [`get_headers`](Self::get_headers).
    pub(crate) async fn send(
        &self,
        method: Method,
        url: &Uri,
        headers: &HeaderMap,
        body: Bytes,
    ) -> Result<Response<Body>, SendError> {
        let identity = self.identity.as_deref();
        let mut retried = false;
        loop {
            let mut headers = headers.clone();
            let parts =
                OutgoingRequest { method: &method, uri: url, headers: &mut headers, body: &body };
            let receipt =
                self.credentials.apply(parts, identity).await.map_err(SendError::Auth)?;
            let mut request = Request::new(body.clone());
            *request.method_mut() = method.clone();
            *request.uri_mut() = url.clone();
            *request.headers_mut() = headers;
            let response = self.pool.send(request).await.map_err(SendError::Net)?;
            let rejection = Rejection {
                receipt: &receipt,
                status: response.status(),
                headers: response.headers(),
            };
            if retried
                || !rejection.is_one()
                || self.credentials.rejected(rejection, identity).await != Verdict::Retry
            {
                return Ok(response);
            }
            retried = true;
        }
    }

    /// What vmcp sets itself, the session, and what is configured under names not yet taken.
    fn headers(
        &self,
        own: impl Iterator<Item = (HeaderName, HeaderValue)>,
        session: &HeaderMap,
    ) -> HeaderMap {
        let mut headers = session.clone();
        headers.extend(own);
        for name in self.fixed.keys() {
            if !headers.contains_key(name) {
                for value in self.fixed.get_all(name) {
                    headers.append(name.clone(), value.clone());
                }
            }
        }
        headers
    }
}

// === impl SendError ===

impl SendError {
    /// As the error of a call.
    pub(crate) fn into_call_error(self, backend: &BackendId) -> CallError {
        match self {
            Self::Auth(error) => {
                let mut failed = CallError::backend(backend, ErrorKind::Unauthorized, Executed::No);
                failed.side = Side::Gateway;
                failed.with_internal(error.to_string())
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
                    _ => ErrorKind::Unavailable,
                };
                CallError::backend(backend, kind, executed).with_internal(error.to_string())
            }
        }
    }

    /// The network's part of it.
    pub(crate) fn into_net_error(self) -> Option<NetError> {
        match self {
            Self::Auth(_) => None,
            Self::Net(error) => Some(error),
        }
    }

    /// As the error of an attempt to open a session.
    pub(crate) fn into_connect_error(self) -> ConnectErrorKind {
        match self {
            Self::Auth(error) => ConnectErrorKind::Config(error.to_string()),
            Self::Net(NetError::Setup(text)) => ConnectErrorKind::Config(text),
            Self::Net(error) => ConnectErrorKind::Unreachable(error.to_string()),
        }
    }
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
