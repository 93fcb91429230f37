//! Cursors: opaque to clients, self-describing to every vmcp with the same configuration. No state is kept.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::naming::conflict::Capability;

const VERSION: u8 = 1;
const BYTES: usize = 2 + 8 + 4 + 4 + 8;

/// A place in a list. Of constant size, whatever the names in the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cursor {
    /// Which list.
    pub kind: Capability,
    /// The list it was made for.
    pub digest: u64,
    /// Items before it.
    pub offset: u32,
    /// Items in that list.
    pub total: u32,
    /// The hash of the last key before it.
    pub last: u64,
}

// === impl Cursor ===

impl Cursor {
    /// Reads one; `None` if it is not ours.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; BYTES + 2];
        let length = URL_SAFE_NO_PAD.decode_slice(text, &mut bytes).ok()?;
        if length != BYTES || bytes[0] != VERSION {
            return None;
        }
        Some(Self {
            kind: kind_of(bytes[1])?,
            digest: u64::from_be_bytes(bytes[2..10].try_into().ok()?),
            offset: u32::from_be_bytes(bytes[10..14].try_into().ok()?),
            total: u32::from_be_bytes(bytes[14..18].try_into().ok()?),
            last: u64::from_be_bytes(bytes[18..26].try_into().ok()?),
        })
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = [0; BYTES];
        bytes[0] = VERSION;
        bytes[1] = byte_of(self.kind);
        bytes[2..10].copy_from_slice(&self.digest.to_be_bytes());
        bytes[10..14].copy_from_slice(&self.offset.to_be_bytes());
        bytes[14..18].copy_from_slice(&self.total.to_be_bytes());
        bytes[18..26].copy_from_slice(&self.last.to_be_bytes());
        f.write_str(&URL_SAFE_NO_PAD.encode(bytes))
    }
}

fn byte_of(kind: Capability) -> u8 {
    match kind {
        Capability::Tool => b't',
        Capability::Prompt => b'p',
        Capability::Resource => b'r',
        Capability::Template => b'x',
    }
}

fn kind_of(byte: u8) -> Option<Capability> {
    match byte {
        b't' => Some(Capability::Tool),
        b'p' => Some(Capability::Prompt),
        b'r' => Some(Capability::Resource),
        b'x' => Some(Capability::Template),
        _ => None,
    }
}
