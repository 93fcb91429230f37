//! What came back for one HTTP request, read piece by piece.

use std::io;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde_json::Value;

use crate::PATIENCE;
use crate::sse::{Decoder, SseEvent};
use crate::tasks::Tasks;

/// What came back for one HTTP request. Dropping it closes its connection.
pub struct RawReply {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    body: Incoming,
    decoder: Decoder,
    /// Drives the connection; ends with the reply.
    _connection: Tasks,
}

// === impl RawReply ===

impl RawReply {
    pub(crate) fn new(response: http::Response<Incoming>, connection: Tasks) -> Self {
        let (parts, body) = response.into_parts();
        Self {
            status: parts.status,
            headers: parts.headers,
            body,
            decoder: Decoder::default(),
            _connection: connection,
        }
    }

    /// A header as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Whether it is an event stream.
    pub fn is_stream(&self) -> bool {
        self.header("content-type").is_some_and(|kind| kind.starts_with("text/event-stream"))
    }

    /// The next piece of the body as it came; `None` at its clean end.
    pub async fn piece(&mut self) -> io::Result<Option<Bytes>> {
        loop {
            let frame = tokio::time::timeout(PATIENCE, self.body.frame()).await?;
            match frame {
                None => return Ok(None),
                Some(Err(error)) => return Err(io::Error::other(error)),
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        return Ok(Some(data));
                    }
                }
            }
        }
    }

    /// The rest of the body.
    pub async fn bytes(&mut self) -> io::Result<Bytes> {
        let mut all = Vec::new();
        while let Some(piece) = self.piece().await? {
            all.extend_from_slice(&piece);
        }
        Ok(all.into())
    }

    /// The next event of a stream; `None` at its clean end.
    pub async fn event(&mut self) -> io::Result<Option<SseEvent>> {
        loop {
            if let Some(event) = self.decoder.next() {
                return Ok(Some(event));
            }
            match self.piece().await? {
                Some(piece) => self.decoder.push(&piece),
                None => return Ok(None),
            }
        }
    }

    /// The next JSON-RPC message's text: of a stream its next event with data, of a JSON body all of it.
    pub async fn text(&mut self) -> io::Result<Option<String>> {
        if !self.is_stream() {
            let body = self.bytes().await?;
            return Ok((!body.is_empty()).then(|| String::from_utf8_lossy(&body).into_owned()));
        }
        while let Some(event) = self.event().await? {
            if !event.data.is_empty() {
                return Ok(Some(event.data));
            }
        }
        Ok(None)
    }

    /// The next JSON-RPC message; `None` at the clean end.
    pub async fn message(&mut self) -> io::Result<Option<Value>> {
        match self.text().await? {
            Some(text) => serde_json::from_str(&text).map(Some).map_err(io::Error::other),
            None => Ok(None),
        }
    }

    /// Reads until the response; notifications and requests of the server are passed over.
    pub async fn response(&mut self) -> io::Result<Value> {
        while let Some(message) = self.message().await? {
            if message.get("method").is_none() {
                return Ok(message);
            }
        }
        Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the reply ended without a response"))
    }
}
