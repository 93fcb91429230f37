//! What a `WWW-Authenticate` header asks for (RFC 9110, §11.6.1).
//!
//! The grammar is ambiguous to the eye: commas separate challenges and also the parameters within one, and one
//! field may hold what another server sends in several. So there is one pass over the fields as if they were one
//! list, and a word begins a challenge unless a `=` makes it a parameter of the one before.
//!
//! Servers send what they like. What cannot be read is left out up to the next comma, and the rest counts;
//! values that lack their quotes are taken up to the next blank or comma. A parameter that a challenge has
//! twice with different values has none: nobody may choose the one that suits.
//!
//! Invariants: linear in the input, at most [`MAX_BYTES`] of it are looked at; never a panic.

use http::HeaderMap;
use http::header::WWW_AUTHENTICATE;

/// Bytes of all fields that are looked at.
const MAX_BYTES: usize = 16 * 1024;
/// Challenges that are kept.
const MAX_CHALLENGES: usize = 16;
/// Parameters that are kept of one challenge.
const MAX_PARAMETERS: usize = 32;

/// One challenge: a scheme, and either a token or parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    scheme: String,
    token: Option<String>,
    parameters: Vec<(String, Parameter)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Parameter {
    Value(String),
    /// There were several, and they differ.
    Contradictory,
}

// === impl Challenge ===

impl Challenge {
    /// All challenges of a response, in their order. Never fails: what is no challenge is left out.
    pub fn parse_all(headers: &HeaderMap) -> Vec<Self> {
        let mut reader = Reader::default();
        let mut left = MAX_BYTES;
        for value in headers.get_all(WWW_AUTHENTICATE) {
            let bytes = value.as_bytes();
            let Some(bytes) = bytes.get(..bytes.len().min(left)) else { break };
            left -= bytes.len();
            reader.field(bytes);
        }
        reader.challenges
    }

    /// The first challenge of scheme `Bearer` (RFC 6750), the one that has most to say first: servers with several
    /// often repeat a bare one.
    pub fn bearer(headers: &HeaderMap) -> Option<Self> {
        let mut bearers: Vec<Self> =
            Self::parse_all(headers).into_iter().filter(|one| one.is("bearer")).collect();
        let told = bearers.iter().position(|one| {
            one.parameter("resource_metadata").is_some() || one.parameter("scope").is_some()
        });
        (!bearers.is_empty()).then(|| bearers.swap_remove(told.unwrap_or_default()))
    }

    /// The scheme in lower case.
    pub fn scheme(&self) -> &str {
        &self.scheme
    }

    /// Whether the scheme is `scheme`; case does not matter.
    pub fn is(&self, scheme: &str) -> bool {
        self.scheme.eq_ignore_ascii_case(scheme)
    }

    /// What stands there instead of parameters (`token68`), as `Negotiate` does.
    pub fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// The value of a parameter, quotes and escapes removed; case of the name does not matter. `None` also if there
    /// are several that differ.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        let (_, value) = self.parameters.iter().find(|(key, _)| key.eq_ignore_ascii_case(name))?;
        match value {
            Parameter::Value(value) => Some(value),
            Parameter::Contradictory => None,
        }
    }

    fn new(scheme: &[u8]) -> Self {
        Self { scheme: lower(scheme), token: None, parameters: Vec::new() }
    }

    fn add(&mut self, name: &[u8], value: String) {
        let name = lower(name);
        let value = Parameter::Value(value);
        let full = self.parameters.len() >= MAX_PARAMETERS;
        match self.parameters.iter_mut().find(|(key, _)| *key == name) {
            Some((_, known)) if *known == value => {}
            Some((_, known)) => *known = Parameter::Contradictory,
            None if full => {}
            None => self.parameters.push((name, value)),
        }
    }
}

/// What has been read so far.
#[derive(Default)]
struct Reader {
    challenges: Vec<Challenge>,
    /// A challenge over the bound is read over, parameters included.
    full: bool,
}

// === impl Reader ===

impl Reader {
    fn field(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        loop {
            rest = skip(rest, |byte| is_blank(byte) || byte == b',');
            if rest.is_empty() {
                return;
            }
            let (word, after) = split(rest, is_token);
            rest = if word.is_empty() { skip_garbage(rest) } else { self.word(word, after) };
        }
    }

    /// Reads what `word` begins; gives what is left.
    fn word<'b>(&mut self, word: &[u8], after: &'b [u8]) -> &'b [u8] {
        let blank = skip(after, is_blank);
        if let Some(value) = blank.strip_prefix(b"=") {
            let (value, rest) = read_value(skip(value, is_blank));
            if let Some(challenge) = self.challenges.last_mut().filter(|_| !self.full) {
                challenge.add(word, value);
            }
            return rest;
        }
        self.full = self.challenges.len() >= MAX_CHALLENGES;
        let mut challenge = Challenge::new(word);
        let mut rest = after;
        // A scheme is told from its token by a blank.
        if blank.len() < after.len()
            && let Some((token, left)) = read_token68(blank)
        {
            challenge.token = Some(text(token));
            rest = left;
        }
        if !self.full {
            self.challenges.push(challenge);
        }
        rest
    }
}

/// A quoted string without its quotes, or what stands up to the next blank or comma.
fn read_value(bytes: &[u8]) -> (String, &[u8]) {
    let Some(mut rest) = bytes.strip_prefix(b"\"") else {
        let (value, rest) = split(bytes, |byte| !is_blank(byte) && byte != b',');
        return (text(value), rest);
    };
    let mut value = Vec::new();
    loop {
        rest = match rest {
            [] => break,
            [b'"', left @ ..] => {
                rest = left;
                break;
            }
            [b'\\', escaped, left @ ..] => {
                value.push(*escaped);
                left
            }
            [byte, left @ ..] => {
                value.push(*byte);
                left
            }
        };
    }
    (text(&value), rest)
}

/// A token that stands alone up to the next comma. A word with `=` in its middle is a parameter instead.
fn read_token68(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let is_token68 = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
    let (word, rest) = split(bytes, is_token68);
    let (_, rest) = split(rest, |byte| byte == b'=');
    let ends = skip(rest, is_blank).first().is_none_or(|byte| *byte == b',');
    let token = bytes.get(..bytes.len() - rest.len())?;
    (!word.is_empty() && ends).then_some((token, rest))
}

/// Up to the next comma that is not in a quoted string.
fn skip_garbage(bytes: &[u8]) -> &[u8] {
    let mut rest = bytes;
    loop {
        rest = match rest {
            [] | [b',', ..] => return rest,
            [b'"', ..] => read_value(rest).1,
            [_, left @ ..] => left,
        };
    }
}

fn split(bytes: &[u8], keep: impl Fn(u8) -> bool) -> (&[u8], &[u8]) {
    let end = bytes.iter().position(|byte| !keep(*byte)).unwrap_or(bytes.len());
    bytes.split_at(end)
}

fn skip(bytes: &[u8], over: impl Fn(u8) -> bool) -> &[u8] {
    split(bytes, over).1
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// RFC 9110, §5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

fn lower(bytes: &[u8]) -> String {
    text(bytes).to_ascii_lowercase()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests;
