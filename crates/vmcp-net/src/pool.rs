//! One exchange: send, follow a redirect within the origin, give the streaming body.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderValue, Request, Response, Uri, header};
use http_body_util::Full;
use hyper_util::client::proxy::matcher::Matcher;

use crate::connect::{Connector, Lookup};
use crate::dial::{Dialled, dial};
use crate::line::Line;
use crate::redirect::{self, MAX_HOPS};
use crate::shelf::{Place, Shared, Shelf};
use crate::tls::Trust;
use crate::{Body, Egress, NetError};

/// What is told of a content encoding, in letters.
const MAX_CODING: usize = 64;
const IDENTITY: HeaderValue = HeaderValue::from_static("identity");

/// Connections to the peers of one [`PoolKey`](crate::PoolKey). Clones share them.
#[derive(Clone)]
pub struct Pool(Arc<Inner>);

struct Inner {
    connector: Connector,
    proxies: Option<Arc<Matcher>>,
    shelf: Arc<Shelf>,
}

// === impl Pool ===

impl Pool {
    pub(crate) fn new(
        trust: Trust,
        proxies: Option<Matcher>,
        dialled: (Lookup, Egress),
        deadline: Duration,
    ) -> Self {
        let proxies = proxies.map(Arc::new);
        let connector = Connector::new(trust, proxies.clone(), dialled, deadline);
        Self(Arc::new(Inner { connector, proxies, shelf: Arc::default() }))
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
            let response = match self.once(&parts, &body).await {
                Ok(response) => response,
                // Nothing was done with it: once more is safe, and mostly enough.
                Err(NetError::Refused(_)) if !std::mem::replace(&mut refused, true) => continue,
                Err(error) => return Err(error),
            };
            let (status, headers) = (response.status(), response.headers());
            let Some(uri) = redirect::next_hop(&parts.method, &parts.uri, status, headers)? else {
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

    /// One request and its response. A connection that lay ready may turn out to be closed before anything of the
    /// request is written to it; then the next one is taken.
    async fn once(&self, parts: &Parts, body: &Bytes) -> Result<Response<Body>, NetError> {
        let no_origin = || NetError::Setup(format!("\"{}\" is no http or https URL", parts.uri));
        let place = Place::of(&parts.uri).ok_or_else(no_origin)?;
        loop {
            if let Some(line) = self.0.shelf.take(&place) {
                match self.on_line(line, &place, parts, body).await {
                    Err(NetError::Unsent(error)) => {
                        tracing::debug!(%error, "a connection that lay ready is closed");
                    }
                    outcome => return outcome,
                }
                continue;
            }
            let dialled = match self.0.shelf.shared(&place) {
                Some(shared) => return on_shared(shared, parts, body).await,
                // Boxed, since it is rare and large.
                None => Box::pin(dial(&self.0.connector, &self.0.shelf, &place)).await?,
            };
            return match dialled {
                Dialled::Line(line) => self.on_line(line, &place, parts, body).await,
                Dialled::Shared(shared) => on_shared(shared, parts, body).await,
            };
        }
    }

    async fn on_line(
        &self,
        mut line: Line,
        place: &Place,
        parts: &Parts,
        body: &Bytes,
    ) -> Result<Response<Body>, NetError> {
        let response = line.send(parts, body).await?;
        Ok(response.map(|()| Body::on_line(line, place.clone(), &self.0.shelf)))
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

async fn on_shared(
    mut shared: Shared,
    parts: &Parts,
    body: &Bytes,
) -> Result<Response<Body>, NetError> {
    // What it is made of is kept for a hop that may follow; its parts are reference counted.
    let mut request = Request::new(Full::new(body.clone()));
    *request.method_mut() = parts.method.clone();
    *request.uri_mut() = parts.uri.clone();
    *request.headers_mut() = parts.headers.clone();
    let sent = shared.send_request(request).await;
    let response = sent.map_err(|error| NetError::from_exchange(&error))?;
    Ok(response.map(Body::new))
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
