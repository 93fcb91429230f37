//! Texts in pieces.

use bytes::Bytes;
use vmcp_wire::Piece;

/// Stands between the text and the sizes of its chunks.
const SEPARATOR: u8 = 0xff;
/// Up to this length a text is cut in two at every place there is.
const SHORT: usize = 48;

/// One input of the fuzzer, taken apart.
#[derive(Debug)]
pub struct Input<'a> {
    /// What is read.
    pub text: &'a [u8],
    /// Sizes of chunks, used over and over; also whatever else a target wants to vary.
    pub numbers: &'a [u8],
}

impl<'a> Input<'a> {
    /// Splits at the last separator; without one there are no numbers.
    pub fn split(bytes: &'a [u8]) -> Self {
        match memchr::memrchr(SEPARATOR, bytes) {
            Some(at) => Self { text: &bytes[..at], numbers: &bytes[at + 1..] },
            None => Self { text: bytes, numbers: &[] },
        }
    }

    /// A number for everything else that can be set, 0 without one.
    pub fn number(&self, index: usize) -> usize {
        self.numbers.get(index).copied().unwrap_or_default().into()
    }

    /// The text in one chunk.
    pub fn whole(&self) -> Vec<Bytes> {
        vec![Bytes::copy_from_slice(self.text)]
    }

    /// The text cut in different ways. Each chunk has memory of its own, and some are empty.
    pub fn cuts(&self) -> Vec<Vec<Bytes>> {
        let mut all = vec![self.whole(), self.cut(|_| 1)];
        if !self.numbers.is_empty() {
            all.push(self.cut(|index| self.numbers[index % self.numbers.len()].into()));
        }
        if self.text.len() <= SHORT {
            all.extend((1..self.text.len()).map(|at| {
                let (one, other) = self.text.split_at(at);
                vec![Bytes::copy_from_slice(one), Bytes::copy_from_slice(other)]
            }));
        }
        all
    }

    fn cut(&self, size: impl Fn(usize) -> usize) -> Vec<Bytes> {
        let mut chunks = Vec::new();
        let mut rest = self.text;
        while !rest.is_empty() {
            let wanted = size(chunks.len());
            // An empty chunk is allowed, an endless row of them is not.
            let last_was_empty = chunks.last().is_some_and(Bytes::is_empty);
            let wanted = if last_was_empty { wanted.max(1) } else { wanted };
            let (chunk, behind) = rest.split_at(wanted.min(rest.len()));
            chunks.push(Bytes::copy_from_slice(chunk));
            rest = behind;
        }
        chunks
    }
}

/// Pieces in a row, with `id` where the hole is.
pub fn joined(pieces: &[Piece], id: &[u8]) -> Vec<u8> {
    let mut all = Vec::new();
    for piece in pieces {
        match piece {
            Piece::Bytes(bytes) => all.extend_from_slice(bytes),
            Piece::Id(_) => all.extend_from_slice(id),
        }
    }
    all
}
