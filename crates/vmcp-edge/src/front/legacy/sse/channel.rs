//! One session's own task: takes messages in the order in which they came, and ends the session.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use super::{Incoming, Posted};
use crate::front::stdio::{Line, PipeSession, SWEEP};
use crate::session::CLOSE;
use crate::tasks::Tasks;

/// One session.
pub(super) struct Channel {
    pub(super) pipe: PipeSession,
    /// What the session runs; nobody else's.
    pub(super) tasks: Tasks,
    /// Tells when the stream is gone.
    pub(super) lines: mpsc::Sender<Line>,
    /// For calls in flight when the server stops.
    pub(super) grace: Duration,
}

// === impl Channel ===

impl Channel {
    /// Runs until the stream is closed or the server stops.
    pub(super) async fn run(mut self, mut posted: mpsc::Receiver<Posted>) {
        let draining = self.tasks.draining().clone();
        let lines = self.lines.clone();
        let stopping = tokio::select! {
            biased;
            () = lines.closed() => false,
            () = draining.cancelled() => true,
            () = self.take(&mut posted) => false,
        };
        // From here on a message finds no session.
        drop(posted);
        self.pipe.hang_up();
        if stopping {
            tokio::select! {
                biased;
                () = lines.closed() => {}
                () = self.tasks.stop(self.grace) => {}
            }
        }
        self.pipe.take_back();
        self.tasks.stop(CLOSE).await;
        self.pipe.finish(CLOSE).await;
    }

    async fn take(&mut self, posted: &mut mpsc::Receiver<Posted>) {
        let mut sweep = tokio::time::interval(SWEEP);
        loop {
            tokio::select! {
                next = posted.recv() => match next {
                    Some(Posted { incoming: Incoming::One(message), along, .. }) => {
                        self.pipe.own(message, along).await;
                    }
                    Some(Posted { incoming: Incoming::Batch(messages), along, .. }) => {
                        self.pipe.batch(messages, along).await;
                    }
                    None => return,
                },
                _ = sweep.tick() => self.pipe.expire(Instant::now()),
            }
        }
    }
}
