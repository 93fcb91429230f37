//! ARCHITECTURE.md tells the truth: each path it names exists, each crate is named.

use super::{Finding, Tree};

const PAGE: &str = "ARCHITECTURE.md";

pub(super) fn check(tree: &Tree, crates: &[&str], findings: &mut Vec<Finding>) {
    let Some(text) = tree.files.get(PAGE) else {
        findings.push(finding(1, "the file is missing".to_owned()));
        return;
    };
    for name in crates {
        if !text.contains(&format!("`{name}`")) {
            findings.push(finding(1, format!("`{name}` is not named")));
        }
    }
    // Under the heading of a crate, paths may be written from that crate's `src`.
    let mut base = String::new();
    for (number, line) in text.lines().enumerate() {
        if line.starts_with('#') {
            base = crates
                .iter()
                .find(|name| line.contains(&format!("`{name}`")))
                .map(|name| format!("crates/{name}/src/"))
                .unwrap_or_default();
        }
        for path in quoted(line).filter(|quoted| is_path(quoted)) {
            if !exists(tree, path) && !exists(tree, &format!("{base}{path}")) {
                findings.push(finding(number + 1, format!("`{path}` does not exist")));
            }
        }
    }
}

fn finding(line: usize, message: String) -> Finding {
    Finding { path: PAGE.to_owned(), line, message }
}

/// What stands between backticks.
fn quoted(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2)
}

/// Paths end in a slash or in an extension that files here have; `tools/call` is not one.
fn is_path(text: &str) -> bool {
    let endings = ["/", ".rs", ".md", ".toml", ".json", ".yaml", ".yml", ".cjs", ".sh"];
    let plain = text.chars().all(|c| c.is_ascii_alphanumeric() || "/._-".contains(c));
    plain && !text.starts_with('/') && endings.iter().any(|ending| text.ends_with(ending))
}

fn exists(tree: &Tree, path: &str) -> bool {
    if path.ends_with('/') {
        tree.files.keys().any(|file| file.starts_with(path))
    } else {
        tree.files.contains_key(path)
    }
}
