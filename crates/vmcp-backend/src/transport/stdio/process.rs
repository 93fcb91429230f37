//! One child process and all that it started.

use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use secrecy::ExposeSecret;
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

use super::guard::{Guard, describe};
use crate::StdioCommand;

/// How long a process may take to end by itself, and again after SIGTERM.
const GRACE: Duration = Duration::from_secs(2);
/// How long a guard may take to kill everything.
const KILLING: Duration = Duration::from_secs(1);

/// A process group; killed when this is dropped.
pub(super) struct Process {
    child: Child,
    /// Its number is that of its leader: the child. `None` once nothing is left to kill.
    group: Option<Pid>,
    /// The child is a [`guard`](super::guard()): it kills on request, and more than its group.
    guarded: bool,
}

/// The child's ends of what it speaks on.
pub(super) struct Streams {
    pub(super) stdin: ChildStdin,
    pub(super) stdout: ChildStdout,
    pub(super) stderr: ChildStderr,
}

// === impl Process ===

impl Process {
    /// Starts the command as the leader of a group, or in the group of its guard.
    pub(super) fn start(
        command: &StdioCommand,
        guard: Option<&Arc<Guard>>,
    ) -> std::io::Result<(Self, Streams)> {
        let (mut child, guarded) = match guard {
            None => (build(command, None).spawn()?, false),
            Some(guard) => spawn_guarded(command, guard)?,
        };
        let id = child.id().and_then(|id| i32::try_from(id).ok());
        let group = id.map(Pid::from_raw);
        let streams = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let process = Self { child, group, guarded };
        match streams {
            (Some(stdin), Some(stdout), Some(stderr)) if group.is_some() => {
                Ok((process, Streams { stdin, stdout, stderr }))
            }
            _ => Err(std::io::Error::other("the process has no standard streams")),
        }
    }

    /// Waits for the end of the process itself and says how it ended. Cancel-safe.
    ///
    /// Nothing else is waited for: as process 1 of a container vmcp is the parent of every orphan in the group.
    pub(super) async fn ended(&mut self) -> String {
        match self.child.wait().await {
            Ok(status) => describe(status, self.guarded),
            Err(error) => error.to_string(),
        }
    }

    /// An orderly end: its input is closed already.
    pub(super) async fn end(&mut self) {
        if timeout(GRACE, self.child.wait()).await.is_err() {
            self.ask();
            if timeout(GRACE, self.child.wait()).await.is_err() {
                self.kill();
            }
        }
        self.bury().await;
    }

    /// Waits for the end of what was killed, for a short time, and makes sure of it.
    pub(super) async fn bury(&mut self) {
        let _ = timeout(KILLING, self.child.wait()).await;
        if let Some(group) = self.group.take() {
            // A guard that did not manage to is killed with its group.
            let _ = killpg(group, Signal::SIGKILL);
        }
    }

    /// Kills everything. What is dead already does not mind.
    pub(super) fn kill(&mut self) {
        let Some(group) = self.group else { return };
        if self.child.id().is_none() {
            // Whoever led it is gone; others of the group may not be.
            let _ = killpg(group, Signal::SIGKILL);
            self.group = None;
        } else if self.guarded {
            // Somebody may have stopped it.
            let _ = kill(group, Signal::SIGCONT);
            let _ = kill(group, Signal::SIGHUP);
        } else {
            let _ = killpg(group, Signal::SIGKILL);
        }
    }

    fn ask(&self) {
        let Some(group) = self.group else { return };
        // A guard passes it on, so that nobody gets it twice.
        let _ = match self.guarded {
            true => kill(group, Signal::SIGTERM),
            false => killpg(group, Signal::SIGTERM),
        };
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Starts the command through its guard, and says whether there is one. If the guard's program cannot be started (a
/// sandbox may refuse to), the command is started all the same: it only may outlive a vmcp that is killed.
fn spawn_guarded(command: &StdioCommand, guard: &Arc<Guard>) -> std::io::Result<(Child, bool)> {
    let error = match build(command, Some(guard)).spawn() {
        Ok(child) => return Ok((child, true)),
        Err(error) => error,
    };
    // If it is the command that cannot be started, this fails too, and says why.
    let child = build(command, None).spawn()?;
    tracing::warn!(%error, "a process has no guard: it may live on if vmcp is killed");
    Ok((child, false))
}

#[expect(clippy::disallowed_methods, reason = "the one place where backends are started")]
fn build(command: &StdioCommand, guard: Option<&Arc<Guard>>) -> Command {
    let mut process = match guard {
        Some(guard) => {
            let mut process = Command::new(&guard.program);
            process.arg0("mcp-guard").args(&guard.args).arg(&command.command);
            process
        }
        None => Command::new(&command.command),
    };
    process.args(&command.args);
    process.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    for (name, value) in &command.env {
        process.env(name, value.expose_secret());
    }
    if let Some(folder) = &command.cwd {
        process.current_dir(folder);
    }
    // A guard is not killed: it is the one that kills.
    process.process_group(0).kill_on_drop(guard.is_none());
    process
}
