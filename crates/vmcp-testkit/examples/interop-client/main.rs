//! Checks an MCP endpoint with the official Rust SDK.
//!
//! ```text
//! interop-client ERA URL PROFILE[=PREFIX] [LEFT_OUT ...]
//! interop-client ERA "stdio:COMMAND ARGUMENT ..." PROFILE[=PREFIX] [LEFT_OUT ...]
//! ```
//! ERA is `legacy`, a client that shakes hands, or `modern`, one that asks for the stateless revision and must get it.
//! PROFILE is `conformance`, a server with those fixtures, or `everything`, the public server-everything. PREFIX stands
//! before the names of its tools and prompts. The checks named at the end are left out. One line per check; the last
//! line counts.

#![expect(
    deprecated,
    reason = "the checks need logging and roots, which the newest revision retires"
)]

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

mod asked;
mod checks;
mod dial;
mod everything;
mod peer;

use peer::{Checked, Era, Peer};

/// How long one check may take.
const PATIENCE: Duration = Duration::from_secs(30);

fn main() -> ExitCode {
    let words: Vec<_> = std::env::args().skip(1).collect();
    // One thread: notifications are then handled in the order they came.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let passed = runtime.and_then(|runtime| runtime.block_on(run(&words)));
    match passed {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            let _ = writeln!(io::stderr(), "{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(words: &[String]) -> io::Result<bool> {
    let [era, url, profile, left_out @ ..] = words else {
        return Err(io::Error::other(
            "usage: interop-client ERA URL PROFILE[=PREFIX] [LEFT_OUT ...]",
        ));
    };
    let era = match era.as_str() {
        "legacy" => Era::Legacy,
        "modern" => Era::Modern,
        _ => return Err(io::Error::other(format!("unknown era {era}"))),
    };
    let (profile, prefix) = profile.split_once('=').unwrap_or((profile, ""));
    let names = match profile {
        "conformance" => checks::NAMES,
        "everything" => everything::NAMES,
        _ => return Err(io::Error::other(format!("unknown profile {profile}"))),
    };
    let (mut passed, mut failed) = (0, 0);
    match within(Peer::connect(era, url, prefix)).await {
        Err(error) => {
            failed += 1;
            writeln!(io::stdout(), "FAIL rmcp {profile}: connects: {error}")?;
        }
        Ok(peer) => {
            for name in names.iter().filter(|name| !left_out.iter().any(|out| out == *name)) {
                let check = async {
                    match profile {
                        "conformance" => checks::check(name, &peer).await,
                        _ => everything::check(name, &peer).await,
                    }
                };
                match within(check).await {
                    Ok(()) => {
                        passed += 1;
                        writeln!(io::stdout(), "ok   rmcp {profile}: {name}")?;
                    }
                    Err(error) => {
                        failed += 1;
                        writeln!(io::stdout(), "FAIL rmcp {profile}: {name}: {error}")?;
                    }
                }
            }
            let _ = within(peer.close()).await;
        }
    }
    writeln!(io::stdout(), "rmcp: {passed} passed, {failed} failed")?;
    Ok(failed == 0 && passed > 0)
}

async fn within<T>(work: impl Future<Output = Checked<T>>) -> Checked<T> {
    tokio::time::timeout(PATIENCE, work).await.map_err(|_| "took too long")?
}
