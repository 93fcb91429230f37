//! Servers that a measurement starts: each ends with its guard.

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};

/// How long a server may take until it listens.
const START: Duration = Duration::from_secs(20);
/// How long a server may take to end after it was asked to.
const STOP: Duration = Duration::from_secs(5);
/// How often it is asked.
const POLL: Duration = Duration::from_millis(50);

/// A process that is ended, and waited for, when this goes out of scope.
pub(crate) struct Running {
    name: String,
    child: Child,
}

impl Running {
    /// Starts a program. Its standard input stays open as long as it runs.
    pub(crate) fn start(name: &str, command: &mut Command) -> Result<Self> {
        let child = command
            .stdin(Stdio::piped())
            .spawn()
            .with_context(|| format!("{name} cannot be started"))?;
        Ok(Self { name: name.to_owned(), child })
    }

    /// The id of the process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Reads lines from standard output until one starts with `prefix`; returns what follows it.
    pub(crate) fn announced(&mut self, prefix: &str) -> Result<String> {
        let stdout: ChildStdout = self.child.stdout.take().context("the output is not piped")?;
        for line in BufReader::new(stdout).lines() {
            if let Some(rest) = line?.strip_prefix(prefix) {
                return Ok(rest.trim().to_owned());
            }
        }
        bail!("{} ended before it said `{prefix}`", self.name)
    }

    /// Fails if the process did not last until now.
    pub(crate) fn lasted(&mut self) -> Result<()> {
        match self.child.try_wait()? {
            Some(status) => bail!("{} ended with {status}", self.name),
            None => Ok(()),
        }
    }

    /// Waits until the server accepts a connection.
    pub(crate) fn listening(&mut self, address: SocketAddr) -> Result<()> {
        for _ in 0..START.as_millis() / POLL.as_millis() {
            if TcpStream::connect(address).is_ok() {
                return Ok(());
            }
            if let Some(status) = self.child.try_wait()? {
                bail!("{} ended with {status} before it listened", self.name);
            }
            pause();
        }
        bail!("{} does not listen on {address}", self.name)
    }
}

impl Running {
    /// Asks the process to end: one that has children of its own takes them with it.
    fn terminate(&mut self) {
        let pid = self.child.id().to_string();
        let _ = Command::new("kill").args(["-TERM", &pid]).stderr(Stdio::null()).status();
        for _ in 0..STOP.as_millis() / POLL.as_millis() {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            pause();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        self.terminate();
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An address on loopback that was free a moment ago.
pub(crate) fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

/// Waits a moment before a process is asked again.
#[expect(clippy::disallowed_methods, reason = "no runtime is blocked: this waits for a process")]
pub(crate) fn pause() {
    std::thread::sleep(POLL);
}
