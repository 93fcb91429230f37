//! What a process and its children used, read from `/proc`.

use std::fs;

/// Ticks per second of the times in `/proc/PID/stat`. Linux fixes the unit for user space.
const TICKS: f64 = 100.0;

/// Processor time and memory of a process tree.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Usage {
    /// User and system time in seconds since the start.
    pub cpu: f64,
    /// Resident memory in bytes.
    pub rss: u64,
}

/// Reads what `pid` and all processes below it have used.
pub(super) fn read(pid: u32) -> Usage {
    let mut total = Usage::default();
    let processes = processes();
    let mut tree = vec![pid];
    while let Some(pid) = tree.pop() {
        tree.extend(
            processes.iter().filter(|process| process.parent == pid).map(|child| child.pid),
        );
        if let Some(process) = processes.iter().find(|process| process.pid == pid) {
            total.cpu += process.cpu;
            total.rss += rss(pid);
        }
    }
    total
}

struct Process {
    pid: u32,
    parent: u32,
    cpu: f64,
}

fn processes() -> Vec<Process> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter_map(|pid: u32| stat(pid, &fs::read_to_string(format!("/proc/{pid}/stat")).ok()?))
        .collect()
}

/// The name in the second field may hold spaces and brackets: fields are counted after the last one.
fn stat(pid: u32, text: &str) -> Option<Process> {
    let (_, rest) = text.rsplit_once(") ")?;
    let fields: Vec<&str> = rest.split(' ').collect();
    let number = |index: usize| fields.get(index)?.parse::<f64>().ok();
    Some(Process {
        pid,
        parent: fields.get(1)?.parse().ok()?,
        cpu: (number(11)? + number(12)?) / TICKS,
    })
}

fn rss(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}

#[cfg(test)]
mod tests {
    use super::{read, stat};

    #[test]
    fn fields_are_counted_after_the_name() {
        let line = "7 (a) b) S 3 7 7 0 -1 4194304 1 0 0 0 150 50 0 0 20 0 1 0 5 6 7";
        let process = stat(7, line).unwrap();
        assert_eq!((process.pid, process.parent), (7, 3));
        assert!((process.cpu - 2.0).abs() < 1e-9);
    }

    #[test]
    fn this_process_uses_memory() {
        assert!(read(std::process::id()).rss > 0);
    }
}
