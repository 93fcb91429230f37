//! The JSON scanner: grammar, UTF-8 and depth of any JSON text, chunk by chunk, in one pass.
//!
//! It keeps no text and builds no tree. It stops at *marks*: where the members of the outermost
//! object (or the elements of the outermost array) begin and end. Everything deeper is only
//! validated. Whoever needs more than validity ([`crate::envelope`], [`crate::object`]) turns the
//! marks into spans.
//!
//! It is a state machine with a stack of bits, so a chunk may end anywhere, in the middle of a
//! number, an escape or a character, and depth costs no native stack. [`mod@skim`] takes the short cut
//! through plain stretches.
//!
//! Accepted is RFC 8259, exactly. An escaped lone surrogate (`"\ud800"`) is grammatical, so it
//! passes as the bytes it is; only reading it as text fails.

use crate::WireError;

mod fault;
mod literal;
mod number;
mod skim;
mod stack;
mod string;
mod utf8;

use fault::Fault;
use literal::Literal;
use number::Number;
use skim::{Place, skim};
use stack::Stack;
use string::Stop;
use utf8::Utf8;

/// Where the scanner stopped. The position is the cursor given to [`Scanner::next`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mark {
    /// The chunk is used up.
    Starved,
    /// The text's own value begins; the cursor is one past its first byte.
    Root,
    /// A key of the outermost object begins; the cursor is one past its quote.
    KeyStart,
    /// That key ends; the cursor is one past its closing quote.
    KeyEnd,
    /// A member or element begins; the cursor is one past its first byte.
    ValueStart,
    /// It ends; the cursor is one past its last byte.
    ValueEnd,
}

/// What may come next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Value,
    FirstElement,
    FirstKey,
    Key,
    Colon,
    AfterValue,
    Text,
    Escape,
    /// This many hexadecimal digits of a `\u` escape are missing.
    Hex(u8),
    Number(Number),
    Literal(Literal),
    Done,
}

/// A position inside one JSON text.
#[derive(Debug, Clone)]
pub(crate) struct Scanner {
    state: State,
    stack: Stack,
    max_depth: usize,
    /// Whether the string being read is a key.
    in_key: bool,
    utf8: Utf8,
    /// Bytes in the chunks before the current one.
    base: u64,
}

impl Scanner {
    /// At the start of a text.
    pub(crate) fn new(max_depth: usize) -> Self {
        Self {
            state: State::Value,
            stack: Stack::default(),
            max_depth,
            in_key: false,
            utf8: Utf8::default(),
            base: 0,
        }
    }

    /// How many bytes came before the current chunk.
    pub(crate) fn base(&self) -> u64 {
        self.base
    }

    /// Whether the text is complete, so that only whitespace may follow.
    pub(crate) fn is_complete(&self) -> bool {
        self.state == State::Done
    }

    /// Scans `chunk` from `at` to the next mark, and moves `at` there.
    ///
    /// After [`Mark::Starved`] the next call is for the next chunk.
    pub(crate) fn next(&mut self, chunk: &[u8], at: &mut usize) -> Result<Mark, WireError> {
        match self.scan(chunk, at) {
            Ok(Some(mark)) => Ok(mark),
            Ok(None) => {
                self.base += chunk.len() as u64;
                *at = 0;
                Ok(Mark::Starved)
            }
            Err(Fault::Depth) => Err(WireError::TooDeep { limit: self.max_depth }),
            Err(fault) => {
                Err(WireError::Syntax { offset: self.base + *at as u64, what: fault.text() })
            }
        }
    }

    /// No more chunks: was that all of it?
    pub(crate) fn finish(&self) -> Result<(), WireError> {
        match self.state {
            State::Done => Ok(()),
            State::Number(number) if number.may_end() && self.stack.depth() == 0 => Ok(()),
            _ => Err(WireError::Truncated),
        }
    }

    /// To the next mark, or to the end of the chunk.
    fn scan(&mut self, chunk: &[u8], at: &mut usize) -> Result<Option<Mark>, Fault> {
        loop {
            if self.stack.depth() > 1 {
                self.skim(chunk, at);
            }
            let Some(&byte) = chunk.get(*at) else { return Ok(None) };
            let mark = match self.state {
                State::Text | State::Escape | State::Hex(_) => self.string(chunk, at)?,
                State::Number(number) => self.number(number, chunk, at)?,
                State::Literal(literal) => self.literal(literal, chunk, at)?,
                _ => {
                    let mark = self.structure(byte)?;
                    *at += 1;
                    mark
                }
            };
            if mark.is_some() {
                return Ok(mark);
            }
        }
    }

