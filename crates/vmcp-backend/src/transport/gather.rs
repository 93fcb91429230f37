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
    /// Too long to be held, and whose it is was not said yet: its end may say so.
    Outgrown(Tail, WireError),
}

/// The last bytes of a message.
#[derive(Default)]
struct Tail(Vec<u8>);

/// The longest end of a message in which an id is looked for.
const TAIL: usize = 64;

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
            State::Outgrown(tail, _) => tail.push(&part),
            State::Holding(assembler, addressee) => match assembler.push(part.clone()) {
                Ok(None) => {}
                Ok(Some(head)) => {
                    self.out.push_back(Gathered::Head(head, *addressee));
                    self.stream();
                }
                Err(error) => {
                    let outgrown = matches!(error, WireError::TooLarge { .. });
                    if outgrown && *addressee == Addressee::Unknown {
                        let mut tail = Tail::default();
                        tail.push(&part);
                        self.state = State::Outgrown(tail, error);
                    } else {
                        self.out.push_back(Gathered::Bad(error, *addressee));
                        self.state = State::Skipping;
                    }
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
            State::Outgrown(tail, error) => {
                // Whoever waits for it is told at once, instead of when its time is up.
                let addressee = tail.id().map_or(Addressee::Unknown, Addressee::Only);
                self.out.push_back(Gathered::Bad(error, addressee));
            }
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

// === impl Tail ===

impl Tail {
    fn push(&mut self, part: &[u8]) {
        let kept = &part[part.len().saturating_sub(TAIL)..];
        let surplus = (self.0.len() + kept.len()).saturating_sub(TAIL);
        self.0.drain(..surplus.min(self.0.len()));
        self.0.extend_from_slice(kept);
    }

    /// The id of a message whose last member it is.
    ///
    /// The last brace of a line is that of the message, so `"id":7}` there is a member of the message itself, if it is
    /// JSON at all; and no text can look like it, because a text would end with a quotation mark.
    fn id(&self) -> Option<u64> {
        let end = self.0.trim_ascii_end().strip_suffix(b"}")?.trim_ascii_end();
        let end = end.strip_suffix(b"\"").unwrap_or(end);
        let digits = end.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
        let (end, id) = end.split_at(end.len() - digits);
        let end = end.strip_suffix(b"\"").unwrap_or(end).trim_ascii_end();
        let is_id = end.strip_suffix(b":")?.trim_ascii_end().ends_with(b"\"id\"");
        is_id.then(|| std::str::from_utf8(id).ok()?.parse().ok())?
    }
}

#[cfg(test)]
mod tests {
    use super::Tail;

    #[test]
    fn an_id_at_the_end_is_found() {
        let check = |parts: &[&str], wanted: Option<u64>| {
            let mut tail = Tail::default();
            parts.iter().for_each(|part| tail.push(part.as_bytes()));
            assert_eq!(tail.id(), wanted, "{parts:?}");
        };
        let long = "x".repeat(500);
        check(&[&long, r#""},"id":17}"#], Some(17));
        check(&[&long, r#""},"i"#, r#"d" : "#, "1", "7", " } \r"], Some(17));
        check(&[r#"{"result":{},"id":"17"}"#], Some(17));
        check(&[&long, r#""},"id":null}"#], None);
        check(&[&long, r#""},"id":"a"}"#], None);
        check(&[&long, r#""},"ids":17}"#], None);
        check(&[&long, r#"\"id\":17"}"#], None);
        check(&[&long, r#""id":17}}"#], None);
        check(&[&long, &"7".repeat(100), "}"], None);
        check(&["}"], None);
        check(&[], None);
    }
}
