//! The scenarios for clients: the suite plays servers and authorization servers, well-behaved and not, and
//! the session that speaks to backends connects to each.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use super::compare::{self, Check, Status};
use super::expected::Expected;
use super::suite::Suite;
use crate::say;
use crate::workspace::Places;

/// The client: an example that connects to the URL it is given, as the scenario in its environment wants.
const CLIENT: &str = "debug/examples/conformance-client";

/// What is run: the revision, and how the suite is told. The first two are what a revision requires; the last is
/// about servers older than the rules of authorization.
const RUNS: &[(&str, &[&str])] = &[
    ("2026-07-28", &["--requirements", "2026-07-28"]),
    ("2025-11-25", &["--requirements", "2025-11-25"]),
    ("2025-03-26", &["--suite", "all", "--spec-version", "2025-03-26"]),
];

/// Rules of authorization that the stateless revision wrote down, and that hold on any: run at the newest wire with
/// a handshake too.
const AHEAD: &[&str] = &[
    "auth/authorization-server-migration",
    "auth/iss-normalized",
    "auth/iss-not-advertised",
    "auth/iss-supported",
    "auth/iss-supported-missing",
    "auth/iss-unexpected",
    "auth/iss-wrong-issuer",
    "auth/metadata-issuer-mismatch",
    "auth/offline-access-not-supported",
    "auth/offline-access-scope",
    "auth/resource-mismatch",
];

/// Runs the scenarios and holds them against the list of those that do not pass.
pub(super) fn run(suite: &Suite, places: &Places) -> Result<()> {
    let client = places.target.join(CLIENT);
    ensure!(client.is_file(), "{} is not built", client.display());
    let mut outcomes = BTreeMap::new();
    for (revision, which) in RUNS {
        let name = format!("client-{revision}");
        let above = format!("{revision} ");
        read(&suite.of_client(&name, &client, which)?, &above, &mut outcomes)?;
    }
    for scenario in AHEAD {
        let which = ["--scenario", scenario, "--spec-version", "2025-11-25", "--force"];
        let name = format!("client-{}", scenario.replace('/', "-"));
        read(&suite.of_client(&name, &client, &which)?, "2025-11-25 ", &mut outcomes)?;
    }
    let verdict = Expected::read()?.judge(&outcomes);
    verdict.lines.iter().for_each(say::line);
    say::line(format_args!("{} passed, {} failed", verdict.passed, verdict.failed));
    ensure!(verdict.passed > 0, "no scenario passed");
    ensure!(verdict.failed == 0, "what the suite said stands under {}", suite.folder.display());
    Ok(())
}

/// How a scenario ended.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// Checks that passed.
    pub passed: usize,
    /// What did not: id and what was said about it.
    pub failed: Vec<String>,
}

impl Outcome {
    /// A scenario in which nothing was checked has not passed: nobody came.
    pub(super) fn is_passed(&self) -> bool {
        self.failed.is_empty() && self.passed > 0
    }

    fn of(checks: Vec<Check>) -> Self {
        let mut outcome = Self::default();
        for check in checks {
            match check.status {
                Status::Success => outcome.passed += 1,
                Status::Skipped | Status::Info => {}
                Status::Warning | Status::Failure => {
                    let message = check.error_message.unwrap_or_default();
                    outcome.failed.push(format!("{} {message}", check.id).trim_end().to_owned());
                }
            }
        }
        outcome
    }
}

/// Reads what the suite left: a folder for each scenario, within a folder for each part of its name.
fn read(folder: &Path, above: &str, outcomes: &mut BTreeMap<String, Outcome>) -> Result<()> {
    let entries =
        fs::read_dir(folder).with_context(|| format!("no results in {}", folder.display()))?;
    for entry in entries {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let name = format!("{above}{}", compare::scenario(&name));
        let checks = path.join("checks.json");
        if checks.is_file() {
            let checks = serde_json::from_str(&fs::read_to_string(checks)?);
            outcomes.insert(name.clone(), Outcome::of(checks.with_context(|| name)?));
        } else if path.is_dir() {
            read(&path, &format!("{name}/"), outcomes)?;
        }
    }
    Ok(())
}
