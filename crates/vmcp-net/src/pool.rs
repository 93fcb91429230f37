//! One exchange: send, follow a redirect within the origin, give the streaming body.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Request, Response, Uri, header};
use http_body_util::Full;
use hyper_util::client::legacy;
use hyper_util::client::proxy::matcher::Matcher;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::ClientConfig;

use crate::connect::{Connector, Lookup};
use crate::redirect::{self, MAX_HOPS};
use crate::{Body, Egress, NetError};

/// An idle connection is closed after this long.
const IDLE: Duration = Duration::from_secs(90);
/// Idle connections kept for one origin: as many as calls may run at a time, or each burst would dial anew.
const MAX_IDLE: usize = 1024;
/// Bytes of a response's header, and of what is read ahead of a slow reader.
const MAX_HEADER_BYTES: usize = 64 * 1024;
/// Header lines of a response.
const MAX_HEADERS: usize = 128;
/// What one HTTP/2 stream may send ahead of its reader.
const STREAM_WINDOW: u32 = 256 * 1024;
/// What all streams of one HTTP/2 connection may send ahead of their readers.
const CONNECTION_WINDOW: u32 = 4 * 1024 * 1024;
/// A silent HTTP/2 connection is probed this often, and given up when the probe is not answered as soon.
const HTTP2_PROBE: Duration = Duration::from_secs(30);

/// What is told of a content encoding, in letters.
const MAX_CODING: usize = 64;
const IDENTITY: HeaderValue = HeaderValue::from_static("identity");

/// Connections to the peers of one [`PoolKey`](crate::PoolKey). Clones share them.
#[derive(Clone)]
pub struct Pool(Arc<Shared>);

struct Shared {
    client: legacy::Client<Connector, Full<Bytes>>,
    proxies: Option<Arc<Matcher>>,
}

// === impl Pool ===

impl Pool {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that makes HTTP clients")]
    pub(crate) fn new(
        tls: ClientConfig,
        proxies: Option<Matcher>,
        dialled: (Lookup, Egress),
        deadline: Duration,
    ) -> Self {
        let proxies = proxies.map(Arc::new);
        let connector = Connector::new(tls, proxies.clone(), dialled, deadline);
        let client = legacy::Client::builder(TokioExecutor::new())
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(MAX_IDLE)
            .pool_timer(TokioTimer::new())
            .timer(TokioTimer::new())
            .http1_max_buf_size(MAX_HEADER_BYTES)
            .http1_max_headers(MAX_HEADERS)
            .http2_max_header_list_size(u32::try_from(MAX_HEADER_BYTES).unwrap_or(u32::MAX))
            .http2_initial_stream_window_size(STREAM_WINDOW)
            .http2_initial_connection_window_size(CONNECTION_WINDOW)
            .http2_keep_alive_interval(HTTP2_PROBE)
            .http2_keep_alive_timeout(HTTP2_PROBE)
            // Repeats a request only when a reused connection closed before anything of it was written.
            .retry_canceled_requests(true)
            .build(connector);
        Self(Arc::new(Shared { client, proxies }))
    }

    /// Whether anybody but the registry of pools holds this one.
    pub(crate) fn is_held(&self) -> bool {
        Arc::strong_count(&self.0) > 1
    }

    /// Sends `request` and gives the response once its header is there; the body streams.
    ///
    /// Redirects are followed only within scheme, host and port, ten at most: 307 and 308 with method and
    /// body, 301, 302 and 303 only for GET. A compressed body is an error. There is no total timeout: the caller
    /// owns the deadline.
    ///
    /// # Cancel safety
    /// Dropping the future gives the exchange up; the server may have seen the request.
    pub async fn send(&self, request: Request<Bytes>) -> Result<Response<Body>, NetError> {
        self.exchange(request, MAX_HOPS).await
    }

    /// Sends `request` and follows so many redirects; one more is an error.
    pub(crate) async fn exchange(
        &self,
        request: Request<Bytes>,
        max_hops: usize,
    ) -> Result<Response<Body>, NetError> {
        let (mut parts, body) = request.into_parts();
        // Saying nothing would mean that any encoding is welcome (RFC 9110, §12.5.3).
        parts.headers.entry(header::ACCEPT_ENCODING).or_insert(IDENTITY);
        if let Some(authorization) = self.proxy_authorization(&parts.uri) {
            parts.headers.insert(header::PROXY_AUTHORIZATION, authorization);
        }
        let mut hops = 0;
        let mut refused = false;
        loop {
            let mut request = Request::new(Full::new(body.clone()));
            *request.method_mut() = parts.method.clone();
            *request.uri_mut() = parts.uri.clone();
            // Kept for a hop that may follow: header values are reference counted.
            *request.headers_mut() = parts.headers.clone();
            let response = match self.0.client.request(request).await {
                Ok(response) => response,
                Err(error) => match NetError::from_client(&error) {
                    // Nothing was done with it: once more is safe, and mostly enough.
                    NetError::Refused(_) if !std::mem::replace(&mut refused, true) => continue,
                    error => return Err(error),
                },
            };
            let (status, headers) = (response.status(), response.headers());
            let Some(uri) = redirect::next_hop(&parts.method, &parts.uri, status, headers)? else {
                let response = response.map(Body::new);
                check_encoding(&response)?;
                return Ok(response);
            };
            if hops == max_hops {
                return Err(redirect::too_many(status, max_hops));
            }
            parts.uri = uri;
            hops += 1;
        }
    }

    /// A proxy that reads plain requests gets its credentials on each of them.
    fn proxy_authorization(&self, to: &Uri) -> Option<HeaderValue> {
        let proxies = self.0.proxies.as_ref()?;
        if to.scheme_str() == Some("https") {
            return None;
        }
        proxies.intercept(to)?.basic_auth().cloned()
    }
}

/// A body is read as it is: a decoder would need a bound of its own against bombs, and nobody asked for one.
fn check_encoding(response: &Response<Body>) -> Result<(), NetError> {
    for value in response.headers().get_all(header::CONTENT_ENCODING) {
        let codings = String::from_utf8_lossy(value.as_bytes());
        let plain = codings
            .split(',')
            .map(str::trim)
            .all(|coding| coding.is_empty() || coding.eq_ignore_ascii_case("identity"));
        if !plain && response.body().exact_len() != Some(0) {
            return Err(NetError::Encoded(codings.chars().take(MAX_CODING).collect()));
        }
    }
    Ok(())
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
