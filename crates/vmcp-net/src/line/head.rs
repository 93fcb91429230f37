//! The head of a request, as it is written, and that of a response, as it is read.

use std::fmt::Write;
use std::mem::MaybeUninit;

use bytes::{BufMut, Bytes, BytesMut};
use http::request::Parts;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, Uri, Version, header,
};

use super::MAX_HEADER_BYTES;
use crate::NetError;

/// Header lines of a response.
const MAX_HEADERS: usize = 100;
/// A usual head of a request.
const USUAL: usize = 512;

/// What the server is told of the URL.
#[derive(Debug, Clone, Copy)]
pub(super) enum Target<'a> {
    /// By the server itself only its path is wanted.
    Path(&'a str),
    /// A proxy has to be told all of it.
    Whole(&'a Uri),
}

/// The head of a response.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) version: Version,
    pub(super) headers: HeaderMap,
}

/// A request's head. What frames the body is written here and nowhere else; header values have no line breaks in them.
pub(super) fn request(parts: &Parts, target: Target<'_>, host: &HeaderValue, body: usize) -> Bytes {
    let mut head = BytesMut::with_capacity(USUAL);
    head.put_slice(parts.method.as_str().as_bytes());
    head.put_u8(b' ');
    match target {
        Target::Path(path) => {
            // A query may stand alone in a URL, but not here.
            if !path.starts_with(['/', '*']) {
                head.put_u8(b'/');
            }
            head.put_slice(path.as_bytes());
        }
        // Writing to memory does not fail.
        Target::Whole(uri) => _ = write!(head, "{uri}"),
    }
    head.put_slice(b" HTTP/1.1\r\n");
    if !parts.headers.contains_key(header::HOST) {
        put(&mut head, &header::HOST, host);
    }
    for (name, value) in &parts.headers {
        if *name != header::CONTENT_LENGTH && *name != header::TRANSFER_ENCODING {
            put(&mut head, name, value);
        }
    }
    // Where a body is expected, that there is none is said too (RFC 9110, §8.6).
    if body > 0 || matches!(parts.method, Method::POST | Method::PUT | Method::PATCH) {
        let _ = write!(head, "content-length: {body}\r\n");
    }
    head.put_slice(b"\r\n");
    head.freeze()
}

fn put(head: &mut BytesMut, name: &HeaderName, value: &HeaderValue) {
    head.put_slice(name.as_str().as_bytes());
    head.put_slice(b": ");
    head.put_slice(value.as_bytes());
    head.put_slice(b"\r\n");
}

/// Takes the head of a response out of what was read, once it is there as a whole. `seen` is how much of it was looked
/// at before: a head that comes byte by byte is not read anew each time.
pub(super) fn answer(input: &mut BytesMut, seen: &mut usize) -> Result<Option<Answer>, NetError> {
    let Some(end) = end(input, *seen) else {
        if input.len() >= MAX_HEADER_BYTES {
            return Err(NetError::HeaderTooLarge);
        }
        // What cannot become a response is not waited for.
        if *seen == 0 && !input.is_empty() {
            read(input, |_, _, _| ())?;
        }
        *seen = input.len();
        return Ok(None);
    };
    if end > MAX_HEADER_BYTES {
        return Err(NetError::HeaderTooLarge);
    }
    let head = input.split_to(end).freeze();
    let answer = read(&head, |status, version, lines| {
        let mut headers = HeaderMap::with_capacity(lines.len());
        for line in lines {
            let name = HeaderName::from_bytes(line.name.as_bytes());
            let value = HeaderValue::from_maybe_shared(head.slice_ref(line.value));
            headers.append(name.map_err(malformed)?, value.map_err(malformed)?);
        }
        let status = StatusCode::from_u16(status).map_err(malformed)?;
        let version = if version == 0 { Version::HTTP_10 } else { Version::HTTP_11 };
        Ok(Answer { status, version, headers })
    })?;
    answer.ok_or_else(|| malformed("it is not complete"))?.map(Some)
}

/// Reads a head; `None` if there may be more of it.
fn read<T>(
    bytes: &[u8],
    make: impl FnOnce(u16, u8, &[httparse::Header<'_>]) -> T,
) -> Result<Option<T>, NetError> {
    let mut lines = [const { MaybeUninit::uninit() }; MAX_HEADERS];
    let mut response = httparse::Response::new(&mut []);
    let parsed = httparse::ParserConfig::default().parse_response_with_uninit_headers(
        &mut response,
        bytes,
        &mut lines,
    );
    match (parsed, response.code, response.version) {
        (Ok(httparse::Status::Complete(_)), Some(status), Some(version)) => {
            Ok(Some(make(status, version, response.headers)))
        }
        (Ok(_), ..) => Ok(None),
        (Err(httparse::Error::TooManyHeaders), ..) => Err(NetError::HeaderTooLarge),
        (Err(error), ..) => Err(malformed(error)),
    }
}

/// Where the empty line after a head ends.
fn end(input: &[u8], seen: usize) -> Option<usize> {
    let start = seen.saturating_sub(3);
    let rest = input.get(start..)?;
    memchr::memchr_iter(b'\n', rest).find_map(|at| match rest.get(at + 1..)? {
        [b'\n', ..] => Some(start + at + 2),
        [b'\r', b'\n', ..] => Some(start + at + 3),
        _ => None,
    })
}

pub(super) fn malformed(error: impl std::fmt::Display) -> NetError {
    NetError::Exchange(format!("the response's header is malformed: {error}"))
}

// === impl Answer ===

impl Answer {
    /// Whether the response is still to come (RFC 9110, §15.2). Nobody asked for another protocol.
    pub(super) fn is_interim(&self) -> Result<bool, NetError> {
        if self.status == StatusCode::SWITCHING_PROTOCOLS {
            return Err(malformed("it changes the protocol unasked"));
        }
        Ok(self.status.is_informational())
    }

    pub(super) fn into_response(self) -> Response<()> {
        let mut response = Response::new(());
        *response.status_mut() = self.status;
        *response.version_mut() = self.version;
        *response.headers_mut() = self.headers;
        response
    }
}

#[cfg(test)]
mod tests;
