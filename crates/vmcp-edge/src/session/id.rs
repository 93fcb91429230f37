//! Ids of client sessions: unguessable, visible ASCII.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// 192 random bits.
const BYTES: usize = 24;
/// Their length in base64.
const TEXT: usize = BYTES / 3 * 4;

/// The id of one client session. It finds a session; it proves nothing about the caller.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct SessionId([u8; BYTES]);

// === impl SessionId ===

impl SessionId {
    /// A new id from the system's randomness.
    pub(crate) fn random() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; BYTES];
        getrandom::fill(&mut bytes)?;
        Ok(Self(bytes))
    }

    /// Reads the only spelling of an id.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; BYTES];
        if text.len() != TEXT {
            return None;
        }
        let length = URL_SAFE_NO_PAD.decode_slice(text, &mut bytes).ok()?;
        (length == BYTES).then_some(Self(bytes))
    }

    /// The spelling.
    pub(crate) fn text(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }
}

impl fmt::Debug for SessionId {
    /// A log must not hand out sessions: only enough to tell two apart.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionId({:02x}{:02x}…)", self.0[0], self.0[1])
    }
}

#[cfg(test)]
mod tests {
    use super::SessionId;

    #[test]
    fn an_id_reads_back_and_has_one_spelling() {
        let id = SessionId::random().map(|id| (id, id.text()));
        let Ok((id, text)) = id else { return };
        assert!(text.bytes().all(|byte| (0x21..=0x7e).contains(&byte)));
        assert_eq!(SessionId::parse(&text), Some(id));
        assert_eq!(SessionId::parse(&text[1..]), None);
        assert_eq!(SessionId::parse(&format!("{text}=")), None);
        assert_eq!(SessionId::parse(&"!".repeat(text.len())), None);
        assert!(!format!("{id:?}").contains(&text));
    }
}
