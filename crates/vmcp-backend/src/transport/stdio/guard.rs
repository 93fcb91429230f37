//! A process between vmcp and a child process, so that nothing outlives vmcp, however vmcp ends.
//!
//! Dropping a [`Process`](super::process::Process) ends its tree, but nobody drops anything when vmcp is killed or
//! crashes. So a binary may start its backends through itself ([`Connector::with_guard`](crate::Connector::with_guard)):
//! what is started is the binary again, it calls [`guard`], and that starts the command. The guard
//!
//! - leads the process group that the command and all that it starts are in;
//! - gives its standard streams to the command as they are: nothing is copied, not a byte passes through it;
//! - keeps one thing: its end of the standard error stream. When vmcp is gone, nobody can read that any more, and
//!   the kernel says so at once. No further descriptor has to be handed down, so none can leak to anybody else;
//! - adopts orphans (Linux), so that what left the process group is still known as something the command started,
//!   and is reaped.
//!
//! | what happens | what the guard does |
//! | --- | --- |
//! | vmcp ended, or dropped its end of standard error | SIGTERM to all, [`GRACE`], SIGKILL to all |
//! | the command ended | SIGKILL to all that is left of what it started; ends with its exit code, or 128 + the signal |
//! | SIGTERM | passes it on to the whole group |
//! | SIGHUP | SIGKILL to all, at once |
//!
//! On unixes without `/proc` and without adoption, "all" is the process group.

use std::ffi::OsString;
use std::io::Write;
use std::os::fd::AsFd;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, ExitStatus};
use std::time::Duration;

use nix::sys::signal::{Signal, kill, killpg};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, getpgrp, getpid, setpgid};
use tokio::io::Interest;
use tokio::net::unix::pipe::Sender as Lifeline;
use tokio::signal::unix::{Signal as Signals, SignalKind, signal};
use tokio::time::{Instant, sleep, timeout_at};

mod descendants;

use descendants::{Relative, adopt_orphans, descendants};

/// How long processes may take to end after SIGTERM when vmcp is gone.
const GRACE: Duration = Duration::from_secs(2);
/// Between two looks at what is still there after SIGKILL, and how often.
const LOOK: Duration = Duration::from_millis(5);
const LOOKS: usize = 200;
/// Exit codes of the guard itself, as `env`, `nice` and `timeout` have them.
const FAILED: u8 = 125;
const NOT_EXECUTABLE: u8 = 126;
const NOT_FOUND: u8 = 127;

/// How the guard is started: a program, and what comes before the command it is to start.
#[derive(Debug, Clone)]
pub(crate) struct Guard {
    pub(crate) program: PathBuf,
    pub(crate) args: Vec<OsString>,
}

/// The command, and what its guard listens to.
struct Ward {
    child: Pid,
    children: Signals,
    terminate: Signals,
    hang_up: Signals,
    /// `None` if standard error is nothing that can tell.
    lifeline: Option<Lifeline>,
}

/// What woke the guard.
enum Woken {
    ChildEnded,
    Terminate,
    HangUp,
    Orphaned,
}

/// Starts the command (a program and its arguments) and sees to it that it does not outlive whoever reads this
/// process's standard error. Returns when the command has ended, with the exit code to end with: the command's own,
/// 128 + the number of the signal that ended it, 127 if it is not there, 126 if it cannot be started.
///
/// For the binary that was named in [`Connector::with_guard`](crate::Connector::with_guard), to be called before it
/// starts a runtime or threads. The process is the guard's from then on: it becomes the leader of a process group,
/// its standard streams are the command's, and it kills what the command leaves behind.
pub fn guard(command: impl IntoIterator<Item = OsString>) -> ExitCode {
    let mut words = command.into_iter();
    let Some(program) = words.next() else {
        return complain(FAILED, "there is no command to start");
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return complain(FAILED, &error.to_string()),
    };
    runtime.block_on(async {
        match Ward::start(&program, words) {
            Ok(ward) => ward.watch().await,
            Err((code, error)) => {
                let program = Path::new(&program).display();
                complain(code, &format!("\"{program}\" cannot be started: {error}"))
            }
        }
    })
}

// === impl Ward ===

impl Ward {
    fn start(
        program: &OsString,
        args: impl Iterator<Item = OsString>,
    ) -> Result<Self, (u8, std::io::Error)> {
        let own = |error: std::io::Error| (FAILED, error);
        if getpgrp() != getpid() {
            // Started by hand: what is killed later must not be whoever did that.
            setpgid(Pid::from_raw(0), Pid::from_raw(0)).map_err(|error| own(error.into()))?;
        }
        adopt_orphans();
        // Before anything can happen that they tell.
        let children = signal(SignalKind::child()).map_err(own)?;
        let terminate = signal(SignalKind::terminate()).map_err(own)?;
        let hang_up = signal(SignalKind::hangup()).map_err(own)?;
        let lifeline = std::io::stderr().as_fd().try_clone_to_owned().map_err(own)?;
        let child = Command::new(program).args(args).spawn().map_err(|error| {
            let missing = error.kind() == std::io::ErrorKind::NotFound;
            (if missing { NOT_FOUND } else { NOT_EXECUTABLE }, error)
        })?;
        let child = i32::try_from(child.id()).map_err(|error| own(std::io::Error::other(error)))?;
        // Only looked at, never written to: it need not be put into the mode for that, which the command would see.
        let lifeline = Lifeline::from_owned_fd_unchecked(lifeline).ok();
        let ward = Self { child: Pid::from_raw(child), children, terminate, hang_up, lifeline };
        // From here on the streams are the command's alone: whoever closes one of them is heard.
        let released = release_streams();
        if let Err(error) = released {
            let _ = killpg(getpgrp(), Signal::SIGKILL);
            return Err(own(error));
        }
        Ok(ward)
    }

