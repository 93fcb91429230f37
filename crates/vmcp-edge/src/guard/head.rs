//! `Content-Type` and `Accept`, before a byte of the body is read.

use http::request::Parts;
use http::{HeaderMap, Method, StatusCode, header};

use super::origin::single;
use crate::respond::Rejection;

const JSON: &str = "application/json";
const EVENTS: &str = "text/event-stream";

const USUAL: &str = "application/json, text/event-stream";

/// What a request wants of the endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    /// Hand in messages.
    Post,
    /// Open a stream, or resume one.
    Get,
    /// End the session.
    Delete,
}

/// Refuses a head with more than `most` bytes of headers.
pub(crate) fn bounded(headers: &HeaderMap, most: usize) -> Result<(), Rejection> {
    let lines = headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4);
    if lines.sum::<usize>() <= most {
        return Ok(());
    }
    let status = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
    Err(Rejection::new(status, "the headers are too long").and_close())
}

/// The verb, once its headers fit it.
pub(crate) fn check(head: &Parts) -> Result<Verb, Rejection> {
    match head.method {
        Method::POST => {
            content_type(&head.headers)?;
            // The reply may become either: only the backend knows whether it streams.
            accepts(&head.headers, &[JSON, EVENTS])?;
            Ok(Verb::Post)
        }
        Method::GET => {
            accepts(&head.headers, &[EVENTS])?;
            Ok(Verb::Get)
        }
        Method::DELETE => Ok(Verb::Delete),
        _ => Err(Rejection::method_not_allowed("GET, POST, DELETE")),
    }
}

/// Checks a request for an event stream that is a whole session. Its transport says nothing of `Accept`, so it may be
/// left out.
pub(crate) fn check_stream(head: &Parts) -> Result<(), Rejection> {
    if head.method != Method::GET {
        return Err(Rejection::method_not_allowed("GET"));
    }
    match head.headers.contains_key(header::ACCEPT) {
        true => accepts(&head.headers, &[EVENTS]),
        false => Ok(()),
    }
}

/// Checks a message for such a session: its answer comes on the stream.
pub(crate) fn check_message(head: &Parts) -> Result<(), Rejection> {
    if head.method != Method::POST {
        return Err(Rejection::method_not_allowed("POST"));
    }
    content_type(&head.headers)
}

fn content_type(headers: &HeaderMap) -> Result<(), Rejection> {
    let value = single(headers, header::CONTENT_TYPE)?.unwrap_or_default();
    if is_json(value) {
        return Ok(());
    }
    Err(Rejection::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "the content type must be application/json",
    ))
}

/// JSON is UTF-8: another charset would be read as something else than what was meant.
fn is_json(value: &str) -> bool {
    let mut parts = value.split(';').map(str::trim);
    parts.next().is_some_and(|kind| kind.eq_ignore_ascii_case(JSON))
        && parts.filter(|part| !part.is_empty()).all(|parameter| {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            !name.trim().eq_ignore_ascii_case("charset")
                || value.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
        })
}

fn accepts(headers: &HeaderMap, kinds: &[&str]) -> Result<(), Rejection> {
    // As SDKs spell it: the usual client is not read further.
    let first = headers.get(header::ACCEPT).map_or(&b""[..], |value| value.as_bytes());
    if first == USUAL.as_bytes() {
        return Ok(());
    }
    let all = kinds.iter().all(|kind| {
        headers.get_all(header::ACCEPT).iter().any(|value| {
            value.to_str().is_ok_and(|value| value.split(',').any(|range| covers(range, kind)))
        })
    });
    if all {
        return Ok(());
    }
    Err(Rejection::new(
        StatusCode::NOT_ACCEPTABLE,
        match kinds {
            [_] => "the client must accept text/event-stream",
            _ => "the client must accept application/json and text/event-stream",
        },
    ))
}

/// Whether one media range of an `Accept` header takes `kind`.
fn covers(range: &str, kind: &str) -> bool {
    let mut parts = range.split(';').map(str::trim);
    let range = parts.next().unwrap_or_default();
    let refused = parts.any(|parameter| {
        parameter.split_once('=').is_some_and(|(name, value)| {
            name.trim().eq_ignore_ascii_case("q") && value.trim().parse() == Ok(0.0_f32)
        })
    });
    let matches = range == "*/*"
        || range.eq_ignore_ascii_case(kind)
        || range.strip_suffix("/*").is_some_and(|family| {
            kind.split_once('/').is_some_and(|(own, _)| own.eq_ignore_ascii_case(family))
        });
    matches && !refused
}

#[cfg(test)]
mod tests {
    use super::{covers, is_json};

    #[test]
    fn takes_json_in_utf_8_only() {
        for good in [
            "application/json",
            "Application/JSON; charset=UTF-8",
            "application/json;charset=\"utf-8\"",
            "application/json; v=1;",
        ] {
            assert!(is_json(good), "{good}");
        }
        for bad in
            ["", "text/plain", "application/json; charset=utf-16", "application/json5", "json"]
        {
            assert!(!is_json(bad), "{bad}");
        }
    }

    #[test]
    fn reads_media_ranges_with_wildcards_and_weights() {
        for range in ["*/*", "application/*", " application/json", "Application/Json;q=0.5"] {
            assert!(covers(range, "application/json"), "{range}");
        }
        for range in ["", "text/*", "application/json;q=0", "*/*; q=0.0", "application/jsonl"] {
            assert!(!covers(range, "application/json"), "{range}");
        }
    }
}
