//! The names of the envelope members, in every spelling.

use crate::text;

/// A member of the envelope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Slot {
    Jsonrpc,
    Id,
    Method,
    Params,
    Result,
    Error,
}

impl Slot {
    pub(crate) const COUNT: usize = 6;

    /// Longest spelling of a name: each letter of `jsonrpc` as an escape, and the quotes.
    pub(super) const LONGEST_KEY: usize = 7 * 6 + 2;

    const NAMES: [(&'static str, Self); Self::COUNT] = [
        ("jsonrpc", Self::Jsonrpc),
        ("id", Self::Id),
        ("method", Self::Method),
        ("params", Self::Params),
        ("result", Self::Result),
        ("error", Self::Error),
    ];
}

/// What a key means to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Name {
    Known(Slot),
    /// One of ours in another letter case.
    Lookalike,
    Other,
}

impl Name {
    /// Reads a key, quotes included.
    pub(super) fn of(token: &[u8]) -> Self {
        match token {
            br#""jsonrpc""# => Self::Known(Slot::Jsonrpc),
            br#""id""# => Self::Known(Slot::Id),
            br#""method""# => Self::Known(Slot::Method),
            br#""params""# => Self::Known(Slot::Params),
            br#""result""# => Self::Known(Slot::Result),
            br#""error""# => Self::Known(Slot::Error),
            _ if token.len() > Slot::LONGEST_KEY => Self::Other,
            _ => Self::of_unusual(token),
        }
    }

    fn of_unusual(token: &[u8]) -> Self {
        let Some(key) = text::decode(token) else { return Self::Other };
        for (name, slot) in Slot::NAMES {
            if key == name {
                return Self::Known(slot);
            }
            if text::folds_to(&key, name) {
                return Self::Lookalike;
            }
        }
        Self::Other
    }
}
