//! A call whose backend speaks on a stream of its own beside the reply, for a client that hears it in the call only.
//!
//! The two streams are in no order. What was logged is told before the answer if it arrived before it, however late it is
//! read: the answer waits until all is read that had arrived, and for nothing else. It waits only for a call that asked for
//! log messages. A question is told as soon as it is there, also before the backend begins to answer; one that comes
//! together with the answer was no question of this call, and is refused.

use std::pin::Pin;

use parking_lot::Mutex;
use vmcp_backend::{Call, CallError, Event, Reply, Session};

use crate::session::Run;

/// Both sides of one call.
pub(crate) struct Beside {
    session: Session,
    reply: Begun,
    /// Where things come that the backend says beside it; `None` once it is over.
    run: Option<Run>,
    /// The last event, which what arrived before goes before.
    last: Option<Event>,
    /// All that had arrived then is read.
    caught_up: bool,
}

enum Begun {
    Reply(Reply),
    /// The backend has not begun to answer.
    Waiting(Beginning),
}

/// The lock is never waited for: it only makes this something that can be shared.
type Beginning = Mutex<Pin<Box<dyn Future<Output = Result<Reply, CallError>> + Send>>>;

/// What comes next.
pub(super) enum Heard {
    /// Of the reply.
    Event(Event),
    /// Said beside it, as the client is to see it.
    Beside(Event),
}

// === impl Beside ===

impl Beside {
    /// A call that is sent when this is waited for.
    pub(crate) fn new(session: Session, call: Call, run: Run) -> Self {
        let sending = session.clone();
        let beginning = Box::pin(async move { sending.forward(call).await });
        let reply = Begun::Waiting(Mutex::new(beginning));
        Self { session, reply, run: Some(run), last: None, caught_up: false }
    }

    /// Waits until the backend begins to answer or says something. Dropped with this, the call is taken back.
    pub(crate) async fn begin(&mut self) -> Result<(), CallError> {
        let (Begun::Waiting(beginning), Some(run)) = (&mut self.reply, &self.run) else {
            return Ok(());
        };
        tokio::select! {
            biased;
            reply = beginning.get_mut() => self.reply = Begun::Reply(reply?),
            () = run.heard() => {}
        }
        Ok(())
    }

    /// Whether the answer is known to be an event stream.
    pub(super) fn is_streamed(&self) -> bool {
        matches!(&self.reply, Begun::Reply(reply) if reply.streamed)
    }

    /// What comes next; `None` after the last.
    ///
    /// # Cancel safety
    /// Safe.
    pub(super) async fn next(&mut self) -> Option<Heard> {
        let Self { session, reply, run, last, caught_up } = self;
        let Some(running) = run else { return said(reply).await.map(Heard::Event) };
        while last.is_none() {
            // It came before whatever is read only now.
            if let Some(event) = running.take() {
                return Some(Heard::Beside(event));
            }
            let event = tokio::select! {
                biased;
                event = said(reply) => event?,
                () = running.heard() => continue,
            };
            if !matches!(event, Event::Response(_) | Event::InputRequired(_) | Event::Failed(_)) {
                return Some(Heard::Event(event));
            }
            *last = Some(event);
        }
        if running.logs && !*caught_up {
            session.caught_up().await;
        }
        *caught_up = true;
        while let Some(event) = running.take() {
            if matches!(event, Event::Notification(_)) {
                return Some(Heard::Beside(event));
            }
        }
        // What is said from now on belongs to another call.
        *run = None;
        last.take().map(Heard::Event)
    }
}

/// What the backend answers next. Cancel safe.
async fn said(reply: &mut Begun) -> Option<Event> {
    loop {
        match reply {
            Begun::Reply(reply) => return reply.next().await,
            Begun::Waiting(beginning) => match beginning.get_mut().await {
                Ok(begun) => *reply = Begun::Reply(begun),
                Err(error) => return Some(Event::Failed(error)),
            },
        }
    }
}
