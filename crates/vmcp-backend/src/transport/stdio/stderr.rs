//! What a process says on stderr goes to the log: bounded lines, bounded rate, no control characters.
//!
//! It is always read, so that a chatty process never blocks; what is too much is dropped and counted.

use std::time::Duration;

use memchr::memchr;
use tokio::io::AsyncReadExt;
use tokio::process::ChildStderr;
use tokio::time::Instant;
use vmcp_config::BackendId;

const CHUNK: usize = 8 * 1024;
/// The longest line that is logged; the rest of it is dropped.
const MAX_LINE: usize = 1024;
/// Lines logged per second; the others are counted.
const MAX_LINES: u32 = 50;
const SECOND: Duration = Duration::from_secs(1);

/// Reads until the process closes it.
pub(super) async fn log(backend: BackendId, mut stderr: ChildStderr) {
    let mut chunk = vec![0; CHUNK];
    let mut line = Vec::new();
    let mut rate = Rate::new();
    loop {
        let read = match stderr.read(&mut chunk).await {
            Ok(0) | Err(_) => break,
            Ok(read) => read,
        };
        let mut rest = &chunk[..read];
        while let Some(end) = memchr(b'\n', rest) {
            keep(&mut line, &rest[..end]);
            rate.put(&backend, &line);
            line.clear();
            rest = &rest[end + 1..];
        }
        keep(&mut line, rest);
    }
    rate.put(&backend, &line);
    rate.settle(&backend);
}

fn keep(line: &mut Vec<u8>, part: &[u8]) {
    let room = MAX_LINE.saturating_sub(line.len());
    line.extend_from_slice(&part[..part.len().min(room)]);
}

/// How many lines were logged in the current second.
struct Rate {
    since: Instant,
    logged: u32,
    dropped: u64,
}

// === impl Rate ===

impl Rate {
    fn new() -> Self {
        Self { since: Instant::now(), logged: 0, dropped: 0 }
    }

    fn put(&mut self, backend: &BackendId, line: &[u8]) {
        if self.since.elapsed() >= SECOND {
            self.settle(backend);
            *self = Self::new();
        }
        if self.logged >= MAX_LINES {
            self.dropped += 1;
            return;
        }
        let text = String::from_utf8_lossy(line);
        let text: String =
            text.trim_end().chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        if !text.is_empty() {
            self.logged += 1;
            tracing::info!(target: "vmcp::backend::stderr", %backend, "{text}");
        }
    }

    fn settle(&self, backend: &BackendId) {
        if self.dropped > 0 {
            let dropped = self.dropped;
            tracing::info!(target: "vmcp::backend::stderr", %backend, dropped, "lines dropped");
        }
    }
}
