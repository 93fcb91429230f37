//! From marks to the envelope: where `jsonrpc`, `id`, `method`, `params`, `result` and `error`
//! stand, while the bytes go by.
//!
//! Works the same for a message in one piece and for one in a thousand, and keeps no text except
//! the key, id or version that a chunk boundary cuts through.

use std::ops::Range;

use crate::scan::{Mark, Scanner};
use crate::{Kind, RawId, WireError, text};

mod name;
mod token;

use name::Name;
pub(crate) use name::Slot;
use token::Token;

/// The envelope of one message, as far as it was read.
#[derive(Debug, Clone)]
pub(crate) struct Envelope {
    scanner: Scanner,
    /// First byte of the outermost value.
    root: Option<u8>,
    /// Starts and ends, in bytes from the start of the message. An end of 0 is not known yet.
    spans: [Option<(u64, u64)>; Slot::COUNT],
    /// The member that is being read, when it is one of ours.
    open: Option<Slot>,
    /// The key or value being read, when its text matters.
    token: Token,
    id: Option<RawId>,
    /// Whether some key differs from one of ours in letter case only.
    lookalike: bool,
}

impl Envelope {
    pub(crate) fn new(max_depth: usize) -> Self {
        Self {
            scanner: Scanner::new(max_depth),
            root: None,
            spans: [None; Slot::COUNT],
            open: None,
            token: Token::default(),
            id: None,
            lookalike: false,
        }
    }

    /// Reads the next chunk, all of it.
    pub(crate) fn read(&mut self, chunk: &[u8]) -> Result<(), WireError> {
        let mut at = 0;
        loop {
            let base = self.scanner.base();
            match self.scanner.next(chunk, &mut at)? {
                Mark::Starved => break,
                Mark::Root => self.root = Some(chunk[at - 1]),
                Mark::KeyStart => self.token.begin(at - 1, Slot::LONGEST_KEY),
                Mark::KeyEnd => {
                    let key = self.token.end(chunk, at).map(Name::of);
                    self.key(key.unwrap_or(Name::Other))?;
                }
                Mark::ValueStart => self.value_start(chunk[at - 1], at - 1, base)?,
                Mark::ValueEnd => self.value_end(chunk, at, base)?,
            }
        }
        self.token.carry(chunk);
        Ok(())
    }

    fn key(&mut self, name: Name) -> Result<(), WireError> {
        self.open = None;
        match name {
            Name::Known(slot) if self.has(slot) => {
                return Err(WireError::Invalid("an envelope member stands there twice"));
            }
            Name::Known(slot) => self.open = Some(slot),
            Name::Lookalike => self.lookalike = true,
            Name::Other => {}
        }
        Ok(())
    }

    fn value_start(&mut self, byte: u8, at: usize, base: u64) -> Result<(), WireError> {
        let Some(slot) = self.open else { return Ok(()) };
        self.spans[slot as usize] = Some((base + at as u64, 0));
        match (slot, byte) {
            (Slot::Id, b'{' | b'[' | b't' | b'f') => {
                Err(WireError::Invalid("an id must be a string or an integer"))
            }
            (Slot::Method, b'"') | (Slot::Params | Slot::Result | Slot::Error, _) => Ok(()),
            (Slot::Method, _) => Err(WireError::Invalid("a method must be a string")),
            (Slot::Id, _) => {
                self.token.begin(at, RawId::MAX_BYTES);
                Ok(())
            }
            (Slot::Jsonrpc, _) => {
                self.token.begin(at, Slot::LONGEST_KEY);
                Ok(())
            }
        }
    }

    fn value_end(&mut self, chunk: &[u8], at: usize, base: u64) -> Result<(), WireError> {
        let Some(slot) = self.open.take() else { return Ok(()) };
        if let Some(span) = &mut self.spans[slot as usize] {
            span.1 = base + at as u64;
        }
        match slot {
            Slot::Jsonrpc => {
                if !self.token.end(chunk, at).is_some_and(|token| text::says(token, "2.0")) {
                    return Err(WireError::Invalid("jsonrpc must be \"2.0\""));
                }
            }
            Slot::Id => match self.token.end(chunk, at) {
                Some(b"null") => {}
                Some(token) => self.id = Some(RawId::from_valid(token)?),
                None => return Err(WireError::TooLarge { limit: RawId::MAX_BYTES as u64 }),
            },
            Slot::Method | Slot::Params | Slot::Result | Slot::Error => {}
        }
        Ok(())
    }

    /// No more chunks: what kind of message was it?
    pub(crate) fn finish(&self) -> Result<Kind, WireError> {
        self.scanner.finish()?;
        if self.root != Some(b'{') {
            return Err(WireError::Invalid("a message must be an object"));
        }
        if !self.has(Slot::Jsonrpc) {
            return Err(WireError::Invalid("jsonrpc must be \"2.0\""));
        }
        match (self.has(Slot::Method), self.has(Slot::Result), self.has(Slot::Error)) {
            (true, false, false) => self.request(),
            (false, true, false) if self.id.is_some() => Ok(Kind::Success),
            (false, true, false) => Err(WireError::Invalid("a result needs an id")),
            (false, false, true) => Ok(Kind::Failure),
            (false, false, false) => Err(WireError::Invalid("no method, result or error")),
            _ => Err(WireError::Invalid("more than one of method, result and error")),
        }
    }

    fn request(&self) -> Result<Kind, WireError> {
        if self.lookalike {
            // Parsers that ignore case would see a request other than the one we authorise.
            return Err(WireError::Invalid("an envelope member in another letter case"));
        }
        match (self.has(Slot::Id), &self.id) {
            (false, _) => Ok(Kind::Notification),
            (true, Some(_)) => Ok(Kind::Request),
            (true, None) => Err(WireError::Invalid("the id of a request must not be null")),
        }
    }

    /// Whether the member was seen, at least its start.
    pub(crate) fn has(&self, slot: Slot) -> bool {
        self.spans[slot as usize].is_some()
    }

    /// Where the member starts, and ends when that is known.
    pub(crate) fn place(&self, slot: Slot) -> Option<(u64, Option<u64>)> {
        self.spans[slot as usize].map(|(start, end)| (start, (end > 0).then_some(end)))
    }

    /// The span of a complete member, for a message in memory.
    pub(crate) fn span(&self, slot: Slot) -> Option<Range<usize>> {
        self.spans[slot as usize].map(|(start, end)| start as usize..end as usize)
    }

    pub(crate) fn id(&self) -> Option<&RawId> {
        self.id.as_ref()
    }

    pub(crate) fn root(&self) -> Option<u8> {
        self.root
    }

    pub(crate) fn is_complete(&self) -> bool {
        self.scanner.is_complete()
    }

    /// Bytes read so far.
    pub(crate) fn length(&self) -> u64 {
        self.scanner.base()
    }
}
