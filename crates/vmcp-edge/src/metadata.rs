//! What vmcp says about itself as a protected resource (RFC 9728): public, for web pages too.

use std::sync::Arc;

use http::header::{self, HeaderValue};
use http::request::Parts;
use http::{Method, Response, StatusCode};
use vmcp_auth::ProtectedResource;

use crate::edge::Edge;
use crate::respond::body::ReplyBody;
use crate::respond::{Rejection, page};

const METHODS: &str = "GET, HEAD, OPTIONS";

/// Answers a path of the metadata; `None` for all others.
pub(crate) fn answer(
    edge: &Arc<Edge>,
    head: &Parts,
) -> Option<Result<Response<ReplyBody>, Rejection>> {
    let rest = head.uri.path().strip_prefix(ProtectedResource::WELL_KNOWN)?;
    if !rest.is_empty() && !rest.starts_with('/') {
        return None;
    }
    let Some(document) = edge.doorman.metadata(head.uri.path()) else {
        let absent = page::json_with(StatusCode::NOT_FOUND, r#"{"error":"not_found"}"#.into());
        return Some(Ok(absent));
    };
    let mut response = match head.method {
        Method::GET | Method::HEAD => page::json(document),
        Method::OPTIONS => page::empty(StatusCode::NO_CONTENT),
        _ => return Some(Err(Rejection::method_not_allowed(METHODS))),
    };
    // The guard has looked at the origin.
    let origin = head.headers.get(header::ORIGIN).cloned();
    let headers = response.headers_mut();
    let origin = origin.unwrap_or_else(|| HeaderValue::from_static("*"));
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(header::VARY, HeaderValue::from_static("origin"));
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(METHODS));
    let asked = HeaderValue::from_static("content-type, mcp-protocol-version");
    headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, asked);
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    Some(Ok(response))
}
