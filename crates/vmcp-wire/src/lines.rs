//! Newline-delimited messages, as on the standard streams of a process.
//!
//! Programs print other things than messages to their standard output, and crash within a line.
//! So a line that is no message costs that line only, and is not kept while it is skipped.

use std::collections::VecDeque;
use std::mem;

use bytes::Bytes;
use memchr::memchr;

use crate::{Assembled, Assembler, Head, Limits, Message, Piece, WireError};

/// Reads messages from lines: `push`, then `next` until it gives None. A bad line never ends it.
#[derive(Debug)]
pub struct Decoder {
    limits: Limits,
    hold: usize,
    need_id: bool,
    max_streamed: Option<u64>,
    chunk: Bytes,
    /// How much of the chunk was read.
    at: usize,
    line: Line,
    /// Whether a carriage return is kept back: it belongs to the line only if more of it follows.
    after_return: bool,
    ready: VecDeque<Item>,
}

/// What comes out of a [`Decoder`].
#[derive(Debug, Clone)]
pub enum Item {
    /// A complete message.
    Message(Message),
    /// A complete batch.
    Batch(Vec<Result<Message, WireError>>),
    /// A long response streams from now on: pieces follow, then `End` or `Broken`.
    Head(Head),
    /// Pieces of the response that streams.
    Pieces(Vec<Piece>),
    /// The response that streamed is complete and valid.
    End,
    /// The response that streamed went wrong; the rest of the line is skipped.
    Broken(WireError),
    /// A line that is no message was skipped; nothing of it was handed out.
    Skipped(WireError),
}

/// What the current line is.
#[derive(Debug)]
enum Line {
    /// Nothing but whitespace so far.
    Blank,
    Open {
        assembler: Box<Assembler>,
        streaming: bool,
    },
    Skipping,
}

impl Decoder {
    /// A decoder at the start of a stream; see [`Assembler::new`].
    #[must_use]
    pub fn new(limits: Limits, hold: usize, need_id: bool) -> Self {
        Self {
            limits,
            hold,
            need_id,
            max_streamed: None,
            chunk: Bytes::new(),
            at: 0,
            line: Line::Blank,
            after_return: false,
            ready: VecDeque::new(),
        }
    }

    /// See [`Assembler::with_max_streamed`].
    #[must_use]
    pub fn with_max_streamed(mut self, max: Option<u64>) -> Self {
        self.max_streamed = max;
        self
    }

    /// Takes the next chunk; all items of the previous one must have been taken.
    pub fn push(&mut self, chunk: Bytes) {
        self.chunk = chunk;
        self.at = 0;
    }

    /// The next item, or None when another chunk is needed.
    #[expect(clippy::should_implement_trait, reason = "resumable, not an iterator")]
    pub fn next(&mut self) -> Option<Item> {
        while self.ready.is_empty() && self.at < self.chunk.len() {
            self.step();
        }
        self.ready.pop_front()
    }

    /// The stream ended: what the last line without a newline amounts to.
    pub fn finish(&mut self) -> Option<Item> {
        self.end_line();
        self.ready.pop_front()
    }

    /// The rest of the line or of the chunk, whichever is shorter.
    fn step(&mut self) {
        let rest = &self.chunk[self.at..];
        if matches!(self.line, Line::Blank) {
            let blank = rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
            self.at += blank;
            if blank < rest.len() {
                self.line = self.open();
            }
            return;
        }
        let newline = memchr(b'\n', rest);
        let line = &rest[..newline.unwrap_or(rest.len())];
        let text = line.strip_suffix(b"\r").unwrap_or(line);
        let part = self.chunk.slice(self.at..self.at + text.len());
        let returned = text.len() < line.len();
        self.at += line.len() + usize::from(newline.is_some());
        if mem::replace(&mut self.after_return, returned) && !line.is_empty() {
            self.part(Bytes::from_static(b"\r"));
        }
        self.part(part);
        if newline.is_some() {
            self.after_return = false;
            self.end_line();
        }
    }

    fn open(&self) -> Line {
        let assembler = Assembler::new(self.limits, self.hold, self.need_id)
            .with_max_streamed(self.max_streamed);
        Line::Open { assembler: Box::new(assembler), streaming: false }
    }

    fn part(&mut self, part: Bytes) {
        let Line::Open { assembler, streaming } = &mut self.line else { return };
        match assembler.push(part) {
            Ok(head) => {
                if let Some(head) = head {
                    *streaming = true;
                    self.ready.push_back(Item::Head(head));
                }
                let pieces = assembler.take_pieces();
                if !pieces.is_empty() {
                    self.ready.push_back(Item::Pieces(pieces));
                }
            }
            Err(error) => {
                let streaming = *streaming;
                self.line = Line::Skipping;
                self.failed(streaming, error);
            }
        }
    }

    fn end_line(&mut self) {
        let Line::Open { mut assembler, streaming } = mem::replace(&mut self.line, Line::Blank)
        else {
            return;
        };
        match assembler.finish() {
            Ok(Assembled::Whole(message)) => self.ready.push_back(Item::Message(message)),
            Ok(Assembled::Batch(messages)) => self.ready.push_back(Item::Batch(messages)),
            // Its pieces were taken as they came.
            Ok(Assembled::Streamed(_)) => self.ready.push_back(Item::End),
            Err(error) => self.failed(streaming, error),
        }
    }

    fn failed(&mut self, streaming: bool, error: WireError) {
        let item = if streaming { Item::Broken(error) } else { Item::Skipped(error) };
        self.ready.push_back(item);
    }
}
