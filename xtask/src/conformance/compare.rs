//! Two runs of the suite, check by check.
//!
//! A check is named by its scenario, its id, and its rank: ids repeat inside a scenario, so the occurrences
//! of one id are set against each other from the worst to the best, and one that is missing is lost.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Deserialize;

/// How a check ended, from best to worst.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum Status {
    Success,
    Skipped,
    Warning,
    Failure,
    /// A remark, not a check.
    Info,
}

/// One entry of a `checks.json`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Check {
    pub id: String,
    pub status: Status,
    pub error_message: Option<String>,
}

/// How often and how a check id ended in one scenario.
#[derive(Default)]
struct Ends {
    statuses: Vec<Status>,
    /// What the suite said about the worst of them.
    message: String,
}

/// The checks of one run by scenario and id.
#[derive(Default)]
pub(super) struct Run(BTreeMap<String, BTreeMap<String, Ends>>);

/// Reads the results that the suite left in `folder`.
pub(super) fn read(folder: &Path) -> Result<Run> {
    let mut run = Run::default();
    let entries =
        fs::read_dir(folder).with_context(|| format!("no results in {}", folder.display()))?;
    for entry in entries {
        let entry = entry?;
        let text = fs::read_to_string(entry.path().join("checks.json"))?;
        run.add(scenario(&entry.file_name().to_string_lossy()), &text)?;
    }
    Ok(run)
}

/// `server-NAME-2025-01-02T03-04-05-678Z` is a run of NAME, with or without `server-`.
pub(super) fn scenario(folder: &str) -> &str {
    const STAMP: usize = "-2025-01-02T03-04-05-678Z".len();
    let name = folder.strip_prefix("server-").unwrap_or(folder);
    let cut = name.len().checked_sub(STAMP).filter(|_| name.ends_with('Z'));
    cut.and_then(|cut| name.get(..cut)).unwrap_or(name)
}

impl Run {
    fn add(&mut self, scenario: &str, checks: &str) -> Result<()> {
        let checks: Vec<Check> = serde_json::from_str(checks).context(scenario.to_owned())?;
        let ids = self.0.entry(scenario.to_owned()).or_default();
        for check in checks.into_iter().filter(|check| check.status != Status::Info) {
            let ends = ids.entry(check.id).or_default();
            if ends.statuses.iter().all(|status| *status <= check.status) {
                ends.message = check.error_message.unwrap_or_default();
            }
            ends.statuses.push(check.status);
        }
        for ends in ids.values_mut() {
            ends.statuses.sort_by(|a, b| b.cmp(a));
        }
        Ok(())
    }

    fn ends(&self, scenario: &str, id: &str) -> Option<&Ends> {
        self.0.get(scenario)?.get(id)
    }
}

/// One scenario in both runs.
#[derive(Default)]
struct Row {
    scenario: String,
    /// Checks that passed direct.
    direct: usize,
    /// Those of them that pass through vmcp.
    kept: usize,
    /// Checks that did not pass direct.
    other: usize,
    /// The lost ones: id, how it ended instead, what was said.
    lost: Vec<String>,
    /// Those of them that were to be ignored.
    ignored: Vec<String>,
}

/// What became of every check.
pub(super) struct Comparison(Vec<Row>);

impl Comparison {
    /// Sets a run through vmcp against the direct one.
    pub(super) fn new(direct: &Run, through: &Run, ignore: &[String]) -> Self {
        let rows = direct.0.iter().map(|(scenario, ids)| {
            let mut row = Row { scenario: scenario.clone(), ..Row::default() };
            for (id, ends) in ids {
                let check = format!("{scenario}:{id}");
                let ignored = ignore.iter().any(|name| name == scenario || *name == check);
                row.count(id, ends, through.ends(scenario, id), ignored);
            }
            row
        });
        Self(rows.collect())
    }

    /// Checks that passed in both runs.
    pub(super) fn passed(&self) -> usize {
        self.0.iter().map(|row| row.kept).sum()
    }

    /// Checks that passed direct only.
    pub(super) fn lost(&self) -> usize {
        self.0.iter().map(|row| row.lost.len()).sum()
    }

    /// Checks that say nothing: they did not pass direct, or were to be ignored.
    fn other(&self) -> usize {
        self.0.iter().map(|row| row.other + row.ignored.len()).sum()
    }
}

