//! JSON strings as text: decode, compare, quote.
//!
//! Everything here takes tokens that a scanner has accepted, quotes included.

use std::borrow::Cow;

use bytes::Bytes;
use memchr::memchr;

#[cfg(test)]
mod tests;

/// The characters outside ASCII that fold to an ASCII letter: long s and the Kelvin sign. Parsers
/// that compare keys without case, by Unicode's rules, take them for `s` and `k`.
const FOLDS: [(char, char); 2] = [('\u{17f}', 's'), ('\u{212a}', 'k')];

/// `text` as a JSON string, quotes included.
#[must_use]
pub fn quote(text: &str) -> Bytes {
    let mut out = Vec::with_capacity(text.len() + 2);
    quote_into(&mut out, text);
    out.into()
}

/// Appends `text` as a JSON string.
pub(crate) fn quote_into(out: &mut Vec<u8>, text: &str) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.push(b'"');
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0..=0x1f => {
                out.extend_from_slice(b"\\u00");
                out.extend_from_slice(&[HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
            }
            _ => out.push(byte),
        }
    }
    out.push(b'"');
}

/// The text of a string token. None when it is no string, or holds a lone surrogate.
pub(crate) fn decode(token: &[u8]) -> Option<Cow<'_, str>> {
    let inner = inner(token)?;
    if memchr(b'\\', inner).is_none() {
        return std::str::from_utf8(inner).ok().map(Cow::Borrowed);
    }
    unescape(inner, None).map(Cow::Owned)
}

/// The text of a string token, lone surrogates replaced.
pub(crate) fn decode_lossy(token: &[u8]) -> Cow<'_, str> {
    decode(token).unwrap_or_else(|| {
        let text = inner(token).and_then(|inner| unescape(inner, Some('\u{fffd}')));
        Cow::Owned(text.unwrap_or_default())
    })
}

/// Whether a string token says `text`, however it is spelled.
pub(crate) fn says(token: &[u8], text: &str) -> bool {
    let Some(inner) = inner(token) else { return false };
    if memchr(b'\\', inner).is_none() {
        return inner == text.as_bytes();
    }
    decode(token).is_some_and(|decoded| decoded == text)
}

/// Whether a parser that ignores letter case could take one for the other.
pub(crate) fn folds_to(one: &str, other: &str) -> bool {
    let fold = |letter: char| {
        let folded = FOLDS.iter().find(|(from, _)| *from == letter);
        folded.map_or(letter.to_ascii_lowercase(), |(_, to)| *to)
    };
    one.chars().map(fold).eq(other.chars().map(fold))
}

fn inner(token: &[u8]) -> Option<&[u8]> {
    token.strip_prefix(b"\"")?.strip_suffix(b"\"")
}

/// Resolves escapes; a lone surrogate becomes `replacement`, or ends it.
fn unescape(inner: &[u8], replacement: Option<char>) -> Option<String> {
    let mut out = String::with_capacity(inner.len());
    let mut rest = inner;
    while let Some(at) = memchr(b'\\', rest) {
        out.push_str(std::str::from_utf8(&rest[..at]).ok()?);
        let (letter, after) = rest[at + 1..].split_first()?;
        rest = after;
        out.push(match letter {
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => match code_point(&mut rest)? {
                Some(letter) => letter,
                None => replacement?,
            },
            other => char::from(*other),
        });
    }
    out.push_str(std::str::from_utf8(rest).ok()?);
    Some(out)
}

/// The character of a `\u` escape, or of a pair of them; Some(None) is a lone surrogate.
fn code_point(rest: &mut &[u8]) -> Option<Option<char>> {
    let first = hex(rest)?;
    if let Some(letter) = char::from_u32(first) {
        return Some(Some(letter));
    }
    let mut ahead = *rest;
    if (0xd800..0xdc00).contains(&first) && ahead.starts_with(b"\\u") {
        ahead = &ahead[2..];
        let second = hex(&mut ahead)?;
        if (0xdc00..0xe000).contains(&second) {
            *rest = ahead;
            return Some(char::from_u32(0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00)));
        }
    }
    Some(None)
}

fn hex(rest: &mut &[u8]) -> Option<u32> {
    let (digits, after) = rest.split_at_checked(4)?;
    *rest = after;
    digits.iter().try_fold(0, |sum, &digit| Some(sum << 4 | char::from(digit).to_digit(16)?))
}
