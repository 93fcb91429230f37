//! The events of one call, or of the calls of a batch, as one sequence.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use vmcp_backend::{Call, CallError, ErrorKind, Event, Executed, Side};
use vmcp_wire::RawId;

use super::Leg;
use crate::front::Reply;
use crate::session::Session;

/// Where events come from.
#[expect(
    clippy::large_enum_variant,
    reason = "one per request, and a box would be one more allocation for it"
)]
pub(super) enum Source {
    /// One call.
    One(Leg, Reply),
    /// The calls of a batch, running at the same time.
    Many(Vec<Member>),
}

/// One call of a batch.
pub(super) struct Member {
    leg: Leg,
    streamed: bool,
    /// `None` once the last event is out.
    step: Option<Step>,
}

type Step = Pin<Box<dyn Future<Output = (Option<Reply>, Event)> + Send>>;

/// The next event. A reply that just stops is a failure, so that every call has an end.
pub(super) async fn next(reply: &mut Reply) -> Event {
    let closed = || CallError::new(Side::Gateway, ErrorKind::Closed, Executed::Unknown);
    reply.next().await.map_or_else(|| Event::Failed(closed()), live)
}

/// A client that can be asked while its call runs is never asked by an answer.
fn live(event: Event) -> Event {
    let Event::InputRequired(_) = event else { return event };
    let kind = ErrorKind::Protocol("the backend asks by an answer".to_owned());
    Event::Failed(CallError::new(Side::Backend, kind, Executed::Unknown))
}

/// The next event, if it is there already.
pub(super) async fn ready(reply: &mut Reply) -> Option<Event> {
    // A future that is dropped after one look loses nothing.
    let mut next = std::pin::pin!(next(reply));
    std::future::poll_fn(|cx| match next.as_mut().poll(cx) {
        Poll::Ready(event) => Poll::Ready(Some(event)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

/// Whether nothing comes after it.
pub(super) fn is_last(event: &Event) -> bool {
    matches!(event, Event::Response(_) | Event::Failed(_))
}

// === impl Source ===

impl Source {
    /// Starts the calls of a batch; they run when [`Source::next`] is polled.
    pub(super) fn many(session: &Arc<Session>, calls: Vec<(Leg, Call)>) -> Self {
        let member = |(leg, call)| {
            let session = Arc::clone(session);
            let step: Step = Box::pin(async move {
                match session.call(call).await {
                    Ok(mut reply) => {
                        let event = next(&mut reply).await;
                        (Some(reply), event)
                    }
                    Err(error) => (None, Event::Failed(error)),
                }
            });
            Member { leg, streamed: false, step: Some(step) }
        };
        Self::Many(calls.into_iter().map(member).collect())
    }

    /// The next event and which call it belongs to; `None` after the last of all calls.
    pub(super) async fn next(&mut self) -> Option<(usize, Event)> {
        match self {
            // An ended reply says nothing more, so asking it again is how its end is seen.
            Self::One(_, reply) => reply.next().await.map(|event| (0, live(event))),
            Self::Many(members) => std::future::poll_fn(|cx| poll_members(members, cx)).await,
        }
    }

    /// The clients' ids of all calls that have not ended.
    pub(super) fn ids(&self) -> Vec<RawId> {
        match self {
            Self::One(leg, _) => vec![leg.id().clone()],
            Self::Many(members) => members
                .iter()
                .filter(|member| member.step.is_some())
                .map(|member| member.leg.id().clone())
                .collect(),
        }
    }

    /// The call with this number.
    pub(super) fn leg(&mut self, at: usize) -> &mut Leg {
        match self {
            Self::One(leg, _) => leg,
            Self::Many(members) => &mut members[at].leg,
        }
    }

    /// Whether the backend answers this call of a batch with an event stream.
    pub(super) fn is_streamed(&self, at: usize) -> bool {
        matches!(self, Self::Many(members) if members[at].streamed)
    }
}

fn poll_members(members: &mut [Member], cx: &mut Context<'_>) -> Poll<Option<(usize, Event)>> {
    let mut running = false;
    for (at, member) in members.iter_mut().enumerate() {
        let Some(step) = &mut member.step else { continue };
        running = true;
        let Poll::Ready((reply, event)) = step.as_mut().poll(cx) else { continue };
        member.step = match reply {
            Some(mut reply) if !is_last(&event) => {
                member.streamed = reply.streamed;
                Some(Box::pin(async move {
                    let event = next(&mut reply).await;
                    (Some(reply), event)
                }))
            }
            reply => {
                member.streamed = reply.is_some_and(|reply| reply.streamed);
                None
            }
        };
        return Poll::Ready(Some((at, event)));
    }
    if running { Poll::Pending } else { Poll::Ready(None) }
}
