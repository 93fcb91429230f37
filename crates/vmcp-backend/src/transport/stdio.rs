//! A child process that speaks on its stdin and stdout.
//!
//! It runs in a process group of its own, and the group dies with its owner, grandchildren included. An orderly
//! end closes its stdin and waits, then asks with SIGTERM, then insists with SIGKILL. A crash fails the calls in
//! flight; the next use starts it again, later and later while it keeps crashing ([`backoff`]).

use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use process_wrap::tokio::{ChildWrapper, CommandWrap, KillOnDrop, ProcessGroup};
use secrecy::ExposeSecret;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::lines;
use super::pipe::{OUTBOX, Outbox, Owner, Pipe};
use crate::tasks::Task;
use crate::{BackendTarget, ConnectErrorKind, Sink, StdioCommand};

mod backoff;
mod stderr;

pub(crate) use backoff::Backoff;

/// How long a process may take to end by itself, and again after SIGTERM.
const GRACE: Duration = Duration::from_secs(2);
/// How long what a dead process wrote may take to be read.
const LAST_WORDS: Duration = Duration::from_secs(1);
const SIGTERM: i32 = 15;

/// A process and all that it started; killed when dropped.
struct Process(Box<dyn ChildWrapper>);

/// Starts the process.
pub(crate) fn open(
    target: &BackendTarget,
    command: &StdioCommand,
    backoff: &Arc<Backoff>,
    sink: Option<Sink>,
) -> Result<(Arc<Pipe>, Owner), ConnectErrorKind> {
    let cannot = |error: std::io::Error| {
        ConnectErrorKind::Unreachable(format!("\"{}\" cannot be started: {error}", command.command))
    };
    let mut process = Process(spawn(command).map_err(cannot)?);
    let child = &mut process.0;
    let streams = (child.stdin().take(), child.stdout().take(), child.stderr().take());
    let (Some(stdin), Some(stdout), Some(stderr)) = streams else {
        let text = "the process has no standard streams".to_owned();
        return Err(ConnectErrorKind::Unreachable(text));
    };
    let (outbox, waiting) = mpsc::channel(OUTBOX);
    let pipe = Pipe::new(target.id.clone(), &target.limits, Outbox::Lines(outbox), sink);
    let stop = CancellationToken::new();
    let writer = Task::start(lines::write(waiting, stdin, stop.clone()));
    let reading = Arc::clone(&pipe);
    let reader = Task::start(async move { lines::read(&reading, stdout).await });
    let logger = Task::start(stderr::log(target.id.clone(), stderr));
    let watching = supervise(process, Arc::clone(&pipe), reader, stop.clone(), Arc::clone(backoff));
    let supervisor = Task::start(watching);
    let owner = Owner::new(&pipe, stop, vec![writer, supervisor]);
    owner.keep(logger);
    Ok((pipe, owner))
}

fn spawn(command: &StdioCommand) -> std::io::Result<Box<dyn ChildWrapper>> {
    let mut wrapped = CommandWrap::with_new(&command.command, |process| {
        process.args(&command.args);
        process.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        for (name, value) in &command.env {
            process.env(name, value.expose_secret());
        }
        if let Some(folder) = &command.cwd {
            process.current_dir(folder);
        }
    });
    wrapped.wrap(ProcessGroup::leader()).wrap(KillOnDrop);
    wrapped.spawn()
}

/// Waits for the process to end, by itself or because it is told to.
async fn supervise(
    mut process: Process,
    pipe: Arc<Pipe>,
    mut reader: Task,
    stop: CancellationToken,
    backoff: Arc<Backoff>,
) {
    let started = tokio::time::Instant::now();
    let why = tokio::select! {
        biased;
        () = stop.cancelled() => return process.end().await,
        status = process.0.wait() => {
            // What it started may hold its output open; nothing of it is of use any more.
            process.kill();
            let _ = timeout(LAST_WORDS, reader.ended()).await;
            status.map_or_else(|error| error.to_string(), |status| status.to_string())
        }
        () = reader.ended() => {
            let status = timeout(LAST_WORDS, process.0.wait()).await;
            process.kill();
            match status {
                Ok(Ok(status)) => status.to_string(),
                _ => "it closed its output".to_owned(),
            }
        }
    };
    // First noted, then told: whoever starts it again has to wait.
    backoff.ended(started.elapsed());
    pipe.close(&format!("the process ended: {why}"));
}

// === impl Process ===

impl Process {
    /// An orderly end: its input is closed already.
    async fn end(&mut self) {
        if timeout(GRACE, self.0.wait()).await.is_err() {
            let _ = self.0.signal(SIGTERM);
            let _ = timeout(GRACE, self.0.wait()).await;
        }
        self.kill();
    }

    /// Kills the whole group. What is dead already does not mind.
    fn kill(&mut self) {
        let _ = self.0.start_kill();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}
