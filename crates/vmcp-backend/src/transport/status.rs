//! What an HTTP status means for a call.
//!
//! Servers disagree about statuses (an unknown session is 404 for most and 400 for some), so a JSON-RPC error in
//! the body decides where there is one. Whether the call ran is told by what a status says of the request: a
//! server that refuses before it reads a message did not run it; of one that failed, nothing is known.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{self, HeaderMap, HeaderValue};
use http::{Response, StatusCode};
use vmcp_config::BackendId;
use vmcp_net::Body;
use vmcp_wire::revision::{HEADER_MISMATCH, UNSUPPORTED_VERSION};
use vmcp_wire::{Kind, Limits, Message, RawId, rpc};

use super::{StartError, is_own};
use crate::error::{code_of, text_of};
use crate::{CallError, ErrorKind, Executed};

/// How much of the body of an error is read, and for how long.
const MAX_BODY: usize = 64 * 1024;
const MAX_TIME: Duration = Duration::from_secs(2);
/// How much of it goes into a log.
const MAX_TEXT: usize = 512;

/// The longest time that a backend can ask to be left alone for.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

/// What came with a status that is no success.
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    retry_after: Option<Duration>,
    body: Bytes,
    error: Option<Message>,
}

// === impl Refusal ===

impl Refusal {
    /// Reads what came with it, bounded.
    pub(crate) async fn read(response: Response<Body>) -> Self {
        let (head, mut body) = response.into_parts();
        let mut kept = BytesMut::new();
        let reading = async {
            while let Some(Ok(chunk)) = body.chunk().await {
                let room = MAX_BODY - kept.len();
                kept.extend_from_slice(&chunk[..chunk.len().min(room)]);
                if kept.len() >= MAX_BODY {
                    break;
                }
            }
        };
        // Whatever came in time is enough.
        let _ = tokio::time::timeout(MAX_TIME, reading).await;
        let body = kept.freeze();
        let error = Message::parse(body.clone(), &Limits::default())
            .ok()
            .filter(|message| message.kind() == Kind::Failure);
        Self { status: head.status, retry_after: retry_after(&head.headers), body, error }
    }

    /// The JSON-RPC error to hand on as the response to the request `id`, or why there is none.
    pub(crate) fn into_response(
        self,
        id: u64,
        in_session: bool,
        backend: &BackendId,
    ) -> Result<Message, StartError> {
        if in_session && self.is_lost_session(id) {
            return Err(StartError::SessionLost);
        }
        if let Some(response) = self.response(id) {
            return Ok(response);
        }
        Err(StartError::Failed(self.into_error(backend)))
    }

    /// Whether the backend says that it does not know the session.
    pub(crate) fn is_lost_session(&self, id: u64) -> bool {
        let code = self.error.as_ref().and_then(Message::error).and_then(|error| code_of(&error));
        match self.status {
            StatusCode::NOT_FOUND => !self.answers(id) || code == Some(rpc::SESSION_NOT_FOUND),
            StatusCode::BAD_REQUEST => {
                // Codes that SDKs use for the transport's own refusals; a tool's error has others.
                let transport = matches!(code, None | Some(-32000 | -32001 | rpc::INVALID_REQUEST));
                let text = self.text().to_ascii_lowercase();
                transport && (text.contains("session") || text.contains("not initialized"))
            }
            _ => false,
        }
    }

    /// Whether the backend says that it does not understand requests of this family of revisions. It looked at nothing
    /// else then.
    pub(crate) fn is_foreign(&self, id: u64, stateless: bool) -> bool {
        let code = self.error.as_ref().and_then(Message::error).and_then(|error| code_of(&error));
        let refused = self.status == StatusCode::BAD_REQUEST;
        match (stateless, code) {
            (_, Some(UNSUPPORTED_VERSION)) => refused,
            // A request without a session, to one that wants one.
            (true, None) => matches!(self.status.as_u16(), 400 | 404 | 405),
            (true, Some(code)) => {
                let transport = matches!(code, -32000 | -32001 | rpc::INVALID_REQUEST);
                (refused && (transport || !self.answers(id)))
                    || (self.status == StatusCode::NOT_FOUND && transport)
            }
            // A request that does not say who asks, to one that wants that.
            (false, Some(HEADER_MISMATCH | rpc::INVALID_PARAMS)) => refused,
            (false, _) => false,
        }
    }

    /// The JSON-RPC error that came as the body, if one did.
    pub(crate) fn into_error_message(self) -> Option<Message> {
        self.error
    }

    /// As the error of a call.
    pub(crate) fn into_error(self, backend: &BackendId) -> CallError {
        let (kind, executed) = judge(self.status);
        let text = format!("HTTP {}: {}", self.status.as_u16(), self.text());
        let error = CallError::backend(backend, kind, executed).with_internal(text);
        error.with_retry_after(self.retry_after)
    }

    /// A bounded, printable piece of what came.
    pub(crate) fn text(&self) -> String {
        match self.error.as_ref().and_then(Message::error) {
            Some(error) => text_of(&error),
            None => printable(&self.body),
        }
    }

    fn answers(&self, id: u64) -> bool {
        self.error.as_ref().and_then(Message::id).is_some_and(|theirs| is_own(&theirs, id))
    }

