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
    /// The most of it since [`forget_peak`], of each process by itself.
    pub peak: u64,
}

/// Reads what `pid` and all processes below it have used, except our own backend among them.
pub(super) fn read(pid: u32) -> Usage {
    let mut total = Usage::default();
    let processes = processes();
    for process in tree(pid, &processes) {
        total.cpu += process.cpu;
        total.rss += status(process.pid, "VmRSS:");
        total.peak += status(process.pid, "VmHWM:");
    }
    total
}

/// Lets the peak of memory begin anew.
pub(super) fn forget_peak(pid: u32) {
    for process in tree(pid, &processes()) {
        let _ = fs::write(format!("/proc/{}/clear_refs", process.pid), "5");
    }
}

/// How many files, sockets and pipes the process itself has open.
pub(super) fn descriptors(pid: u32) -> usize {
    fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, |entries| entries.count())
}

#[derive(Clone, Debug)]
struct Process {
    pid: u32,
    parent: u32,
    cpu: f64,
}

/// The process and what is below it. A stdio backend of ours is the load's, not the middle's.
fn tree(pid: u32, processes: &[Process]) -> Vec<Process> {
    let mut found = Vec::new();
    let mut open = vec![pid];
    while let Some(pid) = open.pop() {
        if !found.is_empty() && is_backend(pid) {
            continue;
        }
        open.extend(
            processes.iter().filter(|process| process.parent == pid).map(|child| child.pid),
        );
        found.extend(processes.iter().find(|process| process.pid == pid).cloned());
    }
    found
}

fn is_backend(pid: u32) -> bool {
    let words = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    // What starts it through a shell is the middle's.
    words.split(|byte| *byte == 0).nth(1) == Some(b"bench-backend")
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

fn status(pid: u32, field: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(field));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}

#[cfg(test)]
mod tests {
    use super::{descriptors, read, stat};

    #[test]
    fn fields_are_counted_after_the_name() {
        let line = "7 (a) b) S 3 7 7 0 -1 4194304 1 0 0 0 150 50 0 0 20 0 1 0 5 6 7";
        let process = stat(7, line).unwrap();
        assert_eq!((process.pid, process.parent), (7, 3));
        assert!((process.cpu - 2.0).abs() < 1e-9);
    }

    #[test]
    fn this_process_uses_memory_and_has_files() {
        let usage = read(std::process::id());
        assert!(usage.rss > 0 && usage.peak >= usage.rss / 2);
        assert!(descriptors(std::process::id()) > 0);
    }
}
