//! What stands in the result of a response that comes in pieces: its outermost members, and its end.
//!
//! The pieces are known to be one JSON-RPC message ([`Assembler`](crate::Assembler) says so), so this needs no more of the
//! grammar than strings and depth. Of a string it skips what nobody asks for, and keeps a few bytes of the others.

use memchr::memchr2;

use crate::text::says;

/// The longest name or value that is told apart from others, as it is spelled.
const MAX_TOKEN: usize = 128;

/// Watches the result of one response go by.
#[derive(Debug)]
pub struct ResultWatch {
    depth: usize,
    place: Place,
    /// The next string at the level that is looked at is a name.
    name_next: bool,
    /// The result has no member yet.
    empty: bool,
    in_string: bool,
    escaped: bool,
    /// The string that is being read, quotes included, as far as it is of interest.
    token: Vec<u8>,
    keeps: bool,
}

/// Where the result is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Before,
    /// Its name went by.
    Next,
    Inside,
    After,
}

/// What went by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Noticed<'a> {
    /// The name of a member of the result.
    Name(Token<'a>),
    /// The value of the member whose name went by last; only of those that are strings.
    Text(Token<'a>),
    /// The brace that ends the result.
    End {
        /// The result has no member at all.
        empty: bool,
    },
}

/// A string, as it is spelled. One that is very long is equal to nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token<'a>(&'a [u8]);

// === impl Token ===

impl Token<'_> {
    /// Whether it says this, however it is spelled.
    #[must_use]
    pub fn is(self, text: &str) -> bool {
        self.0.len() <= MAX_TOKEN && says(self.0, text)
    }
}

// === impl ResultWatch ===

impl ResultWatch {
    /// For a response of which nothing was seen yet.
    #[must_use]
    pub fn new() -> Self {
        Self {
            depth: 0,
            place: Place::Before,
            name_next: false,
            empty: true,
            in_string: false,
            escaped: false,
            token: Vec::new(),
            keeps: false,
        }
    }

    /// Whether the result has ended: nothing is noticed any more.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.place == Place::After
    }

    /// Reads on. `notice` is told what goes by, and where: the offset in `piece` of the byte that completes it.
    pub fn read(&mut self, piece: &[u8], mut notice: impl FnMut(usize, Noticed<'_>)) {
        let mut at = 0;
        while let Some(&byte) = piece.get(at) {
            if self.place == Place::After {
                return;
            }
            if self.in_string {
                at = self.read_string(piece, at, &mut notice);
            } else {
                self.read_structure(byte, at, &mut notice);
                at += 1;
            }
        }
    }

    /// Reads within a string; gives the offset behind what was read.
    fn read_string(
        &mut self,
        piece: &[u8],
        at: usize,
        notice: &mut impl FnMut(usize, Noticed<'_>),
    ) -> usize {
        let rest = piece.get(at..).unwrap_or_default();
        if std::mem::take(&mut self.escaped) {
            self.keep(rest.get(..1).unwrap_or_default());
            return at + 1;
        }
        let stop = memchr2(b'"', b'\\', rest).unwrap_or(rest.len());
        let through = (stop + 1).min(rest.len());
        self.keep(rest.get(..through).unwrap_or_default());
        match rest.get(stop) {
            Some(b'\\') => self.escaped = true,
            Some(_) => self.end_string(at + stop, notice),
            None => {}
        }
        at + through
    }

    fn keep(&mut self, bytes: &[u8]) {
        if self.keeps {
            // One byte more than may be is enough to tell that it is too long.
            let room = (MAX_TOKEN + 1).saturating_sub(self.token.len());
            self.token.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
        }
    }

    fn end_string(&mut self, at: usize, notice: &mut impl FnMut(usize, Noticed<'_>)) {
        self.in_string = false;
        if !std::mem::take(&mut self.keeps) {
            return;
        }
        let token = Token(&self.token);
        match (self.place, self.name_next) {
            (Place::Inside, true) => {
                self.empty = false;
                notice(at, Noticed::Name(token));
            }
            (Place::Inside, false) => notice(at, Noticed::Text(token)),
            (_, true) if token.is("result") => self.place = Place::Next,
            _ => {}
        }
        self.name_next = false;
    }

    fn read_structure(&mut self, byte: u8, at: usize, notice: &mut impl FnMut(usize, Noticed<'_>)) {
        match byte {
            b'"' => {
                self.in_string = true;
                self.keeps = self.depth == self.level();
                self.token.clear();
                self.keep(b"\"");
            }
            b'{' | b'[' => {
                if self.place == Place::Next && self.depth == 1 {
                    self.place = if byte == b'{' { Place::Inside } else { Place::After };
                }
                self.depth += 1;
                self.name_next = self.depth == self.level();
            }
            b'}' | b']' => {
                self.depth = self.depth.saturating_sub(1);
                if self.place == Place::Inside && self.depth == 1 {
                    self.place = Place::After;
                    notice(at, Noticed::End { empty: self.empty });
                }
            }
            b',' if self.depth == self.level() => {
                self.name_next = true;
                if self.place == Place::Next {
                    // It was no object.
                    self.place = Place::After;
                }
            }
            _ => {}
        }
    }

    /// The depth of what is looked at: the members of the message, then those of its result.
    fn level(&self) -> usize {
        if self.place == Place::Inside { 2 } else { 1 }
    }
}

impl Default for ResultWatch {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests;
