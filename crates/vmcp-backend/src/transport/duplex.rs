//! A server in this process, spoken to on lines.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::lines;
use super::pipe::{OUTBOX, Outbox, Owner, Pipe};
use crate::tasks::Task;
use crate::{BackendTarget, ConnectErrorKind, DuplexFactory, Sink};

/// Opens one more connection to it.
pub(crate) fn open(
    target: &BackendTarget,
    server: &DuplexFactory,
    sink: Option<Sink>,
) -> Result<(Arc<Pipe>, Owner), ConnectErrorKind> {
    // It is somebody else's code. A panic in it is a backend that cannot be reached, and must not end the task that
    // came to open it. Nothing of ours is in there that could be left half done.
    let opened = catch_unwind(AssertUnwindSafe(|| server()));
    let connection = opened.map_err(|_| {
        ConnectErrorKind::Unreachable("the server in this process panicked".to_owned())
    })?;
    let (input, output) = tokio::io::split(connection);
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
    Ok((pipe, owner))
}
