//! JSON and JSON-RPC by another parser, and by the letter of what is promised.
//!
//! serde_json reads the text; nothing here looks at how ours does it. Where the two may differ is
//! written down: serde_json reads keys as text and so refuses lone surrogates, which are
//! grammatical; here keys are read as bytes.

use std::fmt;
use std::ops::Range;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;
use vmcp_wire::{Kind, Limits, RawId};

/// A member of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Value {
    /// The decoded key; lone surrogates are three bytes each.
    pub key: Vec<u8>,
    /// Where the value stands.
    pub span: Range<usize>,
}

/// What a message must turn out to be.
#[derive(Debug, PartialEq, Eq)]
pub struct Expected {
    /// Which of the four.
    pub kind: Kind,
    /// The value of `id`, null included.
    pub id: Option<Range<usize>>,
    /// The value of `params`.
    pub params: Option<Range<usize>>,
    /// The value of `method`, `result` or `error`.
    pub main: Range<usize>,
    /// The decoded method; empty for responses.
    pub method: String,
}

/// Whether `text` is JSON at most `depth` containers deep.
pub fn json(text: &[u8], depth: usize) -> bool {
    let Ok(text) = std::str::from_utf8(text) else { return false };
    serde_json::from_str::<IgnoredAny>(text).is_ok() && depth_of(text) <= depth
}

/// The members of an object in their order; None when it is not one.
pub fn members(text: &[u8]) -> Option<Vec<Value>> {
    // Read as bytes, a key may hold what no JSON string may.
    let text = std::str::from_utf8(text).ok().filter(|text| json(text.as_bytes(), usize::MAX))?;
    let Members(members) = serde_json::from_str(text).ok()?;
    let start = text.as_ptr() as usize;
    let place = |raw: &RawValue| {
        let offset = raw.get().as_ptr() as usize - start;
        offset..offset + raw.get().len()
    };
    Some(members.into_iter().map(|(key, raw)| Value { key, span: place(raw) }).collect())
}

/// Reads a message by the rules that [`vmcp_wire::Message::parse`] documents.
pub fn message(text: &[u8], limits: &Limits) -> Option<Expected> {
    if text.len() > limits.max_bytes || !json(text, limits.max_depth) {
        return None;
    }
    let members = members(text)?;
    let get = |key: &str| {
        let mut found = members.iter().filter(|member| member.key == key.as_bytes());
        let first = found.next().map(|member| member.span.clone());
        // Twice is no message; `Err` is told from "not there" by the caller.
        if found.next().is_some() { Err(()) } else { Ok(first) }
    };
    let string = |span: &Range<usize>| serde_json::from_slice::<String>(&text[span.clone()]).ok();
    let [version, id, method, params, result, error] =
        ["jsonrpc", "id", "method", "params", "result", "error"].map(get);
    let (id, method, params) = (id.ok()?, method.ok()?, params.ok()?);
    let (result, error) = (result.ok()?, error.ok()?);
    if string(&version.ok()??)? != "2.0" {
        return None;
    }
    let id_token = id.clone().map(|span| &text[span]);
    let null = id_token == Some(b"null");
    if id_token.is_some_and(|token| !null && !is_id(token)) {
        return None;
    }
    let (kind, main) = match (method, result, error) {
        (Some(method), None, None) if id.is_none() => (Kind::Notification, method),
        (Some(method), None, None) if !null => (Kind::Request, method),
        (None, Some(result), None) if id.is_some() && !null => (Kind::Success, result),
        (None, None, Some(error)) => (Kind::Failure, error),
        _ => return None,
    };
    let mut name = String::new();
    if matches!(kind, Kind::Request | Kind::Notification) {
        name = string(&main).filter(|name| !name.is_empty())?;
        if members.iter().any(|member| is_lookalike(&member.key)) {
            return None;
        }
    }
    Some(Expected { kind, id, params, main, method: name })
}

/// Whether a key is one of the envelope's in another letter case. Of the letters outside ASCII only
/// two fold to one of ASCII.
fn is_lookalike(key: &[u8]) -> bool {
    let Ok(key) = std::str::from_utf8(key) else { return false };
    let folded = key.replace('\u{17f}', "s").replace('\u{212a}', "k").to_ascii_lowercase();
    let names = ["jsonrpc", "id", "method", "params", "result", "error"];
    names.iter().any(|name| folded == *name && key != *name)
}

/// A string, or a number without a fractional part however it is spelled.
fn is_id(token: &[u8]) -> bool {
    if token.len() > RawId::MAX_BYTES {
        return false;
    }
    match token.first() {
        Some(b'"') => true,
        Some(b'-' | b'0'..=b'9') => is_integral(&String::from_utf8_lossy(token)),
        _ => false,
    }
}

/// Moves the decimal point step by step; what it passes over on its way left must be zeros.
fn is_integral(number: &str) -> bool {
    let lower = number.trim_start_matches('-').to_ascii_lowercase();
    let (mantissa, exponent) = lower.split_once('e').unwrap_or((&lower, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    if digits.bytes().all(|digit| digit == b'0') {
        return true;
    }
    // Far beyond the length of any token, all exponents of one direction are alike.
    let far = if exponent.starts_with('-') { -1_000_000_000 } else { 1_000_000_000 };
    let exponent = exponent.parse::<i64>().unwrap_or(far).clamp(-1_000_000_000, 1_000_000_000);
    let zeros = digits.bytes().rev().take_while(|digit| *digit == b'0').count();
    fraction.len() as i64 - exponent <= zeros as i64
}

/// The deepest nesting of a valid text.
fn depth_of(text: &str) -> usize {
    let (mut depth, mut deepest) = (0, 0);
    let (mut in_string, mut escaped) = (false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => depth += 1,
            b'}' | b']' if !in_string => depth -= 1,
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

/// Members as serde finds them.
struct Members<'a>(Vec<(Vec<u8>, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;

        impl<'de> Visitor<'de> for Collect {
            type Value = Vec<(Vec<u8>, &'de RawValue)>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(Key(key)) = map.next_key()? {
                    members.push((key, map.next_value()?));
                }
                Ok(members)
            }
        }

        deserializer.deserialize_map(Collect).map(Members)
    }
}

/// A key as bytes.
struct Key(Vec<u8>);

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bytes;

        impl Visitor<'_> for Bytes {
            type Value = Vec<u8>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
                Ok(bytes.to_vec())
            }
        }

        deserializer.deserialize_bytes(Bytes).map(Key)
    }
}
