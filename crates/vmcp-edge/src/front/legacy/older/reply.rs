//! A reply as its client gets it.

use std::pin::Pin;

use vmcp_backend::{CallError, Event, Parts, Response};
use vmcp_wire::revision::Revision;
use vmcp_wire::{Message, method};

use super::results::Kind;
use super::{Older, lists, untyped};

/// The reply to one call, in words of the client's revision. Dropping it before its end takes the call back.
pub(crate) struct Reply {
    /// Whether the backend answers with an event stream.
    pub(crate) streamed: bool,
    inner: vmcp_gateway::Reply,
    older: Older,
    work: Work,
    /// A long response that is held to be looked through.
    held: Option<Held>,
}

type Held = Pin<Box<dyn Future<Output = Result<Message, CallError>> + Send>>;

/// What may have to be done to the response.
#[derive(Debug, Clone, Copy)]
struct Work {
    /// It is a page of the list of tools.
    tools: bool,
    /// It is the result of a tool.
    tool: bool,
    /// It has content that the client may not know.
    content: Option<Kind>,
    /// It says of what kind it is.
    typed: bool,
}

// === impl Reply ===

impl Reply {
    pub(super) fn new(older: Older, method: &str, inner: vmcp_gateway::Reply) -> Self {
        let work = Work {
            tools: method == method::TOOLS_LIST,
            tool: method == method::TOOLS_CALL,
            content: Kind::of(older.revision, method),
            typed: inner.typed,
        };
        Self { streamed: inner.streamed, inner, older, work, held: None }
    }

    /// The next thing that comes back; `None` after the last.
    ///
    /// # Cancel safety
    /// Safe: a dropped future loses nothing, the next call goes on where it stood.
    pub(crate) async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(held) = &mut self.held {
                let whole = held.as_mut().await;
                self.held = None;
                return Some(match whole {
                    Ok(message) => {
                        // It went by the gateway in parts.
                        self.inner.learn(&message);
                        Event::Response(self.whole(message))
                    }
                    Err(error) => Event::Failed(error),
                });
            }
            match self.inner.next().await? {
                Event::Notification(message) if !self.older.hears(&message) => {}
                Event::Response(Response::Parts(parts)) if self.holds() => {
                    self.held = Some(self.hold(parts));
                }
                Event::Response(Response::Whole(message)) => {
                    return Some(Event::Response(self.whole(message)));
                }
                Event::Response(Response::Made(page)) if self.work.tools => {
                    let page = lists::convert(self.older.revision, page);
                    return Some(Event::Response(Response::Made(page)));
                }
                event => return Some(event),
            }
        }
    }

    /// Whether a long response has to be held. The newest clients get it as it comes: all that they would not know in it
    /// is a value in place of an object.
    fn holds(&self) -> bool {
        let newest = self.older.revision >= Revision::LATEST_HANDSHAKE;
        self.work.content.is_some() || self.work.typed && self.work.tool && !newest
    }

    fn hold(&self, parts: Parts) -> Held {
        let limits = self.older.limits;
        Box::pin(async move { parts.whole(&limits).await })
    }

    fn whole(&self, message: Message) -> Response {
        let (Older { revision, limits }, work) = (&self.older, self.work);
        let message = match work.typed {
            true => untyped::convert(*revision, work.tool, message, limits),
            false => message,
        };
        Response::Whole(match work.content {
            Some(kind) => kind.convert(*revision, message, limits),
            None => message,
        })
    }
}
