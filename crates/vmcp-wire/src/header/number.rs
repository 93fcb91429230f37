//! Numbers compared by what they are, not by how they are spelled, and never by way of a float.

/// The largest integer that every reader of JSON gets right: 2^53 - 1.
const SAFE: u64 = (1 << 53) - 1;

/// A decimal number: `digits` times ten to the `exponent`, without zeros at either end of the digits.
#[derive(Debug, PartialEq, Eq)]
struct Decimal<'a> {
    negative: bool,
    /// The digits before and after the point.
    digits: (&'a [u8], &'a [u8]),
    exponent: i64,
}

/// Whether two texts are numbers of JSON's grammar and equal.
pub(super) fn equal(one: &[u8], other: &[u8]) -> bool {
    match (Decimal::parse(one), Decimal::parse(other)) {
        (Some(one), Some(other)) => one.equals(&other),
        _ => false,
    }
}

/// The usual spelling of a number that is an integer and safe; `None` for others.
pub(super) fn integer(token: &[u8]) -> Option<i64> {
    let number = Decimal::parse(token)?;
    let mut value: u64 = 0;
    for digit in number.all() {
        value = value.checked_mul(10)?.checked_add(u64::from(digit - b'0'))?;
    }
    let zeros = if value == 0 { 0 } else { u32::try_from(number.exponent).ok()? };
    let value = value.checked_mul(10_u64.checked_pow(zeros)?).filter(|value| *value <= SAFE)?;
    let value = i64::try_from(value).ok()?;
    Some(if number.negative { -value } else { value })
}

// === impl Decimal ===

impl<'a> Decimal<'a> {
    fn parse(token: &'a [u8]) -> Option<Self> {
        let (negative, rest) = match token.strip_prefix(b"-") {
            Some(rest) => (true, rest),
            None => (false, token),
        };
        let (whole, rest) = digits(rest);
        if whole.is_empty() || (whole.len() > 1 && whole.starts_with(b"0")) {
            return None;
        }
        let (part, rest) = match rest.strip_prefix(b".") {
            Some(rest) => Some(digits(rest)).filter(|(part, _)| !part.is_empty())?,
            None => (&b""[..], rest),
        };
        let exponent = match rest {
            [] => 0,
            [b'e' | b'E', rest @ ..] => power(rest)?,
            _ => return None,
        };
        Some(Self::trimmed(negative, whole, part, exponent))
    }

    fn trimmed(negative: bool, whole: &'a [u8], part: &'a [u8], exponent: i64) -> Self {
        let length = |digits: &[u8]| i64::try_from(digits.len()).unwrap_or(i64::MAX);
        let mut exponent = exponent.saturating_sub(length(part));
        let (mut whole, mut part) = (whole, part);
        while let [rest @ .., b'0'] = part {
            part = rest;
            exponent = exponent.saturating_add(1);
        }
        while let ([rest @ .., b'0'], true) = (whole, part.is_empty()) {
            whole = rest;
            exponent = exponent.saturating_add(1);
        }
        whole = whole.strip_prefix(b"0").unwrap_or(whole);
        while let (true, [b'0', rest @ ..]) = (whole.is_empty(), part) {
            part = rest;
        }
        if whole.is_empty() && part.is_empty() {
            return Self { negative: false, digits: (b"", b""), exponent: 0 };
        }
        Self { negative, digits: (whole, part), exponent }
    }

    fn all(&self) -> impl Iterator<Item = u8> {
        self.digits.0.iter().chain(self.digits.1).copied()
    }

    fn equals(&self, other: &Self) -> bool {
        self.negative == other.negative
            && self.exponent == other.exponent
            && self.all().eq(other.all())
    }
}

fn digits(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    text.split_at(end)
}

/// The number behind an `e`. One that is too large to be told from others is as large as can be.
fn power(text: &[u8]) -> Option<i64> {
    let (negative, text) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let value = text.iter().fold(0_i64, |value, digit| {
        value.saturating_mul(10).saturating_add(i64::from(digit - b'0'))
    });
    // Far from the ends, so that lengths of digits can be added to it without meeting them.
    let value = value.min(i64::MAX / 2);
    Some(if negative { -value } else { value })
}

#[cfg(test)]
mod tests {
    use super::{equal, integer};

    #[test]
    fn compares_values() {
        for (one, other) in [
            ("42", "42.0"),
            ("42", "4.2e1"),
            ("42", "420E-1"),
            ("0", "-0.00e9"),
            ("100", "1e2"),
            ("0.001", "1e-3"),
            ("10.10", "10.1"),
            ("-7", "-7"),
            ("123456789012345678901234567890", "12345678901234567890123456789e1"),
        ] {
            assert!(equal(one.as_bytes(), other.as_bytes()), "{one} {other}");
        }
        for (one, other) in [
            ("42", "43"),
            ("42", "-42"),
            ("42", "420"),
            ("9007199254740993", "9007199254740992"),
            ("1e400", "1e401"),
            ("42", "+42"),
            ("42", "042"),
            ("42", "42."),
            ("42", " 42"),
            ("42", ""),
            ("0", "-"),
            ("0.5", ".5"),
            ("1", "1e"),
            ("x", "x"),
        ] {
            assert!(!equal(one.as_bytes(), other.as_bytes()), "{one} {other}");
        }
    }

    #[test]
    fn spells_safe_integers_as_usual() {
        for (token, value) in [
            ("42", Some(42)),
            ("-7", Some(-7)),
            ("42.0", Some(42)),
            ("1e3", Some(1000)),
            ("-0", Some(0)),
            ("9007199254740991", Some(9_007_199_254_740_991)),
            ("9007199254740992", None),
            ("1e400", None),
            ("0e999999999999999999999", Some(0)),
            ("0.5", None),
            ("12.50", None),
        ] {
            assert_eq!(integer(token.as_bytes()), value, "{token}");
        }
    }
}