    /// A JSON-RPC error counts as the response, under whatever id: it came on this request's exchange. Not so
    /// where the status says who is to blame better than the text would.
    fn response(&self, id: u64) -> Option<Message> {
        let message = self.error.as_ref()?;
        if self.answers(id) {
            return Some(message.clone());
        }
        if matches!(self.status.as_u16(), 401 | 403 | 404 | 407 | 413 | 429 | 503) {
            return None;
        }
        let error = message.error()?;
        let id = RawId::number(id);
        let text = [
            b"{\"jsonrpc\":\"2.0\",\"id\":".as_slice(),
            id.as_bytes(),
            b",\"error\":",
            &error,
            b"}",
        ]
        .concat();
        Message::parse(text.into(), &Limits::default()).ok()
    }
}

/// What a status without a JSON-RPC error means, and whether the call may have run.
fn judge(status: StatusCode) -> (ErrorKind, Executed) {
    let protocol = || ErrorKind::Protocol(format!("the backend answered HTTP {}", status.as_u16()));
    match status.as_u16() {
        401 | 403 | 407 => (ErrorKind::Unauthorized, Executed::No),
        404 | 503 => (ErrorKind::Unavailable, Executed::No),
        405 | 406 | 411 | 413..=417 | 421 | 425 | 426 | 428 | 431 | 501 => {
            (protocol(), Executed::No)
        }
        429 => (ErrorKind::Busy, Executed::No),
        502 | 504 => (ErrorKind::Unavailable, Executed::Unknown),
        _ => (protocol(), Executed::Unknown),
    }
}

/// What `Retry-After` says: seconds, or a date. A date is read against the response's own `Date`, so that no clock of
/// ours matters (RFC 9110, §10.2.3).
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let said = text(header::RETRY_AFTER)?.trim();
    let after = match said.parse().map(Duration::from_secs) {
        Ok(after) => after,
        Err(_) => {
            let (then, now) = (date(said)?, date(text(header::DATE)?)?);
            Duration::from_secs(then.saturating_sub(now))
        }
    };
    Some(after.min(MAX_RETRY_AFTER))
}

/// Seconds since some day, of a date in the only form that may be sent: `Sun, 06 Nov 1994 08:49:37 GMT`.
fn date(text: &str) -> Option<u64> {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let mut words = text.split_once(", ")?.1.split(' ');
    let day: u64 = words.next()?.parse().ok()?;
    let month = words.next()?;
    let month = MONTHS.iter().position(|name| *name == month)? as u64 + 1;
    let year: u64 = words.next()?.parse().ok().filter(|year| (1..=9999).contains(year))?;
    let mut clock = words.next()?.split(':').map(|part| part.parse::<u64>().ok());
    let (hours, minutes, seconds) = (clock.next()??, clock.next()??, clock.next()??);
    if words.next() != Some("GMT") || day > 31 || hours > 23 || minutes > 59 || seconds > 60 {
        return None;
    }
    // Days of a year that begins in March, so that the day that comes and goes is its last.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day;
    Some(((days * 24 + hours) * 60 + minutes) * 60 + seconds)
}

fn printable(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(&body[..body.len().min(MAX_TEXT)]);
    text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_no_only_where_nothing_can_have_run() {
        let table = [
            (400, Executed::Unknown),
            (401, Executed::No),
            (403, Executed::No),
            (404, Executed::No),
            (405, Executed::No),
            (409, Executed::Unknown),
            (413, Executed::No),
            (415, Executed::No),
            (429, Executed::No),
            (500, Executed::Unknown),
            (502, Executed::Unknown),
            (503, Executed::No),
            (504, Executed::Unknown),
        ];
        for (status, executed) in table {
            assert_eq!(judge(StatusCode::from_u16(status).unwrap()).1, executed, "{status}");
        }
    }

    #[test]
    fn reads_when_to_come_back() {
        let now = "Sun, 06 Nov 1994 08:49:37 GMT";
        let table = [
            ("0", Some(0)),
            ("120", Some(120)),
            (" 7 ", Some(7)),
            ("99999999999999", Some(86_400)),
            ("Sun, 06 Nov 1994 08:50:07 GMT", Some(30)),
            ("Mon, 07 Nov 1994 08:49:36 GMT", Some(86_399)),
            ("Sun, 06 Nov 1994 08:00:00 GMT", Some(0)),
            ("Wed, 01 Mar 2000 00:00:00 GMT", Some(86_400)),
            ("-1", None),
            ("1.5", None),
            ("soon", None),
            ("", None),
            ("Sunday, 06-Nov-94 08:49:37 GMT", None),
            ("Sun, 06 Nov 1994 08:49:37 CET", None),
            ("Sun, 99 Nov 1994 08:49:37 GMT", None),
        ];
        for (said, seconds) in table {
            let mut headers = HeaderMap::new();
            headers.insert(header::RETRY_AFTER, said.parse().unwrap());
            headers.insert(header::DATE, now.parse().unwrap());
            assert_eq!(retry_after(&headers), seconds.map(Duration::from_secs), "{said}");
        }
        let leap = |text: &str| date(text).unwrap();
        let day = leap("Wed, 01 Mar 2000 00:00:00 GMT") - leap("Tue, 29 Feb 2000 00:00:00 GMT");
        assert_eq!(day, 86_400);
        let year = leap("Sat, 01 Jan 2000 00:00:00 GMT") - leap("Fri, 01 Jan 1999 00:00:00 GMT");
        assert_eq!(year, 365 * 86_400);
        assert_eq!(retry_after(&HeaderMap::new()), None);
    }

    #[test]
    fn makes_hostile_text_printable() {
        assert_eq!(printable(b"a\r\n\x1b[31mb"), "a   [31mb");
    }
}
