//! `application/x-www-form-urlencoded` (RFC 6749 Appendix B), into one buffer that is wiped after use.

use std::fmt;

use bytes::Bytes;
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

/// The fields of a request to a token endpoint, in order. `Debug` shows the names only.
#[derive(Default)]
pub struct Form {
    fields: Vec<(&'static str, Value)>,
}

enum Value {
    Plain(String),
    Secret(SecretString),
}

// === impl Form ===

impl Form {
    /// A form for this `grant_type`.
    pub fn grant(kind: &str) -> Self {
        Self::default().with("grant_type", kind)
    }

    /// One more field.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.fields.push((name, Value::Plain(value.into())));
        self
    }

    /// One more field, if there is a value.
    #[must_use]
    pub fn with_some(self, name: &'static str, value: Option<impl Into<String>>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// One more field for each value.
    #[must_use]
    pub fn with_each(self, name: &'static str, values: &[String]) -> Self {
        values.iter().fold(self, |form, value| form.with(name, value))
    }

    /// One more field with the values as a list (RFC 6749 §3.3), if there are any.
    #[must_use]
    pub fn with_list(self, name: &'static str, values: &[String]) -> Self {
        if values.is_empty() { self } else { self.with(name, values.join(" ")) }
    }

    /// One more field that nobody may see.
    #[must_use]
    pub fn with_secret(mut self, name: &'static str, value: SecretString) -> Self {
        self.add_secret(name, value);
        self
    }

    pub(super) fn add(&mut self, name: &'static str, value: &str) {
        self.fields.push((name, Value::Plain(value.to_owned())));
    }

    pub(super) fn add_secret(&mut self, name: &'static str, value: SecretString) {
        self.fields.push((name, Value::Secret(value)));
    }

    /// All values that nobody may see.
    pub(super) fn secrets(&self) -> impl Iterator<Item = &str> {
        self.fields.iter().filter_map(|(_, value)| match value {
            Value::Plain(_) => None,
            Value::Secret(secret) => Some(secret.expose_secret()),
        })
    }

    /// The encoded form. Its memory is allocated once and wiped when the last clone is dropped.
    pub(crate) fn encode(&self) -> Bytes {
        let pairs = || self.fields.iter().map(|(name, value)| (*name, value.text()));
        let length: usize =
            pairs().map(|(name, value)| name.len() + 2 + encoded_length(value)).sum();
        let mut encoded = Zeroizing::new(Vec::with_capacity(length));
        for (name, value) in pairs() {
            if !encoded.is_empty() {
                encoded.push(b'&');
            }
            encoded.extend_from_slice(name.as_bytes());
            encoded.push(b'=');
            encode_into(value, &mut encoded);
        }
        Bytes::from_owner(encoded)
    }
}

impl fmt::Debug for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.fields.iter().map(|(name, _)| name)).finish()
    }
}

// === impl Value ===

impl Value {
    fn text(&self) -> &str {
        match self {
            Self::Plain(text) => text,
            Self::Secret(text) => text.expose_secret(),
        }
    }
}

/// How long `text` is when it is encoded.
pub(super) fn encoded_length(text: &str) -> usize {
    text.bytes().map(|byte| if byte == b' ' || stands_for_itself(byte) { 1 } else { 3 }).sum()
}

/// Appends `text`, encoded: letters, digits and `*-._` stand for themselves, `+` is a space, and everything else is
/// `%XX` for each byte of its UTF-8 (WHATWG URL, §5.2).
pub(super) fn encode_into(text: &str, encoded: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let digit = |value: u8| DIGITS.get(usize::from(value)).copied().unwrap_or_default();
    for byte in text.bytes() {
        match byte {
            b' ' => encoded.push(b'+'),
            byte if stands_for_itself(byte) => encoded.push(byte),
            byte => encoded.extend_from_slice(&[b'%', digit(byte >> 4), digit(byte & 0xf)]),
        }
    }
}

fn stands_for_itself(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"*-._".contains(&byte)
}

#[cfg(test)]
mod tests;