    async fn watch(mut self) -> ExitCode {
        loop {
            match self.woken().await {
                Woken::ChildEnded => {
                    if let Some(code) = self.reap() {
                        self.sweep().await;
                        return ExitCode::from(code);
                    }
                }
                Woken::Terminate => self.pass_on_terminate().await,
                Woken::HangUp => return self.kill_all().await,
                Woken::Orphaned => return self.end_all().await,
            }
        }
    }

    async fn woken(&mut self) -> Woken {
        tokio::select! {
            _ = self.children.recv() => Woken::ChildEnded,
            _ = self.terminate.recv() => Woken::Terminate,
            _ = self.hang_up.recv() => Woken::HangUp,
            () = cut(self.lifeline.as_ref()) => Woken::Orphaned,
        }
    }

    /// Takes note of every child that has ended, adopted ones included. Gives the exit code if the command did.
    fn reap(&self) -> Option<u8> {
        let mut code = None;
        loop {
            match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::Exited(pid, status)) if pid == self.child => {
                    code = Some(u8::try_from(status & 0xff).unwrap_or(FAILED));
                }
                Ok(WaitStatus::Signaled(pid, signal, _)) if pid == self.child => {
                    code = Some(128u8.saturating_add(u8::try_from(signal as i32).unwrap_or(0)));
                }
                Ok(WaitStatus::StillAlive) | Err(_) => return code,
                Ok(_) => {}
            }
        }
    }

    /// The whole group gets it, and this process with it: that one is taken out of the way.
    async fn pass_on_terminate(&mut self) {
        if killpg(getpgrp(), Signal::SIGTERM).is_ok() {
            self.terminate.recv().await;
        }
    }

    /// vmcp is gone: asks, waits, insists.
    async fn end_all(&mut self) -> ExitCode {
        self.pass_on_terminate().await;
        for relative in descendants().iter().filter(|relative| relative.group != getpgrp()) {
            let _ = kill(relative.pid, Signal::SIGTERM);
        }
        let deadline = Instant::now() + GRACE;
        loop {
            self.reap();
            if descendants::known() && descendants().is_empty() {
                break;
            }
            // Only who dies of a child of this process is heard; what is deeper is an orphan then, and adopted.
            if timeout_at(deadline, self.children.recv()).await.is_err() {
                break;
            }
        }
        self.kill_all().await
    }

    /// Kills everything, this process included.
    async fn kill_all(&mut self) -> ExitCode {
        self.sweep().await;
        let _ = killpg(getpgrp(), Signal::SIGKILL);
        ExitCode::from(FAILED)
    }

    /// Kills what the command started, wherever it went.
    async fn sweep(&self) {
        for _ in 0..LOOKS {
            let left: Vec<Relative> = descendants();
            if left.is_empty() {
                return;
            }
            for relative in &left {
                let _ = kill(relative.pid, Signal::SIGKILL);
            }
            sleep(LOOK).await;
            self.reap();
        }
    }
}

/// Returns once nobody can read standard error any more.
async fn cut(lifeline: Option<&Lifeline>) {
    let Some(lifeline) = lifeline else { return std::future::pending().await };
    loop {
        match lifeline.ready(Interest::ERROR).await {
            Ok(ready) if ready.is_error() => return,
            Ok(_) => {}
            Err(_) => return std::future::pending().await,
        }
    }
}

/// Closes this process's own ends of the standard streams, and leaves the folder it was started in.
fn release_streams() -> std::io::Result<()> {
    let nothing = std::fs::File::options().read(true).write(true).open("/dev/null")?;
    nix::unistd::dup2_stdin(&nothing)?;
    nix::unistd::dup2_stdout(&nothing)?;
    nix::unistd::dup2_stderr(&nothing)?;
    let _ = std::env::set_current_dir("/");
    Ok(())
}

fn complain(code: u8, text: &str) -> ExitCode {
    // Nobody to tell if this fails.
    let _ = writeln!(std::io::stderr(), "guard: {text}");
    ExitCode::from(code)
}

/// A status in words. A guard's exit code above 128 is the signal that ended the command.
pub(super) fn describe(status: ExitStatus, guarded: bool) -> String {
    let signal = match status.code() {
        Some(code) if guarded && code > 128 => Signal::try_from(code - 128).ok(),
        _ => None,
    };
    match (signal, status.signal()) {
        (Some(signal), None) => format!("signal: {} ({signal})", signal as i32),
        _ => status.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_told_as_if_there_were_no_guard() {
        let check = |raw: i32, guarded: bool, wanted: &str| {
            assert_eq!(describe(ExitStatus::from_raw(raw), guarded), wanted);
        };
        check(7 << 8, true, "exit status: 7");
        check(7 << 8, false, "exit status: 7");
        check(139 << 8, true, "signal: 11 (SIGSEGV)");
        check(139 << 8, false, "exit status: 139");
        check(9, true, "signal: 9 (SIGKILL)");
        check(255 << 8, true, "exit status: 255");
    }
}
