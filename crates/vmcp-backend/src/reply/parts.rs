//! A long response, as it comes.

use std::collections::VecDeque;

use bytes::BytesMut;
use vmcp_wire::revision::{RESULT_TYPE, TASK};
use vmcp_wire::{Limits, Message, Noticed, Piece, ResultWatch, task};

use super::{Response, Running};
use crate::{CallError, ErrorKind, Executed, Side};

/// How much is read of a response to see what it is, in bytes: a task says so at once.
const HEAD: usize = 64 << 10;
/// Members of results that are no tasks.
const ANSWERING: [&str; 3] = ["content", "structuredContent", "isError"];

/// A long response, as it comes. Dropping it before its end takes the call back.
#[derive(Debug)]
pub struct Parts {
    ready: VecDeque<Piece>,
    running: Option<Box<Running>>,
    /// Looks for a task that says late that it is one.
    watch: Option<Box<Watch>>,
}

/// Whether a result is a task that was not asked for.
#[derive(Debug, Default)]
struct Watch {
    result: ResultWatch,
    /// The member that went by last says it.
    is_kind: bool,
    found: Option<Found>,
    /// It says what it is, or has ended.
    over: bool,
}

/// What a result looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    /// It has what only tasks have, or says that it is one.
    Task { said: bool },
    /// It has what only answers have.
    Answer,
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

    /// Reads a task that nobody asked for to its end, as [`whole`](Self::whole) does; anything else goes on as it comes.
    /// What looks like an answer first and says late that it is a task ends with [`ErrorKind::Protocol`], since the ids
    /// in it cannot be changed any more.
    ///
    /// # Errors
    /// As `whole`.
    ///
    /// # Cancel safety
    /// Dropping the future takes the call back.
    pub async fn unless_task(mut self, limits: &Limits) -> Result<Response, CallError> {
        let (mut watch, mut head, mut seen) = (Watch::default(), VecDeque::new(), 0);
        while watch.found.is_none() && !watch.over && seen < HEAD {
            let Some(piece) = self.next().await else { break };
            let piece = piece?;
            seen += bytes_of(&piece).len();
            watch.read(&piece);
            head.push_back(piece);
        }
        head.append(&mut self.ready);
        self.ready = head;
        if let Some(Found::Task { .. }) = watch.found {
            return self.whole(limits).await.map(Response::Whole);
        }
        // What was read ahead is looked at again: it goes by as all the rest.
        self.watch = Some(Box::default());
        Ok(Response::Parts(self))
    }

    pub(super) fn new(running: Box<Running>) -> Self {
        Self { ready: VecDeque::new(), running: Some(running), watch: None }
    }

    /// What goes out, if it may.
    fn pass(&mut self, piece: Piece) -> Result<Piece, CallError> {
        let Some(watch) = &mut self.watch else { return Ok(piece) };
        watch.read(&piece);
        if watch.found == Some(Found::Task { said: true }) {
            (self.running, self.watch) = (None, None);
            self.ready.clear();
            let text = "a long response said too late that it is a task";
            let kind = ErrorKind::Protocol(text.to_owned());
            return Err(CallError::new(Side::Backend, kind, Executed::Unknown));
        }
        if watch.over {
            self.watch = None;
        }
        Ok(piece)
    }

    /// The next piece; `None` after the last. After an error nothing comes, and what was passed on is
    /// not a complete message: the receiver must be told by breaking its stream.
    ///
    /// # Cancel safety
    /// Safe: a dropped future loses nothing.
    pub async fn next(&mut self) -> Option<Result<Piece, CallError>> {
        loop {
            if let Some(piece) = self.ready.pop_front() {
                return Some(self.pass(piece));
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

// === impl Watch ===

impl Watch {
    fn read(&mut self, piece: &Piece) {
        let Self { result, is_kind, found, over } = self;
        result.read(bytes_of(piece), |_, noticed| match noticed {
            Noticed::Name(name) => {
                *is_kind = name.is(RESULT_TYPE);
                if name.is(task::ID) {
                    found.get_or_insert(Found::Task { said: false });
                } else if ANSWERING.iter().any(|key| name.is(key)) {
                    found.get_or_insert(Found::Answer);
                }
            }
            Noticed::Text(kind) if *is_kind => {
                *over = true;
                *found = match kind.is(TASK) {
                    true => Some(Found::Task { said: true }),
                    false => Some(Found::Answer),
                };
            }
            Noticed::Text(_) => {}
            Noticed::End { .. } => *over = true,
        });
        *over |= result.is_over();
    }
}

fn bytes_of(piece: &Piece) -> &[u8] {
    match piece {
        Piece::Bytes(bytes) => bytes,
        Piece::Id(id) => id.as_bytes(),
    }
}
