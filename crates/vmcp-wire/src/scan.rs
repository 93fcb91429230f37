//! The JSON scanner: grammar, UTF-8 and depth of any JSON text, chunk by chunk, in one pass.
//!
//! It keeps no text and builds no tree. It stops at *marks*: where the members of the outermost
//! object (or the elements of the outermost array) begin and end. Everything deeper is only
//! validated. Whoever needs more than validity ([`crate::envelope`], [`crate::object`]) turns the
//! marks into spans.
//!
//! It is a state machine with a stack of bits, so a chunk may end anywhere, in the middle of a
//! number, an escape or a character, and depth costs no native stack.
//!
//! Accepted is RFC 8259, exactly. An escaped lone surrogate (`"\ud800"`) is grammatical, so it
//! passes as the bytes it is; only reading it as text fails.

use crate::WireError;

mod number;
mod stack;
mod string;
mod utf8;

use number::Number;
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
    /// These letters of `true`, `false` or `null` are missing.
    Literal(&'static [u8]),
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
        while *at < chunk.len() {
            let mark = match self.state {
                State::Text | State::Escape | State::Hex(_) => self.string(chunk, at)?,
                State::Number(number) => self.number(number, chunk, at)?,
                State::Literal(rest) => self.literal(rest, chunk, at)?,
                _ => self.structure(chunk, at)?,
            };
            if let Some(mark) = mark {
                return Ok(mark);
            }
        }
        self.base += chunk.len() as u64;
        *at = 0;
        Ok(Mark::Starved)
    }

    /// No more chunks: was that all of it?
    pub(crate) fn finish(&self) -> Result<(), WireError> {
        match self.state {
            State::Done => Ok(()),
            State::Number(number) if number.may_end() && self.stack.depth() == 0 => Ok(()),
            _ => Err(WireError::Truncated),
        }
    }

    /// One byte between strings, numbers and literals.
    fn structure(&mut self, chunk: &[u8], at: &mut usize) -> Result<Option<Mark>, WireError> {
        let byte = chunk[*at];
        *at += 1;
        match (self.state, byte) {
            (_, b' ' | b'\n' | b'\r' | b'\t') => Ok(None),
            (State::Value | State::FirstElement, b'"') => {
                self.in_key = false;
                self.open(State::Text)
            }
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
            (State::Value | State::FirstElement, _) => self.value(byte, *at - 1),
            (State::Done, _) => Err(self.fault(*at - 1, "text after the end")),
            (State::Key | State::FirstKey, _) => Err(self.fault(*at - 1, "expected a key")),
            (State::Colon, _) => Err(self.fault(*at - 1, "expected a colon")),
            _ => Err(self.fault(*at - 1, "expected a comma or the end")),
        }
    }

    /// The first byte of a value that is not a string.
    fn value(&mut self, byte: u8, at: usize) -> Result<Option<Mark>, WireError> {
        let state = match byte {
            b'{' | b'[' => return self.nest(byte == b'{'),
            b't' => State::Literal(b"rue"),
            b'f' => State::Literal(b"alse"),
            b'n' => State::Literal(b"ull"),
            _ => match Number::start(byte) {
                Some(number) => State::Number(number),
                None => return Err(self.fault(at, "expected a value")),
            },
        };
        self.open(state)
    }

    fn nest(&mut self, object: bool) -> Result<Option<Mark>, WireError> {
        if self.stack.depth() >= self.max_depth {
            return Err(WireError::TooDeep { limit: self.max_depth });
        }
        let mark = self.open(if object { State::FirstKey } else { State::FirstElement });
        self.stack.push(object);
        mark
    }

    /// A value begins at the current depth.
    fn open(&mut self, state: State) -> Result<Option<Mark>, WireError> {
        self.state = state;
        Ok(match self.stack.depth() {
            0 => Some(Mark::Root),
            1 => Some(Mark::ValueStart),
            _ => None,
        })
    }

    fn close(&mut self) -> Option<Mark> {
        self.stack.pop();
        self.ended()
    }

    /// A value ended at the current depth.
    fn ended(&mut self) -> Option<Mark> {
        let depth = self.stack.depth();
        self.state = if depth == 0 { State::Done } else { State::AfterValue };
        (depth == 1).then_some(Mark::ValueEnd)
    }

    fn string(&mut self, chunk: &[u8], at: &mut usize) -> Result<Option<Mark>, WireError> {
        match string::scan(&mut self.state, &mut self.utf8, chunk, at) {
            Ok(Stop::Starved) => Ok(None),
            Ok(Stop::Closed) if self.in_key => {
                self.state = State::Colon;
                Ok((self.stack.depth() == 1).then_some(Mark::KeyEnd))
            }
            Ok(Stop::Closed) => Ok(self.ended()),
            Err(what) => Err(self.fault(*at, what)),
        }
    }

    fn number(
        &mut self,
        number: Number,
        chunk: &[u8],
        at: &mut usize,
    ) -> Result<Option<Mark>, WireError> {
        let number = number.scan(chunk, at);
        if *at == chunk.len() {
            self.state = State::Number(number);
            return Ok(None);
        }
        if number.may_end() {
            return Ok(self.ended());
        }
        Err(self.fault(*at, "malformed number"))
    }

    fn literal(
        &mut self,
        rest: &'static [u8],
        chunk: &[u8],
        at: &mut usize,
    ) -> Result<Option<Mark>, WireError> {
        let length = rest.len().min(chunk.len() - *at);
        let (now, later) = rest.split_at(length);
        let there = &chunk[*at..*at + length];
        if there != now {
            *at += there.iter().zip(now).take_while(|(byte, letter)| byte == letter).count();
            return Err(self.fault(*at, "expected true, false or null"));
        }
        *at += length;
        if later.is_empty() {
            return Ok(self.ended());
        }
        self.state = State::Literal(later);
        Ok(None)
    }

    #[cold]
    fn fault(&self, at: usize, what: &'static str) -> WireError {
        WireError::Syntax { offset: self.base + at as u64, what }
    }
}
