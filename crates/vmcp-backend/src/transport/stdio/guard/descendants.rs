//! What a process started, whatever became of it since.

#[cfg(target_os = "linux")]
pub(super) use linux::{adopt_orphans, descendants, known};
use nix::unistd::Pid;
#[cfg(not(target_os = "linux"))]
pub(super) use other::{adopt_orphans, descendants, known};

/// A process that this one started, or that was started by one such.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Relative {
    pub(super) pid: Pid,
    pub(super) group: Pid,
}

#[cfg(target_os = "linux")]
mod linux {
    use std::collections::HashMap;

    use nix::sys::prctl;
    use nix::unistd::{Pid, getpid};

    use super::Relative;

    /// Makes this process the parent of every descendant whose own parent ends.
    pub(in super::super) fn adopt_orphans() {
        // Without it, what left the group and lost its parent is not found any more; all else works.
        let _ = prctl::set_child_subreaper(true);
        // So that nobody who ends vmcp by its name ends the guards with it.
        let _ = prctl::set_name(c"mcp-guard");
    }

    /// Whether [`descendants`] can be told here.
    pub(in super::super) fn known() -> bool {
        std::fs::exists("/proc/self/stat").unwrap_or(false)
    }

    /// All living descendants of this process.
    pub(in super::super) fn descendants() -> Vec<Relative> {
        let mut children: HashMap<Pid, Vec<Relative>> = HashMap::new();
        let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
        for entry in entries {
            let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
                continue;
            };
            // Gone meanwhile, or dead already.
            let Ok(stat) = std::fs::read_to_string(entry.path().join("stat")) else { continue };
            let Some((parent, group)) = parse(&stat) else { continue };
            let relative = Relative { pid: Pid::from_raw(pid), group };
            children.entry(parent).or_default().push(relative);
        }
        let mut found = children.remove(&getpid()).unwrap_or_default();
        let mut at = 0;
        while let Some(relative) = found.get(at).copied() {
            found.extend(children.remove(&relative.pid).unwrap_or_default());
            at += 1;
        }
        found
    }

    /// Parent and process group out of `pid (name) state parent group …` (proc_pid_stat(5)); nothing of the dead.
    ///
    /// A dead process has no children, so none are lost with it.
    pub(super) fn parse(stat: &str) -> Option<(Pid, Pid)> {
        // A name may contain anything, parentheses too.
        let (_, rest) = stat.rsplit_once(')')?;
        let mut fields = rest.split_whitespace();
        if matches!(fields.next()?, "Z" | "X" | "x") {
            return None;
        }
        let mut number = || Some(Pid::from_raw(fields.next()?.parse().ok()?));
        Some((number()?, number()?))
    }
}

#[cfg(not(target_os = "linux"))]
mod other {
    use super::Relative;

    pub(in super::super) fn adopt_orphans() {}

    pub(in super::super) fn known() -> bool {
        false
    }

    pub(in super::super) fn descendants() -> Vec<Relative> {
        Vec::new()
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::process::{Command, Stdio};

    use nix::unistd::{Pid, getpgrp};

    use super::Relative;
    use super::linux::{descendants, parse};

    #[test]
    fn a_name_may_contain_anything() {
        let check = |stat: &str, wanted: Option<(i32, i32)>| {
            let wanted = wanted.map(|(a, b)| (Pid::from_raw(a), Pid::from_raw(b)));
            assert_eq!(parse(stat), wanted, "{stat}");
        };
        check("12 (a) S 3 4 5 0", Some((3, 4)));
        check("12 (a) b) (c) R 3 4 5", Some((3, 4)));
        check("12 (a\n1 (x)) S 3 4", Some((3, 4)));
        check("12 (a) Z 3 4 5", None);
        check("12 (a) S 3", None);
        check("", None);
    }

    #[test]
    fn a_child_and_its_child_are_found() {
        let mut child = Command::new("sh")
            .args(["-c", "sleep 60 & echo $!; wait"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut output = std::io::BufReader::new(child.stdout.take().unwrap());
        std::io::BufRead::read_line(&mut output, &mut line).unwrap();
        let pids = [child.id().cast_signed(), line.trim().parse().unwrap()];
        let found = descendants();
        for pid in pids.map(Pid::from_raw) {
            assert!(found.contains(&Relative { pid, group: getpgrp() }), "{pid} in {found:?}");
        }
        nix::sys::signal::kill(Pid::from_raw(pids[1]), nix::sys::signal::Signal::SIGKILL).unwrap();
        child.wait().unwrap();
    }
}
