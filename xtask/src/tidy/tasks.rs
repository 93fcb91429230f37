//! A background task has an owner: tasks start in one file per crate, where a guard holds each.

use super::{Finding, Tree};

const SPAWNS: &[&str] = &["tokio::spawn", "task::spawn(", "task::spawn_local", "spawn_detached"];

pub(super) fn check(tree: &Tree, findings: &mut Vec<Finding>) {
    for source in tree.sources.iter().filter(|source| source.is_shipped()) {
        if source.path.ends_with("/tasks.rs") {
            continue;
        }
        for spawn in SPAWNS {
            for offset in source.production_places(spawn) {
                findings.push(Finding {
                    path: source.path.clone(),
                    line: source.line(offset),
                    message: format!("`{spawn}` outside `tasks.rs`, where a guard owns each task"),
                });
            }
        }
    }
}
