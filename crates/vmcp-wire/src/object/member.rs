//! The value of one member, read as what the caller expects.

use std::borrow::Cow;
use std::ops::Range;

use super::{Object, elements};
use crate::text;

/// One member of an [`Object`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member<'a> {
    /// The value exactly as it stands.
    pub raw: &'a [u8],
    /// Where the value stands in the slice given to [`Object::parse`].
    pub span: Range<usize>,
    /// Where the key stands there, quotes included.
    pub key_span: Range<usize>,
}

impl<'a> Member<'a> {
    /// The decoded string. None for other types, and for text that is not Unicode.
    #[must_use]
    pub fn as_str(&self) -> Option<Cow<'a, str>> {
        text::decode(self.raw)
    }

    /// The object. Its spans still count from the slice given to [`Object::parse`], so edits of
    /// nested members apply to that slice.
    #[must_use]
    pub fn as_object(&self) -> Option<Object<'a>> {
        Object::parse_at(self.raw, self.span.start).ok()
    }

    /// The raw elements of an array.
    #[must_use]
    pub fn as_array(&self) -> Option<Vec<&'a [u8]>> {
        let spans = elements(self.raw, usize::MAX, usize::MAX).ok()?;
        Some(spans.into_iter().map(|span| &self.raw[span]).collect())
    }

    /// The elements of an array, each with its place in the slice given to [`Object::parse`]. An element has no key: its
    /// `key_span` is empty, and stands before it.
    #[must_use]
    pub fn items(&self) -> Option<Vec<Self>> {
        let base = self.span.start;
        let spans = elements(self.raw, usize::MAX, usize::MAX).ok()?;
        let item = |span: Range<usize>| {
            let at = base + span.start;
            Self { raw: &self.raw[span.clone()], span: at..base + span.end, key_span: at..at }
        };
        Some(spans.into_iter().map(item).collect())
    }

    /// The boolean.
    #[must_use]
    pub fn as_bool(&self) -> Option<bool> {
        match self.raw {
            b"true" => Some(true),
            b"false" => Some(false),
            _ => None,
        }
    }

    /// The number, when it is written as a non-negative integer that fits.
    #[must_use]
    pub fn as_u64(&self) -> Option<u64> {
        std::str::from_utf8(self.raw).ok()?.parse().ok()
    }

    /// Whether it is null.
    #[must_use]
    pub fn is_null(&self) -> bool {
        self.raw == b"null"
    }
}
