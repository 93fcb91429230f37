//! Ids and progress tokens exactly as their owner spelled them.

use std::fmt;
use std::hash::{Hash, Hasher};

use bytes::Bytes;

use crate::WireError;
use crate::scan::{Mark, Scanner};

#[cfg(test)]
mod tests;

/// Tokens up to this length are stored in place.
const INLINE: usize = 23;

/// The JSON token of an id or progress token: a string or an integer, spelled as it came.
///
/// Two ids are equal when they are spelled the same, so `1` and `1.0` are two ids. An id never
/// shares memory with the message it was read from: it may be kept without keeping the message.
#[derive(Clone)]
pub struct RawId(Token);

#[derive(Clone)]
enum Token {
    Inline { length: u8, bytes: [u8; INLINE] },
    Shared(Bytes),
}

impl RawId {
    /// Longest token that is taken, in bytes.
    pub const MAX_BYTES: usize = 4096;

    /// The id `n`.
    #[must_use]
    pub fn number(n: u64) -> Self {
        let mut digits = [0; 20];
        let mut start = digits.len();
        let mut rest = n;
        loop {
            start -= 1;
            digits[start] = b'0' + (rest % 10) as u8;
            rest /= 10;
            if rest == 0 {
                return Self::copy(&digits[start..]);
            }
        }
    }

    /// Takes a JSON token, quotes included when it is a string.
    ///
    /// # Errors
    /// When it is neither a JSON string nor an integral JSON number, or too long.
    pub fn from_token(token: &[u8]) -> Result<Self, WireError> {
        let mut scanner = Scanner::new(1);
        let mut at = 0;
        while scanner.next(token, &mut at)? != Mark::Starved {}
        scanner.finish()?;
        if token.trim_ascii().len() < token.len() {
            return Err(WireError::Invalid("whitespace around an id"));
        }
        Self::from_valid(token)
    }

    /// Takes a token that a scanner has accepted.
    pub(crate) fn from_valid(token: &[u8]) -> Result<Self, WireError> {
        if token.len() > Self::MAX_BYTES {
            return Err(WireError::TooLarge { limit: Self::MAX_BYTES as u64 });
        }
        match token.first() {
            Some(b'"') => Ok(Self::copy(token)),
            Some(b'-' | b'0'..=b'9') if is_integral(token) => Ok(Self::copy(token)),
            _ => Err(WireError::Invalid("an id must be a string or an integer")),
        }
    }

    /// The token, ready to be written into JSON.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Token::Inline { length, bytes } => &bytes[..usize::from(*length)],
            Token::Shared(bytes) => bytes,
        }
    }

    /// The value, when it is a number that fits. `7.0` is 7: some languages have floats only.
    #[must_use]
    pub fn as_u64(&self) -> Option<u64> {
        let text = std::str::from_utf8(self.as_bytes()).ok()?;
        let digits = match text.split_once('.') {
            Some((digits, zeros)) if zeros.bytes().all(|byte| byte == b'0') => digits,
            _ => text,
        };
        digits.parse().ok()
    }

    fn copy(token: &[u8]) -> Self {
        let mut bytes = [0; INLINE];
        match bytes.get_mut(..token.len()) {
            Some(place) => {
                place.copy_from_slice(token);
                Self(Token::Inline { length: token.len() as u8, bytes })
            }
            None => Self(Token::Shared(Bytes::copy_from_slice(token))),
        }
    }
}

/// Whether a JSON number has no fractional part, whatever its spelling: `1.50e1` has none.
fn is_integral(token: &[u8]) -> bool {
    if token.iter().all(u8::is_ascii_digit) {
        return true;
    }
    let text = std::str::from_utf8(token).unwrap_or_default();
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = whole.trim_start_matches('-').bytes().chain(fraction.bytes());
    // An exponent beyond i64 is as good as infinite, in its direction.
    let beyond = if exponent.starts_with('-') { i64::MIN } else { i64::MAX };
    let exponent = exponent.parse::<i64>().unwrap_or(beyond);
    let point = i64::try_from(fraction.len()).unwrap_or(i64::MAX).saturating_sub(exponent);
    let behind_point = usize::try_from(point).unwrap_or(0);
    digits.rev().take(behind_point).all(|digit| digit == b'0')
}

// === impl Eq, Hash, Debug ===

impl PartialEq for RawId {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for RawId {}

impl Hash for RawId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_bytes().hash(state);
    }
}

impl fmt::Debug for RawId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RawId({})", String::from_utf8_lossy(self.as_bytes()))
    }
}
