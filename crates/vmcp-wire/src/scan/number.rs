//! The grammar of numbers. Their value is nobody's business here.

/// How far a number has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Number {
    Minus,
    Zero,
    Integer,
    Point,
    Fraction,
    Exponent,
    ExponentSign,
    ExponentDigits,
}

impl Number {
    /// The state after the first byte of a number.
    pub(super) fn start(byte: u8) -> Option<Self> {
        match byte {
            b'-' => Some(Self::Minus),
            b'0' => Some(Self::Zero),
            b'1'..=b'9' => Some(Self::Integer),
            _ => None,
        }
    }

    /// Whether the number is complete when nothing more comes.
    pub(super) fn may_end(self) -> bool {
        matches!(self, Self::Zero | Self::Integer | Self::Fraction | Self::ExponentDigits)
    }

    /// Moves `at` to the first byte that does not belong to the number.
    #[inline]
    pub(super) fn scan(mut self, chunk: &[u8], at: &mut usize) -> Self {
        let mut here = *at;
        loop {
            if matches!(self, Self::Integer | Self::Fraction | Self::ExponentDigits) {
                while chunk.get(here).is_some_and(u8::is_ascii_digit) {
                    here += 1;
                }
            }
            match chunk.get(here).and_then(|&byte| self.step(byte)) {
                Some(next) => self = next,
                None => break,
            }
            here += 1;
        }
        *at = here;
        self
    }

    fn step(self, byte: u8) -> Option<Self> {
        match (self, byte) {
            (Self::Integer, b'0'..=b'9') => Some(Self::Integer),
            (Self::Fraction | Self::Point, b'0'..=b'9') => Some(Self::Fraction),
            (Self::Minus, b'0') => Some(Self::Zero),
            (Self::Minus, b'1'..=b'9') => Some(Self::Integer),
            (Self::Zero | Self::Integer, b'.') => Some(Self::Point),
            (Self::Zero | Self::Integer | Self::Fraction, b'e' | b'E') => Some(Self::Exponent),
            (Self::Exponent, b'+' | b'-') => Some(Self::ExponentSign),
            (Self::Exponent | Self::ExponentSign | Self::ExponentDigits, b'0'..=b'9') => {
                Some(Self::ExponentDigits)
            }
            _ => None,
        }
    }
}

/// Where a number without an exponent ends, when this chunk shows it.
#[inline(always)]
pub(super) fn short(chunk: &[u8], from: usize) -> Option<usize> {
    let start = from + usize::from(chunk.get(from) == Some(&b'-'));
    let mut at = digits(chunk, start);
    if at == start || chunk[start] == b'0' && at > start + 1 {
        return None;
    }
    if chunk.get(at) == Some(&b'.') {
        let point = at + 1;
        at = digits(chunk, point);
        if at == point {
            return None;
        }
    }
    match chunk.get(at)? {
        b'e' | b'E' => None,
        _ => Some(at),
    }
}

#[inline(always)]
fn digits(chunk: &[u8], from: usize) -> usize {
    let mut at = from;
    while chunk.get(at).is_some_and(u8::is_ascii_digit) {
        at += 1;
    }
    at
}
