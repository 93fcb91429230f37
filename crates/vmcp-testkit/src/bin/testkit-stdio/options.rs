//! The arguments.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Duration;

/// The arguments; what each does stands in `main.rs`.
#[derive(Default)]
pub(crate) struct Options {
    pub(crate) name: String,
    pub(crate) tools: Vec<String>,
    pub(crate) revision: Option<String>,
    pub(crate) tasks: bool,
    pub(crate) stateless: bool,
    pub(crate) dual: bool,
    pub(crate) silent_probe: bool,
    pub(crate) slow_start: Duration,
    pub(crate) exit: Option<i32>,
    pub(crate) banner: Option<String>,
    pub(crate) stderr: u64,
    pub(crate) deaf: bool,
    pub(crate) ignore_sigterm: bool,
    pub(crate) ignore_eof: bool,
    pub(crate) grandchild: bool,
    pub(crate) escapee: bool,
    pub(crate) stderr_line: Option<String>,
    pub(crate) linger: bool,
    pub(crate) journal: Option<PathBuf>,
    pub(crate) pids: Option<PathBuf>,
}

// === impl Options ===

impl Options {
    pub(crate) fn read() -> io::Result<Self> {
        let environment = std::env::var("TESTKIT_STDIO").unwrap_or_default();
        let environment = environment.split_whitespace().map(str::to_owned);
        let mut words = std::env::args().skip(1).chain(environment);
        let mut options = Self { name: "testkit-stdio".to_owned(), ..Self::default() };
        while let Some(word) = words.next() {
            options.take(&word, &mut words)?;
        }
        Ok(options)
    }

    fn take(&mut self, word: &str, rest: &mut impl Iterator<Item = String>) -> io::Result<()> {
        let mut value = || rest.next().ok_or_else(|| bad(format!("{word} needs a value")));
        match word {
            "--name" => self.name = value()?,
            "--tool" => self.tools.push(value()?),
            "--revision" => self.revision = Some(value()?),
            "--tasks" => self.tasks = true,
            "--stateless" => self.stateless = true,
            "--dual" => self.dual = true,
            "--silent-probe" => self.silent_probe = true,
            "--slow-start" => self.slow_start = Duration::from_millis(number(&value()?)?),
            "--exit" => self.exit = Some(number(&value()?)?),
            "--banner" => self.banner = Some(value()?),
            "--stderr" => self.stderr = number(&value()?)?,
            "--deaf" => self.deaf = true,
            "--ignore-sigterm" => self.ignore_sigterm = true,
            "--ignore-eof" => self.ignore_eof = true,
            "--grandchild" => self.grandchild = true,
            "--escapee" => self.escapee = true,
            "--stderr-line" => self.stderr_line = Some(value()?),
            "--linger" => self.linger = true,
            "--journal" => self.journal = Some(value()?.into()),
            "--pids" => self.pids = Some(value()?.into()),
            _ => return Err(bad(format!("unknown argument {word}"))),
        }
        Ok(())
    }

    pub(crate) fn note_pid(&self, pid: u32) -> io::Result<()> {
        append(&self.pids, &pid.to_string())
    }

    pub(crate) fn note_line(&self, line: &str) -> io::Result<()> {
        append(&self.journal, line)
    }
}

fn append(file: &Option<PathBuf>, line: &str) -> io::Result<()> {
    let Some(file) = file else { return Ok(()) };
    // One write for one line: several processes may share a file.
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(file)?
        .write_all(format!("{line}\n").as_bytes())
}

fn number<T: std::str::FromStr>(text: &str) -> io::Result<T> {
    text.parse().map_err(|_| bad(format!("{text} is not a number")))
}

fn bad(text: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, text)
}
