//! What stands on a stream, and how it is written.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use vmcp_wire::sse::{self, EventHead};
use vmcp_wire::{Message, RawId};

/// What a stream is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// One call.
    Call,
    /// Messages outside calls.
    Standalone,
}

/// One thing on a stream.
#[derive(Debug, Clone)]
pub(crate) enum Item {
    /// An id to resume from before anything happened.
    Prime(Duration),
    /// A notification: dropped when there are too many.
    Notice(Bytes),
    /// A request to the client, or anything else that must not be dropped.
    Firm(Bytes),
    /// The response to the client's request with this id.
    Response(RawId, Bytes),
    /// The start of a response that comes in parts.
    Begin(RawId),
    /// A part of it.
    Part(Bytes),
    /// Its end.
    Finish,
}

/// The name of an event: `c3.7` is event 7 of stream 3, a call's; `g` stands for a GET stream.
///
/// Names mean something within one session only, and are looked up there only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EventId {
    pub(crate) kind: Kind,
    pub(crate) stream: u32,
    pub(crate) seq: u64,
}

// === impl Item ===

impl Item {
    /// A notification, copied: a slice would keep the whole chunk alive that it was read from.
    pub(crate) fn notice(message: &Message) -> Self {
        Self::Notice(Bytes::copy_from_slice(message.bytes()))
    }

    /// Whether it may be dropped when there is too much.
    pub(super) fn is_notice(&self) -> bool {
        matches!(self, Self::Notice(_))
    }

    /// Whether it may be read again after it was taken.
    pub(super) fn is_kept(&self) -> bool {
        !matches!(self, Self::Begin(_) | Self::Part(_) | Self::Finish)
    }

    /// Whether it begins an event, and so gets a number.
    pub(super) fn begins(&self) -> bool {
        !matches!(self, Self::Part(_) | Self::Finish)
    }

    /// What it costs to hold.
    pub(super) fn size(&self) -> usize {
        const OVERHEAD: usize = 64;
        OVERHEAD
            + match self {
                Self::Notice(bytes)
                | Self::Firm(bytes)
                | Self::Response(_, bytes)
                | Self::Part(bytes) => bytes.len(),
                Self::Prime(_) | Self::Begin(_) | Self::Finish => 0,
            }
    }

    /// The bytes on the wire.
    pub(super) fn encode(&self, id: EventId) -> Bytes {
        let id = || id.to_string();
        match self {
            Self::Prime(retry) => sse::priming(&id(), Some(*retry)),
            Self::Notice(json) | Self::Firm(json) | Self::Response(_, json) => {
                EventHead { id: Some(&id()), ..EventHead::default() }.whole(json)
            }
            Self::Begin(_) => EventHead { id: Some(&id()), ..EventHead::default() }.begin(),
            Self::Part(bytes) => sse::part(bytes.clone()),
            Self::Finish => sse::end(),
        }
    }
}

// === impl EventId ===

impl EventId {
    /// Reads an id that was once given out, or looks like one.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let kind = match text.as_bytes().first()? {
            b'c' => Kind::Call,
            b'g' => Kind::Standalone,
            _ => return None,
        };
        let (stream, seq) = text[1..].split_once('.')?;
        let plain = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
        if !plain(stream) || !plain(seq) {
            return None;
        }
        Some(Self { kind, stream: stream.parse().ok()?, seq: seq.parse().ok()? })
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            Kind::Call => 'c',
            Kind::Standalone => 'g',
        };
        write!(f, "{kind}{}.{}", self.stream, self.seq)
    }
}
