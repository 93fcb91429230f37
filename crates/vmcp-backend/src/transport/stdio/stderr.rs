//! What a process says on stderr goes to the log: bounded lines, bounded rate, no control characters.
//!
//! It is always read, so that a chatty process never blocks; what is too much is dropped and counted. The last lines
//! are kept: they say best why a process ended.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use memchr::memchr;
use parking_lot::Mutex;
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
/// Lines kept for whoever asks why a process ended, and how much of each.
const LAST_LINES: usize = 3;
const LAST_LINE: usize = 200;

/// The last lines of a process.
#[derive(Debug, Default)]
pub(super) struct LastWords {
    /// Protects the lines; held to put one in or to take them out.
    lines: Mutex<VecDeque<Vec<u8>>>,
}

/// Reads until the process closes it.
pub(super) async fn log(backend: BackendId, mut stderr: ChildStderr, last: Arc<LastWords>) {
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
            last.put(&line);
            line.clear();
            rest = &rest[end + 1..];
        }
        keep(&mut line, rest);
    }
    rate.put(&backend, &line);
    last.put(&line);
    rate.settle(&backend);
}

fn keep(line: &mut Vec<u8>, part: &[u8]) {
    let room = MAX_LINE.saturating_sub(line.len());
    line.extend_from_slice(&part[..part.len().min(room)]);
}

/// A line without control characters.
fn printable(line: &[u8]) -> String {
    let text = String::from_utf8_lossy(line);
    text.trim_end().chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// How many lines were logged in the current second.
struct Rate {
    since: Instant,
    logged: u32,
    dropped: u64,
}

// === impl LastWords ===

impl LastWords {
    fn put(&self, line: &[u8]) {
        let line = line.trim_ascii();
        if line.is_empty() {
            return;
        }
        let mut lines = self.lines.lock();
        let mut kept = if lines.len() < LAST_LINES { None } else { lines.pop_front() };
        let kept = kept.get_or_insert_default();
        kept.clear();
        kept.extend_from_slice(&line[..line.len().min(LAST_LINE)]);
        lines.push_back(std::mem::take(kept));
    }

    /// The last lines as one.
    pub(super) fn take(&self) -> Option<String> {
        let lines: Vec<String> = self.lines.lock().drain(..).map(|line| printable(&line)).collect();
        (!lines.is_empty()).then(|| lines.join(" | "))
    }
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
        let text = printable(line);
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

#[cfg(test)]
mod tests {
    use super::LastWords;

    #[test]
    fn the_last_lines_are_kept_and_cut() {
        let last = LastWords::default();
        assert_eq!(last.take(), None);
        for line in ["one", "", "two\r", "  ", "thr\u{7}ee", "four"] {
            last.put(line.as_bytes());
        }
        assert_eq!(last.take().as_deref(), Some("two | thr ee | four"));
        last.put(&[b'x'; 10_000]);
        assert_eq!(last.take().map(|text| text.len()), Some(super::LAST_LINE));
    }
}
