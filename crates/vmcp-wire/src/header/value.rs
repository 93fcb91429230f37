//! Any text as the value of a header, and back.
//!
//! A text of visible ASCII travels as it is, spaces and tabs inside included. What a header could not carry, or could
//! not carry unharmed (blanks at its ends are no part of a value), travels as the Base64 of its UTF-8 between two
//! marks. So does a text that looks as if it stood between them.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

const BEFORE: &str = "=?base64?";
const AFTER: &str = "?=";

/// The value that says `text`. [`decode`] gives the same text back, whatever it is.
#[must_use]
pub fn encode(text: &str) -> Cow<'_, str> {
    let blank = |at: Option<&u8>| matches!(at, Some(b' ' | b'\t'));
    let bytes = text.as_bytes();
    let looks_encoded = text.starts_with(BEFORE) && text.ends_with(AFTER);
    if bytes.iter().all(is_plain) && !blank(bytes.first()) && !blank(bytes.last()) && !looks_encoded
    {
        return Cow::Borrowed(text);
    }
    Cow::Owned(format!("{BEFORE}{}{AFTER}", STANDARD.encode(text)))
}

/// The text that `value` says, blanks around it aside. `None` for a value that none could have been made from: with
/// other than visible ASCII in it, or with something between the marks that is not Base64 (padded, without stray bits)
/// of UTF-8. Without exactly these marks, in lower case, a value stands for itself.
#[must_use]
pub fn decode(value: &[u8]) -> Option<Cow<'_, str>> {
    let value = trimmed(value);
    if !value.iter().all(is_plain) {
        return None;
    }
    let value = std::str::from_utf8(value).ok()?;
    let Some(inner) = value.strip_prefix(BEFORE).and_then(|rest| rest.strip_suffix(AFTER)) else {
        return Some(Cow::Borrowed(value));
    };
    String::from_utf8(STANDARD.decode(inner).ok()?).ok().map(Cow::Owned)
}

/// Without the optional whitespace of RFC 9110, §5.6.3, at either end.
pub(super) fn trimmed(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

/// RFC 9110, §5.5, without the bytes that nobody agrees on.
fn is_plain(byte: &u8) -> bool {
    matches!(byte, b'\t' | b' '..=b'~')
}

#[cfg(test)]
mod tests {
    use super::{decode, encode};

    #[test]
    fn encodes_what_would_not_arrive() {
        for (text, value) in [
            ("us-west1", "us-west1"),
            ("", ""),
            ("a b\tc", "a b\tc"),
            ("file:///a%20b?c=d#e", "file:///a%20b?c=d#e"),
            ("Hello, \u{4e16}\u{754c}", "=?base64?SGVsbG8sIOS4lueVjA==?="),
            (" padded ", "=?base64?IHBhZGRlZCA=?="),
            ("\ttab", "=?base64?CXRhYg==?="),
            ("line1\nline2", "=?base64?bGluZTEKbGluZTI=?="),
            ("\u{7f}", "=?base64?fw==?="),
            ("=?base64?literal?=", "=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?="),
            ("=?base64?=", "=?base64?PT9iYXNlNjQ/PQ==?="),
            ("=?base64?half", "=?base64?half"),
            ("=?BASE64?eA==?=", "=?BASE64?eA==?="),
        ] {
            assert_eq!(encode(text), value, "{text:?}");
            assert_eq!(decode(value.as_bytes()).as_deref(), Some(text), "{value:?}");
        }
    }

    #[test]
    fn takes_no_value_that_none_would_make() {
        for value in [
            &b"caf\xc3\xa9"[..],
            b"\xff",
            b"a\0b",
            b"a\nb",
            b"a\n",
            b"\x7f",
            b"=?base64?SGVsbG8?=",
            b"=?base64?SGVsbG9=?=",
            b"=?base64?SGVs bG8=?=",
            b"=?base64?SGVs*bG8=?=",
            b"=?base64?_-8=?=",
            // Not UTF-8.
            b"=?base64?/w==?=",
        ] {
            assert_eq!(decode(value), None, "{}", String::from_utf8_lossy(value));
        }
        assert_eq!(decode(b" \tx\t ").as_deref(), Some("x"));
        assert_eq!(decode(b"=?base64??=").as_deref(), Some(""));
    }
}
