//! A server in this process, spoken to on lines.

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::lines;
use super::pipe::{OUTBOX, Outbox, Owner, Pipe};
use crate::tasks::Task;
use crate::{BackendTarget, DuplexFactory, Sink};

/// Opens one more connection to it.
pub(crate) fn open(
    target: &BackendTarget,
    server: &DuplexFactory,
    sink: Option<Sink>,
) -> (Arc<Pipe>, Owner) {
    let (input, output) = tokio::io::split(server());
    let (outbox, waiting) = mpsc::channel(OUTBOX);
    let pipe = Pipe::new(target.id.clone(), &target.limits, Outbox::Lines(outbox), sink);
    let stop = CancellationToken::new();
    let writer = Task::start(lines::write(waiting, output, stop.clone()));
    let reading = Arc::clone(&pipe);
    let reader = Task::start(async move {
        lines::read(&reading, input).await;
        reading.close("the server ended the connection");
    });
    let owner = Owner::new(&pipe, stop, vec![writer]);
    owner.keep(reader);
    (pipe, owner)
}
