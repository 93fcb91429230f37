//! The shape of files: a doc comment first, `foo.rs` beside `foo/`, no lint switched off in silence.

use super::{Finding, Tree};

pub(super) fn check(tree: &Tree, findings: &mut Vec<Finding>) {
    for source in &tree.sources {
        let mut add = |line, message: &str| {
            findings.push(Finding { path: source.path.clone(), line, message: message.to_owned() });
        };
        let first = source.text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
        if !first.starts_with("//!") {
            add(1, "the file does not start with a `//!` doc comment");
        }
        if source.path.ends_with("/mod.rs") {
            add(1, "write `foo.rs` beside `foo/` instead of `foo/mod.rs`");
        }
        for needle in ["#[allow(", "#![allow("] {
            for (offset, _) in source.code.match_indices(needle) {
                add(
                    source.line(offset),
                    "write `#[expect(lint, reason = \"…\")]` instead of `#[allow]`",
                );
            }
        }
    }
    for (path, text) in &tree.files {
        let member = path.strip_suffix("/Cargo.toml").filter(|folder| *folder != "fuzz");
        if member.is_some() && !text.contains("[lints]\nworkspace = true") {
            findings.push(Finding {
                path: path.clone(),
                line: 1,
                message: "the crate does not take the lints of the workspace".to_owned(),
            });
        }
    }
}