    /// Runs ahead through what needs no marks, as far as it is plain.
    fn skim(&mut self, chunk: &[u8], at: &mut usize) {
        let place = match self.state {
            State::Key => Place::Key,
            State::Value => Place::Value,
            State::AfterValue => Place::AfterValue,
            _ => return,
        };
        self.state = match skim(place, &mut self.stack, self.max_depth, chunk, at) {
            Place::Key => State::Key,
            Place::FirstKey => State::FirstKey,
            Place::Colon => State::Colon,
            Place::Value => State::Value,
            Place::FirstElement => State::FirstElement,
            Place::AfterValue => State::AfterValue,
        };
    }

    /// One byte outside of strings, numbers and literals.
    fn structure(&mut self, byte: u8) -> Result<Option<Mark>, Fault> {
        match (self.state, byte) {
            (_, b' ' | b'\n' | b'\r' | b'\t') => Ok(None),
            (State::Value | State::FirstElement, b'"') => {
                self.in_key = false;
                Ok(self.open(State::Text))
            }
            (State::Value | State::FirstElement, b'{' | b'[') => self.nest(byte == b'{'),
            (State::Key | State::FirstKey, b'"') => {
                self.in_key = true;
                self.state = State::Text;
                Ok((self.stack.depth() == 1).then_some(Mark::KeyStart))
            }
            (State::Colon, b':') => {
                self.state = State::Value;
                Ok(None)
            }
            (State::AfterValue, b',') => {
                self.state = if self.stack.in_object() { State::Key } else { State::Value };
                Ok(None)
            }
            (State::AfterValue, b'}') if self.stack.in_object() => Ok(self.close()),
            (State::AfterValue, b']') if !self.stack.in_object() => Ok(self.close()),
            (State::FirstKey, b'}') | (State::FirstElement, b']') => Ok(self.close()),
            (State::Value | State::FirstElement, _) => {
                match (Number::start(byte), Literal::start(byte)) {
                    (Some(number), _) => Ok(self.open(State::Number(number))),
                    (None, Some(literal)) => Ok(self.open(State::Literal(literal))),
                    (None, None) => Err(Fault::Value),
                }
            }
            (State::Key | State::FirstKey, _) => Err(Fault::Key),
            (State::Colon, _) => Err(Fault::Colon),
            (State::Done, _) => Err(Fault::End),
            _ => Err(Fault::Comma),
        }
    }

    fn nest(&mut self, object: bool) -> Result<Option<Mark>, Fault> {
        if self.stack.depth() >= self.max_depth {
            return Err(Fault::Depth);
        }
        let mark = self.open(if object { State::FirstKey } else { State::FirstElement });
        self.stack.push(object);
        Ok(mark)
    }

    fn close(&mut self) -> Option<Mark> {
        self.stack.pop();
        self.ended()
    }

    /// A value begins at the current depth.
    fn open(&mut self, state: State) -> Option<Mark> {
        self.state = state;
        match self.stack.depth() {
            0 => Some(Mark::Root),
            1 => Some(Mark::ValueStart),
            _ => None,
        }
    }

    /// A value ended at the current depth.
    fn ended(&mut self) -> Option<Mark> {
        let depth = self.stack.depth();
        self.state = if depth == 0 { State::Done } else { State::AfterValue };
        (depth == 1).then_some(Mark::ValueEnd)
    }

    fn string(&mut self, chunk: &[u8], at: &mut usize) -> Result<Option<Mark>, Fault> {
        match string::scan(&mut self.state, &mut self.utf8, chunk, at)? {
            Stop::Starved => Ok(None),
            Stop::Closed if self.in_key => {
                self.state = State::Colon;
                Ok((self.stack.depth() == 1).then_some(Mark::KeyEnd))
            }
            Stop::Closed => Ok(self.ended()),
        }
    }

    fn number(
        &mut self,
        number: Number,
        chunk: &[u8],
        at: &mut usize,
    ) -> Result<Option<Mark>, Fault> {
        let number = number.scan(chunk, at);
        if *at == chunk.len() {
            self.state = State::Number(number);
            return Ok(None);
        }
        if number.may_end() { Ok(self.ended()) } else { Err(Fault::Number) }
    }

    fn literal(
        &mut self,
        literal: Literal,
        chunk: &[u8],
        at: &mut usize,
    ) -> Result<Option<Mark>, Fault> {
        let literal = literal.scan(chunk, at).ok_or(Fault::Literal)?;
        if literal.is_complete() {
            return Ok(self.ended());
        }
        self.state = State::Literal(literal);
        Ok(None)
    }
}
