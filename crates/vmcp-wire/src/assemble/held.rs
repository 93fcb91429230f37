//! Bytes that wait for the rest of their message.

use bytes::{Bytes, BytesMut};

/// The chunks so far. One chunk stays as it is, more are joined: a peer that sends byte by byte
/// must not make us keep a buffer per byte.
#[derive(Debug)]
pub(super) enum Held {
    One(Bytes),
    Joined(BytesMut),
}

impl Held {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::One(bytes) => bytes.len(),
            Self::Joined(bytes) => bytes.len(),
        }
    }

    pub(super) fn push(&mut self, chunk: Bytes) {
        match self {
            Self::One(first) if first.is_empty() => *first = chunk,
            Self::One(first) => {
                let mut joined = BytesMut::with_capacity(first.len() + chunk.len());
                joined.extend_from_slice(first);
                joined.extend_from_slice(&chunk);
                *self = Self::Joined(joined);
            }
            Self::Joined(joined) => joined.extend_from_slice(&chunk),
        }
    }

    pub(super) fn into_bytes(self) -> Bytes {
        match self {
            Self::One(bytes) => bytes,
            Self::Joined(bytes) => bytes.freeze(),
        }
    }
}

impl Default for Held {
    fn default() -> Self {
        Self::One(Bytes::new())
    }
}
