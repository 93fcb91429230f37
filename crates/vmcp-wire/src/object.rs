//! One level of a raw JSON object, borrowed.
//!
//! The tool for reading the few members that routing needs out of `params` or `result` without
//! touching the rest. Nothing is copied and nothing is decoded that nobody asks for.

use std::borrow::Cow;
use std::ops::Range;

use crate::scan::{Mark, Scanner};
use crate::{WireError, text};

mod member;
pub use member::Member;

/// The members of one JSON object, as spans of the slice it was parsed from.
#[derive(Debug, Clone)]
pub struct Object<'a> {
    raw: &'a [u8],
    /// Where `raw` starts in the outermost slice.
    base: usize,
    /// Where the braces are in `raw`.
    braces: (usize, usize),
    entries: Vec<Entry>,
}

/// Spans of one member in `raw`. Half the size of `Range<usize>`, because a hostile object has a
/// member in every five bytes.
#[derive(Debug, Clone, Copy)]
struct Entry {
    key: (u32, u32),
    value: (u32, u32),
}

impl<'a> Object<'a> {
    /// Reads one level.
    ///
    /// # Errors
    /// When `raw` is not exactly one JSON object, whitespace around it aside.
    pub fn parse(raw: &'a [u8]) -> Result<Self, WireError> {
        Self::parse_at(raw, 0)
    }

    pub(crate) fn parse_at(raw: &'a [u8], base: usize) -> Result<Self, WireError> {
        if u32::try_from(raw.len()).is_err() {
            return Err(WireError::TooLarge { limit: u64::from(u32::MAX) });
        }
        // The bytes are in memory already, and a level costs one bit: no bound on depth is needed.
        let mut scanner = Scanner::new(usize::MAX);
        let mut open = 0;
        let mut entries = Vec::new();
        let mut entry = Entry { key: (0, 0), value: (0, 0) };
        let mut at = 0;
        loop {
            let mark = scanner.next(raw, &mut at)?;
            let offset = at as u32;
            match mark {
                Mark::Starved => break,
                Mark::Root if raw[at - 1] == b'{' => open = at - 1,
                Mark::Root => return Err(WireError::Invalid("expected an object")),
                Mark::KeyStart => entry.key.0 = offset - 1,
                Mark::KeyEnd => entry.key.1 = offset,
                Mark::ValueStart => entry.value.0 = offset - 1,
                Mark::ValueEnd => {
                    entry.value.1 = offset;
                    entries.push(entry);
                }
            }
        }
        scanner.finish()?;
        let close = raw.iter().rposition(|&byte| byte == b'}').unwrap_or_default();
        Ok(Self { raw, base, braces: (open, close), entries })
    }

    /// The first member called `key`.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<Member<'a>> {
        let entry = self.entries.iter().find(|entry| text::says(self.key(entry), key))?;
        Some(self.member(entry))
    }

    /// The member called `key`, when no other member could be taken for it.
    ///
    /// # Errors
    /// When `key` stands there twice, or also in another letter case: then two parsers may read
    /// two different values, and a decision about one would not hold for the other.
    pub fn unique(&self, key: &str) -> Result<Option<Member<'a>>, WireError> {
        let mut found = None;
        for entry in &self.entries {
            let token = self.key(entry);
            if text::says(token, key) {
                if found.is_some() {
                    return Err(WireError::Invalid("a member stands there twice"));
                }
                found = Some(entry);
            } else if may_fold(token, key)
                && text::decode(token).is_some_and(|other| text::folds_to(&other, key))
            {
                return Err(WireError::Invalid("a member in another letter case"));
            }
        }
        Ok(found.map(|entry| self.member(entry)))
    }

    /// All members in their order, keys decoded.
    pub fn iter(&self) -> impl Iterator<Item = (Cow<'a, str>, Member<'a>)> {
        self.entries.iter().map(|entry| (text::decode_lossy(self.key(entry)), self.member(entry)))
    }

    /// How many members there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The inside of the braces, counted from the outermost slice.
    pub(crate) fn interior(&self) -> Range<usize> {
        self.base + self.braces.0 + 1..self.base + self.braces.1
    }

    fn key(&self, entry: &Entry) -> &'a [u8] {
        &self.raw[entry.key.0 as usize..entry.key.1 as usize]
    }

    fn member(&self, entry: &Entry) -> Member<'a> {
        let shift = |(start, end): (u32, u32)| self.base + start as usize..self.base + end as usize;
        Member {
            raw: &self.raw[entry.value.0 as usize..entry.value.1 as usize],
            span: shift(entry.value),
            key_span: shift(entry.key),
        }
    }
}

/// Cheap test before decoding: a key that folds to `key` is as long, or has other than ASCII or
/// escapes in it.
fn may_fold(token: &[u8], key: &str) -> bool {
    token.len() == key.len() + 2 || token.iter().any(|&byte| byte >= 0x80 || byte == b'\\')
}

/// The spans of the elements of an array.
pub(crate) fn elements(
    raw: &[u8],
    max_depth: usize,
    max_count: usize,
) -> Result<Vec<Range<usize>>, WireError> {
    let mut scanner = Scanner::new(max_depth);
    let mut spans = Vec::new();
    let (mut start, mut at) = (0, 0);
    loop {
        match scanner.next(raw, &mut at)? {
            Mark::Starved => break,
            Mark::Root if raw[at - 1] != b'[' => {
                return Err(WireError::Invalid("expected an array"));
            }
            Mark::ValueStart if spans.len() == max_count => {
                return Err(WireError::TooMany { limit: max_count });
            }
            Mark::ValueStart => start = at - 1,
            Mark::ValueEnd => spans.push(start..at),
            Mark::Root | Mark::KeyStart | Mark::KeyEnd => {}
        }
    }
    scanner.finish()?;
    Ok(spans)
}