impl Row {
    fn count(&mut self, id: &str, direct: &Ends, through: Option<&Ends>, ignored: bool) {
        let lost = if ignored { &mut self.ignored } else { &mut self.lost };
        for (rank, status) in direct.statuses.iter().enumerate() {
            let after = through.and_then(|ends| ends.statuses.get(rank));
            if *status != Status::Success {
                self.other += 1;
                continue;
            }
            self.direct += 1;
            match after {
                Some(Status::Success) => self.kept += 1,
                Some(status) => {
                    let message = through.map_or("", |ends| ends.message.as_str());
                    lost.push(format!("{id}: {status:?}: {message}"));
                }
                None => lost.push(format!("{id}: missing")),
            }
        }
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<40} {:>6} {:>7} {:>5}", "scenario", "direct", "through", "lost")?;
        for row in &self.0 {
            let lost = row.lost.len();
            writeln!(f, "{:<40} {:>6} {:>7} {lost:>5}", row.scenario, row.direct, row.kept)?;
            for lost in &row.lost {
                writeln!(f, "  lost {lost}")?;
            }
            for ignored in &row.ignored {
                writeln!(f, "  ignored {ignored}")?;
            }
        }
        // A check that does not pass direct says nothing about what stands in the middle.
        write!(f, "{} passed, {} failed, {} skipped", self.passed(), self.lost(), self.other())
    }
}

#[cfg(test)]
mod tests {
    use super::{Comparison, Run, scenario};

    fn run(checks: &[(&str, &str)]) -> Run {
        let mut run = Run::default();
        let checks: Vec<String> = checks
            .iter()
            .map(|(id, status)| {
                format!(r#"{{"id":"{id}","status":"{status}","errorMessage":"why"}}"#)
            })
            .collect();
        run.add("s", &format!("[{}]", checks.join(","))).unwrap();
        run
    }

    #[track_caller]
    fn check(direct: &[(&str, &str)], through: &[(&str, &str)], expected: &str) {
        let comparison =
            Comparison::new(&run(direct), &run(through), &["s:known".to_owned()]).to_string();
        assert!(comparison.ends_with(expected), "{comparison}");
    }

    #[test]
    fn a_folder_is_named_by_scenario_and_time() {
        assert_eq!(
            scenario("server-server-initialize-2026-11-24T06-03-25-061Z"),
            "server-initialize"
        );
        assert_eq!(scenario("ping"), "ping");
    }

    #[test]
    fn what_passes_twice_is_kept() {
        check(
            &[("a", "SUCCESS"), ("b", "INFO")],
            &[("a", "SUCCESS")],
            "1 passed, 0 failed, 0 skipped",
        );
    }

    #[test]
    fn what_passes_direct_only_is_lost_and_so_is_what_is_missing() {
        check(
            &[("a", "SUCCESS"), ("b", "SUCCESS"), ("c", "SUCCESS")],
            &[("a", "FAILURE"), ("b", "SKIPPED")],
            "lost a: Failure: why\n  lost b: Skipped: why\n  lost c: missing\n0 passed, 3 failed, 0 skipped",
        );
    }

    #[test]
    fn what_fails_direct_does_not_count() {
        check(
            &[("a", "FAILURE"), ("b", "WARNING")],
            &[("b", "FAILURE")],
            "0 passed, 0 failed, 2 skipped",
        );
    }

    #[test]
    fn a_known_loss_is_shown_and_does_not_count() {
        check(
            &[("known", "SUCCESS"), ("a", "SUCCESS")],
            &[("a", "SUCCESS")],
            "  ignored known: missing\n1 passed, 0 failed, 1 skipped",
        );
    }

    #[test]
    fn occurrences_of_an_id_are_compared_from_the_worst() {
        check(
            &[("a", "SUCCESS"), ("a", "FAILURE")],
            &[("a", "FAILURE"), ("a", "SUCCESS")],
            "1 passed, 0 failed, 1 skipped",
        );
        check(
            &[("a", "SUCCESS"), ("a", "SUCCESS")],
            &[("a", "SUCCESS"), ("a", "FAILURE")],
            "1 passed, 1 failed, 0 skipped",
        );
    }
}
