//! Lock files: no addresses, and one version of everything.

use std::collections::{BTreeMap, BTreeSet};

use super::{Finding, Tree};

/// What is shipped.
const LOCK: &str = "Cargo.lock";
/// What is fuzzed.
const FUZZ_LOCK: &str = "fuzz/Cargo.lock";

pub(super) fn check(tree: &Tree, findings: &mut Vec<Finding>) {
    for (path, text) in tree.files.iter().filter(|(path, _)| path.ends_with("package-lock.json")) {
        addresses(path, text, findings);
    }
    if let (Some(shipped), Some(fuzzed)) = (tree.files.get(LOCK), tree.files.get(FUZZ_LOCK)) {
        versions(shipped, fuzzed, findings);
    }
}

/// npm pins by hash alone: an address would tie the tree to one registry mirror.
fn addresses(path: &str, text: &str, findings: &mut Vec<Finding>) {
    for (number, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("\"resolved\":") && line.contains("://") {
            findings.push(Finding {
                path: path.to_owned(),
                line: number + 1,
                message: "an address; lock with `npm install --omit-lockfile-registry-resolved`"
                    .to_owned(),
            });
        }
    }
}

/// What is fuzzed is what is shipped, down to the versions of its dependencies.
fn versions(shipped: &str, fuzzed: &str, findings: &mut Vec<Finding>) {
    let mut known: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (_, name, version) in packages(shipped) {
        known.entry(name).or_default().insert(version);
    }
    for (line, name, version) in packages(fuzzed) {
        if known.get(name).is_some_and(|versions| !versions.contains(version)) {
            findings.push(Finding {
                path: FUZZ_LOCK.to_owned(),
                line,
                message: format!(
                    "`{name}` has another version than in {LOCK}; run `cargo xtask fuzz --lock`"
                ),
            });
        }
    }
}

/// The packages of a lock file of cargo: line, name, version.
fn packages(lock: &str) -> impl Iterator<Item = (usize, &str, &str)> {
    let lines = lock.lines().zip(lock.lines().skip(1)).enumerate();
    lines.filter_map(|(number, (name, version))| {
        let name = name.strip_prefix("name = \"")?.strip_suffix('"')?;
        Some((number + 1, name, version.strip_prefix("version = \"")?.strip_suffix('"')?))
    })
}
