//! An MCP server over standard streams that misbehaves on request.
//!
//! Arguments, also taken from the environment variable `TESTKIT_STDIO` (split at blanks):
//!
//! | argument | effect |
//! | --- | --- |
//! | `--name NAME` | the name in its `serverInfo` |
//! | `--tool NAME` | one more tool, an echo |
//! | `--revision R` | agrees to this revision whatever is asked for |
//! | `--tasks` | its tools can be tasks: all they do is to report progress |
//! | `--stateless` | speaks only the revision without a handshake |
//! | `--dual` | speaks it besides the others |
//! | `--silent-probe` | never answers `server/discover` |
//! | `--slow-start MS` | waits before it reads the first line |
//! | `--exit CODE` | ends at once, with `--stderr-line` as its last words |
//! | `--stderr-line TEXT` | a line on standard error |
//! | `--banner TEXT` | writes a line that is no JSON before anything else |
//! | `--stderr BYTES` | floods its standard error before anything else |
//! | `--deaf` | never reads its input |
//! | `--ignore-sigterm` | lives on |
//! | `--ignore-eof` | lives on when its input is closed |
//! | `--grandchild` | starts a process that inherits its streams and outlives it |
//! | `--escapee` | the same, in a process group of its own |
//! | `--journal FILE` | appends each line it reads |
//! | `--pids FILE` | appends its process id, and that of each grandchild, one a line |
//!
//! Its tools are listed in `tools.rs`.

use std::io::{self, Write};
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};

mod options;
mod peer;
mod stateless;
mod tools;

use options::Options;
use tools::Family;

fn main() -> io::Result<()> {
    let options = Options::read()?;
    if options.linger {
        return linger();
    }
    if let Some(line) = &options.stderr_line {
        writeln!(io::stderr(), "{line}")?;
    }
    if let Some(code) = options.exit {
        options.note_pid(std::process::id())?;
        std::process::exit(code);
    }
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(run(options))
}

/// What a grandchild does: holds the inherited streams open for a while.
#[expect(clippy::disallowed_methods, reason = "a process of its own, without a runtime")]
fn linger() -> io::Result<()> {
    std::thread::sleep(Duration::from_secs(120));
    Ok(())
}

async fn run(options: Options) -> io::Result<()> {
    if options.ignore_sigterm {
        // From the first registration on, the signal no longer ends the process.
        let _ = signal(SignalKind::terminate())?;
    }
    options.note_pid(std::process::id())?;
    flood(options.stderr)?;
    if let Some(banner) = &options.banner {
        writeln!(io::stdout(), "{banner}")?;
    }
    if options.grandchild {
        tools::grandchild(&options, Family::Stays)?;
    }
    if options.escapee {
        tools::grandchild(&options, Family::Leaves)?;
    }
    tokio::time::sleep(options.slow_start).await;
    if options.deaf {
        return std::future::pending().await;
    }
    let keep = options.ignore_eof;
    peer::serve(options).await?;
    if keep {
        std::future::pending::<()>().await;
    }
    // A read of the standard input may be under way in another thread, which would delay a normal end.
    std::process::exit(0)
}

/// Writes so many bytes to standard error, in lines.
fn flood(bytes: u64) -> io::Result<()> {
    let line = [[b'e'; 1023].as_slice(), b"\n"].concat();
    let mut error = io::stderr().lock();
    for _ in 0..bytes.div_ceil(1024) {
        error.write_all(&line)?;
    }
    Ok(())
}
