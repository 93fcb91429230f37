//! `true`, `false` and `null`.

/// How far a literal has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Literal {
    /// Where in [`LETTERS`] the next letter stands, and where the last one ended.
    next: u8,
    end: u8,
}

const LETTERS: &[u8; 13] = b"truefalsenull";

impl Literal {
    /// The state after the first letter of a literal.
    pub(super) fn start(byte: u8) -> Option<Self> {
        match byte {
            b't' => Some(Self { next: 1, end: 4 }),
            b'f' => Some(Self { next: 5, end: 9 }),
            b'n' => Some(Self { next: 10, end: 13 }),
            _ => None,
        }
    }

    pub(super) fn is_complete(self) -> bool {
        self.next == self.end
    }

    /// Moves `at` past the letters that are there. None when `at` is a wrong one.
    pub(super) fn scan(mut self, chunk: &[u8], at: &mut usize) -> Option<Self> {
        while !self.is_complete()
            && let Some(&byte) = chunk.get(*at)
        {
            if byte != LETTERS[usize::from(self.next)] {
                return None;
            }
            self.next += 1;
            *at += 1;
        }
        Some(self)
    }
}
