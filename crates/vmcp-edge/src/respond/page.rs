//! Complete HTTP responses.

use std::time::Duration;

use bytes::Bytes;
use http::header::{self, HeaderValue};
use http::{Response, StatusCode};

use super::body::ReplyBody;
use super::{Instead, Rejection};

pub(crate) const JSON: HeaderValue = HeaderValue::from_static("application/json");
const EVENTS: HeaderValue = HeaderValue::from_static("text/event-stream");
const NO_CACHE: HeaderValue = HeaderValue::from_static("no-cache");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
const NO: HeaderValue = HeaderValue::from_static("no");
const CLOSE: HeaderValue = HeaderValue::from_static("close");

/// No content.
pub(crate) fn empty(status: StatusCode) -> Response<ReplyBody> {
    let mut response = Response::new(ReplyBody::whole(Bytes::new()));
    *response.status_mut() = status;
    response
}

/// One message with its length.
pub(crate) fn json(bytes: Bytes) -> Response<ReplyBody> {
    content(JSON, ReplyBody::whole(bytes))
}

/// One message under another status than 200.
pub(crate) fn json_with(status: StatusCode, bytes: Bytes) -> Response<ReplyBody> {
    let mut response = json(bytes);
    *response.status_mut() = status;
    response
}

/// Content of any type.
pub(crate) fn content(kind: HeaderValue, body: ReplyBody) -> Response<ReplyBody> {
    let mut response = Response::new(body);
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

/// An event stream. No cache may keep it, and no proxy may wait for it to fill a buffer.
pub(crate) fn events(body: ReplyBody) -> Response<ReplyBody> {
    let mut response = content(EVENTS, body);
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, NO_CACHE);
    headers.insert("x-accel-buffering", NO);
    response
}

/// A refusal.
pub(crate) fn rejection(rejection: &Rejection, retry_after: Duration) -> Response<ReplyBody> {
    let body = match rejection.instead.as_deref() {
        Some(Instead::Authenticate(_, body)) => body.clone(),
        Some(Instead::Ask(_)) | None => rejection.message(),
    };
    let mut response = json_with(rejection.status, body);
    let headers = response.headers_mut();
    match rejection.instead.as_deref() {
        Some(Instead::Authenticate(challenge, _)) => {
            headers.insert(header::WWW_AUTHENTICATE, challenge.clone());
            headers.insert(header::CACHE_CONTROL, NO_STORE);
        }
        Some(Instead::Ask(allow)) => {
            headers.insert(header::ALLOW, HeaderValue::from_static(allow));
        }
        None => {}
    }
    if rejection.retry {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(retry_after.as_secs().max(1)));
    }
    if rejection.close {
        headers.insert(header::CONNECTION, CLOSE);
    }
    response
}
