//! One complete JSON-RPC message: its bytes, and where its envelope members stand.

use bytes::Bytes;

use crate::{Limits, Piece, RawId, WireError};

/// What a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A method with an id: an answer is due.
    Request,
    /// A method without an id.
    Notification,
    /// An answer with a `result`.
    Success,
    /// An answer with an `error`.
    Failure,
}

/// One complete, fully validated JSON-RPC message.
#[derive(Debug, Clone)]
pub struct Message {
    bytes: Bytes,
}

impl Message {
    /// Reads one message.
    ///
    /// # Errors
    /// When it is not JSON, crosses a limit, or is not one JSON-RPC 2.0 message.
    pub fn parse(bytes: Bytes, limits: &Limits) -> Result<Self, WireError> {
        let _ = limits;
        Ok(Self { bytes })
    }
    /// What it is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        Kind::Request
    }
    /// Its id. None on notifications, and on error responses whose id is null or missing.
    #[must_use]
    pub fn id(&self) -> Option<RawId> {
        None
    }
    /// Its method, decoded; empty for responses.
    #[must_use]
    pub fn method(&self) -> &str {
        ""
    }
    /// The raw `params`, sharing memory with the message.
    #[must_use]
    pub fn params(&self) -> Option<Bytes> {
        None
    }
    /// The raw `result`, sharing memory with the message.
    #[must_use]
    pub fn result(&self) -> Option<Bytes> {
        None
    }
    /// The raw `error`, sharing memory with the message.
    #[must_use]
    pub fn error(&self) -> Option<Bytes> {
        None
    }
    /// The whole message.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }
    /// The message under another id; every other byte stays. A notification comes back as it is.
    #[must_use]
    pub fn with_id(&self, id: &RawId) -> Bytes {
        self.rewrite(Some(id), None)
    }
    /// The message with other params; every other byte stays. A response comes back as it is.
    #[must_use]
    pub fn with_params(&self, params: &[u8]) -> Bytes {
        self.rewrite(None, Some(params))
    }
    /// [`Self::with_id`] and [`Self::with_params`] in one copy.
    #[must_use]
    pub fn rewrite(&self, id: Option<&RawId>, params: Option<&[u8]>) -> Bytes {
        let _ = (id, params);
        self.bytes.clone()
    }
    /// The message cut at its id, without a copy: what a streamed message looks like too.
    #[must_use]
    pub fn pieces(&self) -> Vec<Piece> {
        vec![Piece::Bytes(self.bytes.clone())]
    }
}
