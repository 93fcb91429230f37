//! A child process that speaks on its stdin and stdout.
//!
//! It runs in a process group of its own, and the group dies with its owner, grandchildren included; with a
//! [`guard()`] it also dies when vmcp is killed. An orderly end closes its stdin and waits, then asks with SIGTERM,
//! then insists with SIGKILL. A crash fails the calls in flight; the next use starts it again, later and later while
//! it keeps crashing ([`backoff`]). One that hangs is treated like one that crashed: after a call that timed out, or
//! a message that could not be written, it has to give a sign of life.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use super::lines;
use super::pipe::{OUTBOX, Outbox, Owner, Pipe};
use crate::tasks::Task;
use crate::{BackendTarget, ConnectErrorKind, Sink, StdioCommand};

mod backoff;
mod guard;
mod process;
mod stderr;

pub(crate) use backoff::Backoff;
pub(crate) use guard::Guard;
pub use guard::guard;

use process::{Process, Streams};
use stderr::LastWords;

/// How long what a dead process wrote may take to be read.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// How processes of one session are started.
pub(crate) struct Starter<'a> {
    pub(crate) command: &'a StdioCommand,
    pub(crate) guard: Option<&'a Arc<Guard>>,
    pub(crate) backoff: &'a Arc<Backoff>,
}

/// A running process and the tasks that read what it says.
struct Running {
    process: Process,
    reader: Task,
    logger: Task,
    last_words: Arc<LastWords>,
}

/// Starts the process.
pub(crate) fn open(
    target: &BackendTarget,
    starter: &Starter<'_>,
    sink: Option<Sink>,
) -> Result<(Arc<Pipe>, Owner), ConnectErrorKind> {
    let (process, streams) = Process::start(starter.command, starter.guard).map_err(|error| {
        let command = &starter.command.command;
        ConnectErrorKind::Unreachable(format!("\"{command}\" cannot be started: {error}"))
    })?;
    let Streams { stdin, stdout, stderr } = streams;
    let (outbox, waiting) = mpsc::channel(OUTBOX);
    let pipe = Pipe::new(target.id.clone(), &target.limits, Outbox::Lines(outbox), sink);
    let stop = CancellationToken::new();
    let writer = Task::start(lines::write(waiting, stdin, stop.clone()));
    let reading = Arc::clone(&pipe);
    let reader = Task::start(async move { lines::read(&reading, stdout).await });
    let last_words = Arc::<LastWords>::default();
    let logger = Task::start(stderr::log(target.id.clone(), stderr, Arc::clone(&last_words)));
    let running = Running { process, reader, logger, last_words };
    let backoff = Arc::clone(starter.backoff);
    let hang = target.limits.ping;
    let watching = supervise(running, Arc::clone(&pipe), stop.clone(), backoff, hang);
    let supervisor = Task::start(watching);
    Ok((Arc::clone(&pipe), Owner::new(&pipe, stop, vec![writer, supervisor])))
}

/// Waits for the process to end, by itself or because it is told to.
async fn supervise(
    mut running: Running,
    pipe: Arc<Pipe>,
    stop: CancellationToken,
    backoff: Arc<Backoff>,
    patience: Duration,
) {
    let started = Instant::now();
    let why = tokio::select! {
        biased;
        () = stop.cancelled() => return running.process.end().await,
        why = running.end() => why,
        () = pipe.hangs(patience) => {
            running.process.kill();
            format!("the process gave no sign of life within {patience:?} of being asked for one")
        }
    };
    // First noted, then told: whoever starts it again has to wait.
    backoff.ended(started.elapsed());
    pipe.close(&why);
    running.process.bury().await;
}

// === impl Running ===

impl Running {
    /// Returns when the process has ended or can say nothing more, and says why.
    async fn end(&mut self) -> String {
        let status = tokio::select! {
            biased;
            status = self.process.ended() => {
                // What it started may hold its output open; nothing of it is of use any more.
                self.process.kill();
                let _ = timeout(LAST_WORDS, self.reader.ended()).await;
                Ok(status)
            }
            () = self.reader.ended() => {
                let status = timeout(LAST_WORDS, self.process.ended()).await;
                self.process.kill();
                status
            }
        };
        let _ = timeout(LAST_WORDS, self.logger.ended()).await;
        let how = status.map_or_else(
            |_| "it closed its output".to_owned(),
            |status| format!("the process ended: {status}"),
        );
        match self.last_words.take() {
            Some(words) => format!("{how}; its last words: {words}"),
            None => how,
        }
    }
}
