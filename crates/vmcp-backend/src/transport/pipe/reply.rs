//! The reply to one call on a shared connection.

use std::sync::Arc;

use bytes::BytesMut;
use tokio::sync::mpsc::error::TryRecvError;
use vmcp_wire::{Message, Piece};

use super::super::Item;
use super::Pipe;
use super::routes::{Inbox, Put};
use crate::peer::OpenRequests;
use crate::{CallError, ErrorKind, Executed};

/// Reads one call's queue. Dropping it takes the call off the list.
pub(crate) struct PipeReply {
    pipe: Arc<Pipe>,
    id: u64,
    inbox: Inbox,
    /// The first thing, read to know the reply's shape.
    first: Option<Put>,
    streamed: bool,
}

// === impl PipeReply ===

impl PipeReply {
    pub(super) fn new(pipe: &Arc<Pipe>, id: u64, inbox: Inbox) -> Self {
        Self { pipe: Arc::clone(pipe), id, inbox, first: None, streamed: false }
    }

    /// Returns once the backend has begun to answer. Cancel-safe.
    pub(super) async fn begun(&mut self) -> Result<(), CallError> {
        let first = self.read().await?;
        self.streamed = match &first {
            Put::Message(message) => !message.method().is_empty(),
            Put::Request(_) => true,
            Put::Head(_) | Put::Pieces(_) | Put::End => false,
        };
        self.first = Some(first);
        Ok(())
    }

    pub(crate) fn streamed(&self) -> bool {
        self.streamed
    }

    /// The next step. Cancel-safe.
    pub(crate) async fn next(&mut self) -> Result<Item, CallError> {
        let put = match self.first.take() {
            Some(first) => first,
            None => self.read().await?,
        };
        Ok(match put {
            Put::Message(message) => Item::Message(message),
            Put::Request(request) => Item::Request(request),
            Put::Head(head) => Item::Head(head),
            Put::Pieces(pieces) => Item::Pieces(pieces),
            Put::End => Item::End,
        })
    }

    /// The response, when nothing else matters; held whole.
    pub(super) async fn only_response(&mut self) -> Result<Message, CallError> {
        loop {
            match self.next().await? {
                Item::Message(message) if message.method().is_empty() => return Ok(message),
                Item::Head(_) => return self.gathered().await,
                Item::Message(_) | Item::Request(_) | Item::Paused => {}
                Item::Pieces(_) | Item::End => {}
            }
        }
    }

    /// A response that came in pieces.
    async fn gathered(&mut self) -> Result<Message, CallError> {
        let limits = self.pipe.framing.limits;
        let backend = self.pipe.backend.clone();
        let mut text = BytesMut::new();
        while let Item::Pieces(pieces) = self.next().await? {
            for piece in &pieces {
                text.extend_from_slice(match piece {
                    Piece::Bytes(bytes) => bytes,
                    Piece::Id(id) => id.as_bytes(),
                });
            }
            if text.len() > limits.max_bytes {
                let kind = ErrorKind::TooLarge { limit: limits.max_bytes };
                return Err(CallError::backend(&backend, kind, Executed::Unknown));
            }
        }
        Message::parse(text.freeze(), &limits).map_err(|error| CallError::wire(&backend, &error))
    }

    pub(crate) fn open_requests(&self) -> OpenRequests {
        self.inbox.shared.open_requests.clone()
    }

    async fn read(&mut self) -> Result<Put, CallError> {
        let shared = &self.inbox.shared;
        loop {
            match self.inbox.queue.try_recv() {
                Ok(put) => return Ok(put),
                Err(TryRecvError::Disconnected) => break,
                Err(TryRecvError::Empty) => {}
            }
            if let Some(error) = shared.failure() {
                return Err(error);
            }
            tokio::select! {
                biased;
                put = self.inbox.queue.recv() => match put {
                    Some(put) => return Ok(put),
                    None => break,
                },
                () = shared.failed.notified() => {}
            }
        }
        Err(shared.failure().unwrap_or_else(|| self.gone()))
    }

    fn gone(&self) -> CallError {
        CallError::backend(&self.pipe.backend, ErrorKind::Unavailable, Executed::Unknown)
    }
}

impl Drop for PipeReply {
    fn drop(&mut self) {
        self.pipe.forget(self.id);
    }
}
