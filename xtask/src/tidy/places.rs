//! What may be done in one place only, where somebody answers for it.
//!
//! These are about shipped code. clippy cannot tell a test from it, and tests start tasks, read clocks
//! and run processes of their own.

use super::source::Source;
use super::{Finding, Tree};

/// Spellings, and where they may stand.
struct Rule {
    spellings: &'static [&'static str],
    home: fn(&str) -> bool,
    why: &'static str,
}

const RULES: &[Rule] = &[
    Rule {
        spellings: &["tokio::spawn", "task::spawn(", "task::spawn_local", "spawn_detached"],
        home: |path| path.ends_with("/tasks.rs"),
        why: "tasks start in `tasks.rs`, where a guard owns each",
    },
    Rule {
        spellings: &["env::var(", "env::var_os(", "env::vars("],
        home: |path| path.starts_with("crates/vmcp/"),
        why: "the binary reads the environment and hands it on",
    },
    Rule {
        spellings: &["process::exit("],
        home: |path| path.starts_with("crates/vmcp/"),
        why: "a library gives its caller the last word",
    },
    Rule {
        spellings: &["std::time::Instant", "std::time::{Instant"],
        home: |_| false,
        why: "the clock of tokio can be paused by a test; this one cannot",
    },
    Rule {
        spellings: &["SystemTime::now"],
        home: |path| {
            path == "crates/vmcp-auth/src/wall_clock.rs"
                // Sealed texts outlive the process and are opened by others.
                || path == "crates/vmcp-gateway/src/seal.rs"
                || path == "crates/vmcp-gateway/src/catalogue/health.rs"
                || path.starts_with("crates/vmcp/src/demo/")
        },
        why: "the time of day jumps: it is only written down or compared with what others wrote down, in few places",
    },
    Rule {
        spellings: &["process::Command"],
        home: |path| {
            path.starts_with("crates/vmcp-backend/src/transport/stdio")
                || path == "crates/vmcp/src/auth/browser.rs"
        },
        why: "only the stdio transport starts processes, in a group that dies with its owner; and a login its \
              user's browser, which is to outlive it",
    },
    Rule {
        spellings: &["TcpListener::bind"],
        home: |path| path.starts_with("crates/vmcp/"),
        why: "the binary binds; a server is given its listeners",
    },
];

pub(super) fn check(tree: &Tree, findings: &mut Vec<Finding>) {
    for source in tree.sources.iter().filter(|source| source.is_shipped()) {
        for rule in RULES.iter().filter(|rule| !(rule.home)(&source.path)) {
            places(source, rule, findings);
        }
    }
}

fn places(source: &Source, rule: &Rule, findings: &mut Vec<Finding>) {
    for spelling in rule.spellings {
        for offset in source.production_places(spelling) {
            findings.push(Finding {
                path: source.path.clone(),
                line: source.line(offset),
                message: format!("`{spelling}`: {}", rule.why),
            });
        }
    }
}
