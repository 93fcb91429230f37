//! A body that may hold one message or a batch of them.

use bytes::Bytes;

use crate::object::elements;
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
    let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
    if first == Some(&b'[') {
        return parse_batch(&bytes, limits).map(Body::Batch);
    }
    Message::parse(bytes, limits).map(Body::One)
}

/// Reads an array of messages. They share its memory.
pub(crate) fn parse_batch(
    bytes: &Bytes,
    limits: &Limits,
) -> Result<Vec<Result<Message, WireError>>, WireError> {
    if bytes.len() > limits.max_bytes {
        return Err(WireError::TooLarge { limit: limits.max_bytes as u64 });
    }
    let spans = elements(bytes, limits.max_depth, limits.max_batch)?;
    if spans.is_empty() {
        return Err(WireError::Invalid("an empty batch"));
    }
    Ok(spans.into_iter().map(|span| Message::parse(bytes.slice(span), limits)).collect())
}
