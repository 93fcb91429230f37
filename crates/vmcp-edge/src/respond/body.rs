//! The body of every response.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use crate::front::{ChannelBody, LoneBody};
use crate::listen::link::{Exchange, Hold};
use crate::relay::{EventsBody, PartsBody};

/// What a client gets.
pub(crate) struct ReplyBody {
    content: Content,
    /// Until the last byte is handed on, the connection is busy.
    exchange: Option<Exchange>,
    hold: Option<Hold>,
}

enum Content {
    /// In memory; the length is known.
    Whole(Option<Bytes>),
    /// One long message.
    Parts(PartsBody),
    /// An event stream.
    Events(EventsBody),
    /// What a client without a session gets: its end is the end of the call.
    Lone(LoneBody),
    /// The one stream of a session; its end is the session's.
    Channel(ChannelBody),
}

/// The body stopped where it must not: the connection is broken off, so that nobody takes it for complete.
#[derive(Debug, thiserror::Error)]
#[error("the response was cut off")]
pub(crate) struct Cut;

// === impl ReplyBody ===

impl ReplyBody {
    pub(crate) fn whole(bytes: Bytes) -> Self {
        Self::new(Content::Whole((!bytes.is_empty()).then_some(bytes)))
    }

    pub(crate) fn parts(parts: PartsBody) -> Self {
        Self::new(Content::Parts(parts))
    }

    pub(crate) fn events(events: EventsBody) -> Self {
        Self::new(Content::Events(events))
    }

    pub(crate) fn lone(lone: LoneBody) -> Self {
        Self::new(Content::Lone(lone))
    }

    pub(crate) fn channel(channel: ChannelBody) -> Self {
        Self::new(Content::Channel(channel))
    }

    fn new(content: Content) -> Self {
        Self { content, exchange: None, hold: None }
    }

    /// Keeps the exchange open as long as the body lives, and the connection as long as a client that has
    /// closed its sending half may still want it. A stream for messages outside calls ends with its client.
    pub(crate) fn tie(&mut self, exchange: Exchange, hold: Option<Hold>) {
        let outside = match &self.content {
            Content::Events(events) => !events.is_answer(),
            Content::Channel(_) => true,
            Content::Whole(_) | Content::Parts(_) | Content::Lone(_) => false,
        };
        self.exchange = Some(exchange);
        self.hold = hold.filter(|_| !outside);
    }

    fn release(&mut self) {
        self.exchange = None;
        self.hold = None;
    }
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        let body = self.get_mut();
        let poll = match &mut body.content {
            Content::Whole(bytes) => Poll::Ready(bytes.take().map(Ok)),
            Content::Parts(parts) => parts.poll_next(cx),
            Content::Lone(lone) => lone.poll_next(cx),
            Content::Channel(channel) => channel.poll_next(cx).map(|next| next.map(Ok)),
            Content::Events(events) => {
                events.poll_next(cx, body.hold.as_ref().is_some_and(Hold::is_needed))
            }
        };
        if matches!(poll, Poll::Ready(None | Some(Err(_)))) {
            body.release();
        }
        poll.map(|next| next.map(|bytes| bytes.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.content, Content::Whole(None))
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Whole(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            Content::Parts(_) | Content::Events(_) | Content::Lone(_) | Content::Channel(_) => {
                SizeHint::default()
            }
        }
    }
}
