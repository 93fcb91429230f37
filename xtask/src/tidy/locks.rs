//! Lock files of npm pin by hash alone: an address would tie the tree to one registry mirror.

use super::{Finding, Tree};

pub(super) fn check(tree: &Tree, findings: &mut Vec<Finding>) {
    for (path, text) in tree.files.iter().filter(|(path, _)| path.ends_with("package-lock.json")) {
        for (number, line) in text.lines().enumerate() {
            if line.trim_start().starts_with("\"resolved\":") && line.contains("://") {
                findings.push(Finding {
                    path: path.clone(),
                    line: number + 1,
                    message:
                        "an address; lock with `npm install --omit-lockfile-registry-resolved`"
                            .to_owned(),
                });
            }
        }
    }
}
