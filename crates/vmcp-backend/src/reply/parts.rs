//! A long response, as it comes.

use std::collections::VecDeque;

use bytes::BytesMut;
use vmcp_wire::{Limits, Message, Piece};

use super::Running;
use crate::{CallError, ErrorKind, Executed, Side};

/// A long response, as it comes. Dropping it before its end takes the call back.
#[derive(Debug)]
pub struct Parts {
    ready: VecDeque<Piece>,
    running: Option<Box<Running>>,
}

// === impl Parts ===

impl Parts {
    /// Reads it to its end and holds it whole.
    ///
    /// # Errors
    /// [`ErrorKind::TooLarge`] if it is longer than `limits` allow; the rest is not read then.
    ///
    /// # Cancel safety
    /// Dropping the future takes the call back.
    pub async fn whole(mut self, limits: &Limits) -> Result<Message, CallError> {
        let mut text = BytesMut::new();
        while let Some(piece) = self.next().await {
            match piece? {
                Piece::Bytes(bytes) => text.extend_from_slice(&bytes),
                Piece::Id(id) => text.extend_from_slice(id.as_bytes()),
            }
            if text.len() > limits.max_bytes {
                let kind = ErrorKind::TooLarge { limit: limits.max_bytes };
                return Err(CallError::new(Side::Backend, kind, Executed::Unknown));
            }
        }
        Message::parse(text.freeze(), limits).map_err(|error| CallError::unreadable(&error))
    }

    pub(super) fn new(running: Box<Running>) -> Self {
        Self { ready: VecDeque::new(), running: Some(running) }
    }

    /// The next piece; `None` after the last. After an error nothing comes, and what was passed on is
    /// not a complete message: the receiver must be told by breaking its stream.
    ///
    /// # Cancel safety
    /// Safe: a dropped future loses nothing.
    pub async fn next(&mut self) -> Option<Result<Piece, CallError>> {
        loop {
            if let Some(piece) = self.ready.pop_front() {
                return Some(Ok(piece));
            }
            match self.running.as_mut()?.pieces().await {
                Ok(Some(pieces)) => self.ready.extend(pieces),
                Ok(None) => self.running = None,
                Err(error) => {
                    self.running = None;
                    return Some(Err(error));
                }
            }
        }
    }
}
