//! A long response, as it comes.

use std::collections::VecDeque;

use vmcp_wire::Piece;

use super::Running;
use crate::CallError;

/// A long response, as it comes. Dropping it before its end takes the call back.
#[derive(Debug)]
pub struct Parts {
    ready: VecDeque<Piece>,
    running: Option<Box<Running>>,
}

// === impl Parts ===

impl Parts {
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
