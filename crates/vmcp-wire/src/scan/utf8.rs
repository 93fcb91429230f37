//! UTF-8 validation across chunks.

/// The unfinished character at the end of the bytes so far, if any.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Utf8 {
    /// How many continuation bytes are missing.
    missing: u8,
    /// What the next one must lie between; tighter than usual after some first bytes, which is
    /// how overlong forms, surrogates and code points beyond U+10FFFF are kept out.
    low: u8,
    high: u8,
}

impl Utf8 {
    /// Whether a character is unfinished.
    pub(super) fn is_open(self) -> bool {
        self.missing > 0
    }

    /// Takes the next bytes of a string. On error gives the index of the first bad byte.
    pub(super) fn take(&mut self, mut bytes: &[u8]) -> Result<(), usize> {
        let mut used = 0;
        while self.missing > 0 {
            let Some((&byte, rest)) = bytes.split_first() else { return Ok(()) };
            if !(self.low..=self.high).contains(&byte) {
                return Err(used);
            }
            (self.low, self.high) = (0x80, 0xbf);
            self.missing -= 1;
            used += 1;
            bytes = rest;
        }
        match std::str::from_utf8(bytes) {
            Ok(_) => Ok(()),
            Err(error) if error.error_len().is_some() => Err(used + error.valid_up_to()),
            Err(error) => {
                self.leave_open(&bytes[error.valid_up_to()..]);
                Ok(())
            }
        }
    }

    /// Remembers the valid start of a character.
    fn leave_open(&mut self, start: &[u8]) {
        let (width, low, high) = match start[0] {
            0xc2..=0xdf => (2, 0x80, 0xbf),
            0xe0 => (3, 0xa0, 0xbf),
            0xed => (3, 0x80, 0x9f),
            0xe1..=0xef => (3, 0x80, 0xbf),
            0xf0 => (4, 0x90, 0xbf),
            0xf4 => (4, 0x80, 0x8f),
            _ => (4, 0x80, 0xbf),
        };
        self.missing = width - start.len() as u8;
        (self.low, self.high) = if start.len() == 1 { (low, high) } else { (0x80, 0xbf) };
    }
}
