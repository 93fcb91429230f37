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
    pub(super) fn scan(mut self, chunk: &[u8], at: &mut usize) -> Self {
        while let Some(next) = chunk.get(*at).and_then(|&byte| self.step(byte)) {
            self = next;
            *at += 1;
        }
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
