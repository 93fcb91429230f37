//! One message after the other out of the parts they come in: what lines and events have in common.

use std::collections::VecDeque;

use bytes::Bytes;
use vmcp_wire::{Assembled, Assembler, Head, Message, Piece, WireError};

use super::Framing;

/// Puts messages together. Begin is implied by the first part, end is told by [`finish`](Self::finish).
pub(crate) struct Gatherer {
    framing: Framing,
    addressee: Addressee,
    state: State,
    out: VecDeque<Gathered>,
}

/// What comes out.
#[derive(Debug)]
pub(crate) enum Gathered {
    /// A complete message.
    Message(Message),
    /// A long response, and whose it can only be if it does not say so yet; pieces follow, then `End` or
    /// `Broken`.
    Head(Head, Addressee),
    /// Pieces of it.
    Pieces(Vec<Piece>),
    /// It is complete.
    End,
    /// It went wrong.
    Broken(WireError),
    /// Something that is no message, and whose it was to be.
    Bad(WireError, Addressee),
}

/// Whose a response is whose id is not known yet. Many servers write the id after the result, so waiting for
/// it would mean to hold the whole response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Addressee {
    /// The response may be for any of several calls: it is held until its id comes.
    Unknown,
    /// Only this call waits: it is streamed, and the id is checked when it comes.
    Only(u64),
    /// The stream belongs to one call.
    Owner,
}

/// Where the current message stands.
enum State {
    /// Nothing of it came yet.
    Between,
    Holding(Box<Assembler>, Addressee),
    Streaming(Box<Assembler>),
    /// The rest of it is of no interest.
    Skipping,
}

// === impl Gatherer ===

impl Gatherer {
    pub(crate) fn new(framing: Framing, addressee: Addressee) -> Self {
        Self { framing, addressee, state: State::Between, out: VecDeque::new() }
    }

    /// Whose the messages are that begin from now on.
    pub(crate) fn set_addressee(&mut self, addressee: Addressee) {
        self.addressee = addressee;
    }

    pub(crate) fn next(&mut self) -> Option<Gathered> {
        self.out.pop_front()
    }

    /// Takes a part of the current message.
    pub(crate) fn part(&mut self, part: Bytes) {
        if part.is_empty() {
            return;
        }
        if matches!(self.state, State::Between) {
            self.state = State::Holding(Box::new(self.assembler()), self.addressee);
        }
        match &mut self.state {
            State::Between | State::Skipping => {}
            State::Holding(assembler, addressee) => match assembler.push(part) {
                Ok(None) => {}
                Ok(Some(head)) => {
                    self.out.push_back(Gathered::Head(head, *addressee));
                    self.stream();
                }
                Err(error) => {
                    self.out.push_back(Gathered::Bad(error, *addressee));
                    self.state = State::Skipping;
                }
            },
            State::Streaming(assembler) => match assembler.push(part) {
                Ok(_) => {
                    let pieces = assembler.take_pieces();
                    self.pieces(pieces);
                }
                Err(error) => {
                    self.out.push_back(Gathered::Broken(error));
                    self.state = State::Skipping;
                }
            },
        }
    }

    /// The current message is complete.
    pub(crate) fn finish(&mut self) {
        match std::mem::replace(&mut self.state, State::Between) {
            State::Between | State::Skipping => {}
            State::Holding(mut assembler, addressee) => match assembler.finish() {
                Ok(Assembled::Whole(message)) => self.out.push_back(Gathered::Message(message)),
                Ok(Assembled::Batch(messages)) => {
                    self.out.extend(messages.into_iter().map(|message| match message {
                        Ok(message) => Gathered::Message(message),
                        Err(error) => Gathered::Bad(error, addressee),
                    }));
                }
                Ok(Assembled::Streamed(_)) => {}
                Err(error) => self.out.push_back(Gathered::Bad(error, addressee)),
            },
            State::Streaming(mut assembler) => match assembler.finish() {
                Ok(Assembled::Streamed(pieces)) => {
                    self.pieces(pieces);
                    self.out.push_back(Gathered::End);
                }
                Ok(_) => self.out.push_back(Gathered::End),
                Err(error) => self.out.push_back(Gathered::Broken(error)),
            },
        }
    }

    /// Drops what came of the current message.
    pub(crate) fn discard(&mut self) {
        self.state = State::Between;
    }

    fn stream(&mut self) {
        if let State::Holding(mut assembler, _) =
            std::mem::replace(&mut self.state, State::Skipping)
        {
            let pieces = assembler.take_pieces();
            self.pieces(pieces);
            self.state = State::Streaming(assembler);
        }
    }

    fn pieces(&mut self, pieces: Vec<Piece>) {
        if !pieces.is_empty() {
            self.out.push_back(Gathered::Pieces(pieces));
        }
    }

    fn assembler(&self) -> Assembler {
        let Framing { limits, hold, max_streamed } = self.framing;
        let need_id = self.addressee == Addressee::Unknown;
        Assembler::new(limits, hold, need_id).with_max_streamed(Some(max_streamed))
    }
}
